package sqlitestore_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/sqlitestore"
)

// plan is how SQLite goes about a page.
func plan(t *testing.T, db *sql.DB, p gtf.ListParams, v gtf.Viewer) []string {
	t.Helper()
	p.PageSize = 25
	query, args, err := sqlitestore.ListStatement(&p, v)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil || len(steps) == 0 {
		t.Fatalf("a plan of %d steps: %v", len(steps), err)
	}
	return steps
}

// A million rows are not scanned for a filter that leaves few, nor sorted for a page.
func TestListUsesIndexes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gtf.db")
	open(t, path)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	ada := gtf.Principal{Kind: gtf.KindUser, ID: "7"}
	cases := map[string]gtf.ListParams{"nothing": {}}
	for _, f := range gtf.Filterables() {
		for _, op := range f.Ops {
			c := gtf.Condition{Column: f.Column, Op: op}
			switch f.Kind {
			case gtf.KindTime:
				c.Times = []time.Time{time.Unix(1e9, 0)}
			case gtf.KindPeople:
				c.Who = []gtf.Principal{ada}
			default:
				c.Texts = []string{"failure"}
			}
			part := op != gtf.OpEqual && op != gtf.OpIn
			if f.Column == gtf.FilterName || part && (f.Column == gtf.FilterKey || f.Column == gtf.FilterID) {
				continue // is looked for row by row, which a time of creation bounds
			}
			cases[fmt.Sprintf("%s %s", f.Column, op)] = gtf.ListParams{Where: []gtf.Condition{c}}
		}
	}
	for name, p := range cases {
		for _, order := range gtf.OrderColumns() {
			for _, descending := range []bool{false, true} {
				for who, v := range map[string]gtf.Viewer{"an admin": {All: true}, "a user": {Kind: ada.Kind, ID: ada.ID}} {
					p.Order, p.Descending = order, descending
					steps := plan(t, db, p, v)
					for _, step := range steps {
						if step == "SCAN t" || step == "SCAN tasks" || step == "SCAN s" || strings.Contains(step, "SCAN v") {
							t.Errorf("a list for %s by %s, ordered by %s, descending %v, scans a table:\n%s", who, name, order, descending, strings.Join(steps, "\n"))
							break
						}
					}
				}
			}
		}
	}
}
