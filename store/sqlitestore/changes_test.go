package sqlitestore_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/sqlitestore"
)

var host = gtf.Viewer{All: true}

// changes reads what changed since a cursor.
func changes(t *testing.T, s *sqlitestore.Store, cursor string) *gtf.Changes {
	t.Helper()
	got, err := s.Changes(t.Context(), &gtf.ChangesParams{After: cursor, Limit: 1000}, host)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func submit(t *testing.T, s *sqlitestore.Store, subs ...*gtf.Submission) {
	t.Helper()
	if _, err := s.Submit(t.Context(), subs); err != nil {
		t.Fatal(err)
	}
}

// run sends statements to a file, past the store.
func run(t *testing.T, path string, queries ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, query := range queries {
		if _, err := db.ExecContext(t.Context(), query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
}

// A file as it was is that of a backup.
func TestChangesResets(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		query string // makes the file another one than the cursor knows
		reset bool
	}{
		"for a file that was restored from a backup": {"UPDATE versions SET n = n - 2; DELETE FROM tasks", true},
		"for another file":                           {"UPDATE versions SET era = 'another'", true},
		"for a clock that was set back":              {"UPDATE versions SET at = at + 3600000000", true},
		"not for a clock that went back a moment":    {"UPDATE versions SET at = at + 500000", false},
		"not for what is as it was":                  {"SELECT 1", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "gtf.db")
			s := open(t, path)
			submit(t, s, submission(`0`))
			submit(t, s, submission(`1`))
			cursor := changes(t, s, "").Cursor
			run(t, path, tt.query)
			submit(t, s, submission(`2`))
			got := changes(t, s, cursor)
			if got.Reset != tt.reset || len(got.Tasks) > 0 == tt.reset {
				t.Fatalf("reset %v with %d tasks, want %v", got.Reset, len(got.Tasks), tt.reset)
			}
			submit(t, s, submission(`3`))
			if next := changes(t, s, got.Cursor); next.Reset || len(next.Tasks) != 1 {
				t.Errorf("behind it: reset %v, %d tasks, want 1", next.Reset, len(next.Tasks))
			}
		})
	}
}

// What a program of the first schema writes beside this one is listed, and told, as well.
func TestOlderPrograms(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gtf.db")
	s := open(t, path)
	old := submission(`1`)
	submit(t, s, old)
	cursor := changes(t, s, "").Cursor
	insert := func(id, scope string) string {
		return `INSERT INTO tasks (id, dedup_key, type, key, name, scope, status, mode, queue, priority, due_at, created_at, changed_at,
			version, creator_kind, creator_id, max_attempts, backoff_base, backoff_max, input)
			SELECT '` + id + `', '` + id + `', type, '` + id + `', '', '` + scope + `', 'pending', mode, queue, 5, due_at, at + 1, at + 1, n,
			'user', 'ada', 1, 1, 1, '1' FROM tasks, versions WHERE id = '` + old.ID.String() + `'`
	}
	subscribe := func(id string) string {
		return `INSERT INTO subscribers (task_id, kind, principal_id, name, since, task_created)
			SELECT id, 'user', 'ada', '', created_at, created_at FROM tasks WHERE id = '` + id + `'`
	}
	shared, system := gtf.NewID().String(), gtf.NewID().String()
	run(t, path, "UPDATE versions SET n = n + 1", insert(shared, "shared"), subscribe(shared), insert(system, "system"), subscribe(system),
		"UPDATE versions SET n = n + 1",
		"UPDATE tasks SET dedupe_count = 1, changed_at = changed_at + 9, version = (SELECT n FROM versions) WHERE id = '"+old.ID.String()+"'")
	page, err := s.List(t.Context(), &gtf.ListParams{Order: gtf.OrderCreated, PageSize: 10}, gtf.Viewer{Kind: gtf.KindUser, ID: "ada"})
	if err != nil || len(page.Tasks) != 2 {
		t.Errorf("ada sees %d tasks (%v), want the 2 that are not the system's", len(page.Tasks), err)
	}
	id, err := gtf.ParseID(system)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), id, gtf.Viewer{Kind: gtf.KindUser, ID: "ada"}); !errors.Is(err, gtf.ErrNotFound) {
		t.Errorf("Get of a system task gives %v, want ErrNotFound", err)
	}
	if got := changes(t, s, cursor); len(got.Tasks) != 3 || got.Reset {
		t.Errorf("%d changes, reset %v, want 3", len(got.Tasks), got.Reset)
	}
}
