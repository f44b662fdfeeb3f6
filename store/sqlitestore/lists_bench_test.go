package sqlitestore_test

import (
	"context"
	"database/sql"
	"iter"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/sqlitestore"
	"github.com/globaltask/gtf/store/storetest"
)

// BenchmarkLists is what `make bench-lists` runs.
func BenchmarkLists(b *testing.B) {
	storetest.BenchLists(b, func(b *testing.B, tasks iter.Seq[*gtf.Task]) gtf.Store {
		b.Helper()
		path := filepath.Join(b.TempDir(), "gtf.db")
		fillFile(b, path, tasks)
		store := openFile(b, path)
		b.Cleanup(func() { _ = store.Close() })
		return store
	})
}

func openFile(b *testing.B, path string) *sqlitestore.Store {
	b.Helper()
	store, err := sqlitestore.Open(b.Context(), path, nil)
	if err != nil {
		b.Fatal(err)
	}
	return store
}

// fillFile makes a store's file with tasks in it, and its indexes afterwards, which is faster.
func fillFile(b *testing.B, path string, tasks iter.Seq[*gtf.Task]) {
	b.Helper()
	if err := openFile(b, path).Close(); err != nil { // it has made the tables
		b.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	run := func(query string) {
		if _, err := db.ExecContext(b.Context(), query); err != nil {
			b.Fatalf("%s: %v", query, err)
		}
	}
	run("PRAGMA foreign_keys = off")
	run("PRAGMA synchronous = off")
	rows, err := db.QueryContext(b.Context(), "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	indexes := map[string]string{}
	for rows.Next() {
		var name, definition string
		if err := rows.Scan(&name, &definition); err != nil {
			b.Fatal(err)
		}
		indexes[name] = definition
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	for name := range indexes {
		run("DROP INDEX " + name)
	}
	insertTasks(b, db, tasks)
	for _, definition := range indexes {
		run(definition)
	}
	run("UPDATE versions SET at = (SELECT max(changed_at) FROM tasks)")
	run("PRAGMA wal_checkpoint(TRUNCATE)")
}

func insertTasks(b *testing.B, db *sql.DB, tasks iter.Seq[*gtf.Task]) {
	b.Helper()
	tx, err := db.BeginTx(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	insert := func(table, columns string) func(args ...any) {
		list := strings.Fields(columns)
		query := "INSERT INTO " + table + " (" + strings.Join(list, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(list)-1) + ")"
		st, err := tx.PrepareContext(b.Context(), query)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = st.Close() })
		return func(args ...any) {
			if _, err := st.ExecContext(context.WithoutCancel(b.Context()), args...); err != nil {
				b.Fatalf("%s: %v", query, err)
			}
		}
	}
	task := insert("tasks", `id created_at changed_at due_at started_at ended_at aborted_at version claim backoff_base backoff_max
		progress_ratio progress_current progress_total max_attempts priority dedup_key type key name scope status mode queue worker
		creator_kind creator_id creator_name abort_reason aborted_kind aborted_id aborted_name progress_form error error_type input result`)
	subscriber := insert("subscribers", "task_id since task_created kind principal_id name hidden")
	instant := func(t time.Time) any {
		if t.IsZero() {
			return nil
		}
		return t.UnixMicro()
	}
	orNull := func(text string) any {
		if text == "" {
			return nil
		}
		return text
	}
	const version = 0 // before the first change that the store counts
	for t := range tasks {
		id, by, who := t.ID.String(), t.CreatedBy, t.AbortedBy
		task(id, instant(t.CreatedAt), instant(t.ChangedAt), instant(t.DueAt), instant(t.StartedAt), instant(t.EndedAt), instant(t.AbortedAt),
			version, t.Attempt, 1, 1, t.Progress.Ratio, t.Progress.Current, t.Progress.Total, t.MaxAttempts, t.Priority, t.DedupKey, t.Type,
			t.Key, t.Name, string(t.Scope), string(t.Status), string(t.Mode), t.Queue, orNull(t.Worker), string(by.Kind), by.ID, by.Name,
			string(t.AbortReason), string(who.Kind), who.ID, who.Name, string(t.Progress.Form), t.Error, t.ErrorType, `{"n":1}`,
			orNull(string(t.Result)))
		for _, s := range t.Subscribers {
			subscriber(id, instant(s.Since), instant(t.CreatedAt), string(s.Kind), s.ID, s.Name, t.Scope == gtf.ScopeSystem)
		}
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
}
