package pgstore_test

import (
	"context"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/dbtest"
	"github.com/globaltask/gtf/store/pgstore"
	"github.com/globaltask/gtf/store/storetest"
)

// BenchmarkLists is what `make bench-lists` runs.
func BenchmarkLists(b *testing.B) {
	storetest.BenchLists(b, func(b *testing.B, tasks iter.Seq[*gtf.Task]) gtf.Store {
		b.Helper()
		url := dbtest.Postgres(b)
		store, err := pgstore.Open(b.Context(), url, &pgstore.Options{Migrate: true})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = store.Close() })
		conn, err := pgx.Connect(b.Context(), url)
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close(context.Background())
		fillTables(b, conn, tasks)
		return store
	})
}

// fillTables makes the indexes afterwards, which is faster.
func fillTables(b *testing.B, conn *pgx.Conn, tasks iter.Seq[*gtf.Task]) {
	b.Helper()
	run := func(query string) {
		if _, err := conn.Exec(b.Context(), query); err != nil {
			b.Fatalf("%s: %v", query, err)
		}
	}
	rows, err := conn.Query(b.Context(), `SELECT indexname::text, indexdef FROM pg_indexes WHERE schemaname = 'gtf' AND indexname !~ 'pkey$'`)
	if err != nil {
		b.Fatal(err)
	}
	indexes, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct{ Name, Definition string }])
	if err != nil {
		b.Fatal(err)
	}
	for _, index := range indexes {
		run("DROP INDEX gtf." + index.Name)
	}
	run("ALTER TABLE gtf.subscribers DROP CONSTRAINT subscribers_task_id_fkey")
	copyTasks(b, conn, tasks)
	for _, index := range indexes {
		run(index.Definition)
	}
	run("ALTER TABLE gtf.subscribers ADD FOREIGN KEY (task_id) REFERENCES gtf.tasks (id) ON DELETE CASCADE NOT VALID")
	for _, table := range []string{"gtf.tasks", "gtf.subscribers"} {
		run("VACUUM ANALYZE " + table)
	}
}

func copyTasks(b *testing.B, conn *pgx.Conn, tasks iter.Seq[*gtf.Task]) {
	b.Helper()
	orNull := func(t time.Time) any {
		if t.IsZero() {
			return nil
		}
		return t
	}
	var subscribers [][]any
	next, stop := iter.Pull(tasks)
	defer stop()
	_, err := conn.CopyFrom(b.Context(), pgx.Identifier{"gtf", "tasks"}, strings.Fields(`id created_at changed_at due_at started_at ended_at
		aborted_at version claim backoff_base backoff_max progress_ratio progress_current progress_total max_attempts priority dedup_key type
		key name scope status mode queue worker creator_kind creator_id creator_name abort_reason aborted_kind aborted_id aborted_name
		progress_form error error_type input result`), pgx.CopyFromFunc(func() ([]any, error) {
		t, ok := next()
		if !ok {
			return nil, nil
		}
		id := pgtype.UUID{Bytes: t.ID, Valid: true}
		for _, s := range t.Subscribers {
			subscribers = append(subscribers, []any{id, s.Since, t.CreatedAt, string(s.Kind), s.ID, s.Name})
		}
		result := pgtype.Text{String: string(t.Result), Valid: t.Result != nil}
		return []any{id, t.CreatedAt, t.ChangedAt, t.DueAt, orNull(t.StartedAt), orNull(t.EndedAt),
			orNull(t.AbortedAt), t.Version, int64(t.Attempt), int64(1), int64(1), t.Progress.Ratio, t.Progress.Current, t.Progress.Total,
			int32(t.MaxAttempts), int16(t.Priority), t.DedupKey, t.Type,
			t.Key, t.Name, string(t.Scope), string(t.Status), string(t.Mode), t.Queue, pgtype.Text{String: t.Worker, Valid: t.Worker != ""},
			string(t.CreatedBy.Kind), t.CreatedBy.ID, t.CreatedBy.Name, string(t.AbortReason), string(t.AbortedBy.Kind), t.AbortedBy.ID,
			t.AbortedBy.Name, string(t.Progress.Form), t.Error, t.ErrorType, `{"n":1}`, result}, nil
	}))
	if err != nil {
		b.Fatal(err)
	}
	_, err = conn.CopyFrom(b.Context(), pgx.Identifier{"gtf", "subscribers"},
		[]string{"task_id", "since", "task_created", "kind", "principal_id", "name"}, pgx.CopyFromRows(subscribers))
	if err != nil {
		b.Fatal(err)
	}
}
