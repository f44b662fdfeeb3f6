package webui_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/globaltask/gtf"
)

func TestView(t *testing.T) {
	t.Parallel()
	t.Run("pages forward to the end and back to the beginning", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		for i := range 60 {
			w.task(privateWork, input{Key: fmt.Sprint(i)}, gtf.StatusPending, grace)
		}
		var walked []string
		at := "/ops/tasks?status=pending"
		step := func(name string) bool {
			a := w.get("grace", at)
			walked = append(walked, text(w.one(a.doc, "span", "id", "range")))
			link := all(a.doc, "a", "id", "page-"+name)
			if len(link) == 1 {
				at = href(link[0])
			}
			return len(link) == 1
		}
		for step("Next") {
		}
		for step("Previous") {
		}
		want := []string{"1–25 of 60", "26–50 of 60", "51–60 of 60", "51–60 of 60", "26–50 of 60", "1–25 of 60"}
		if strings.Join(walked, "; ") != strings.Join(want, "; ") {
			t.Errorf("walked %q, want %q", walked, want)
		}
		if at != "/ops/tasks?status=pending" {
			t.Errorf("came back to %s", at)
		}
	})
	t.Run("sorts by a header: up, down, and as before; times newest first", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		w.task(privateWork, input{Key: "x"}, gtf.StatusPending, grace)
		tests := []struct{ at, column, sort, to string }{
			{"/ops/tasks", "status", "none", "/ops/tasks?sort=status"},
			{"/ops/tasks?sort=status", "status", "ascending", "/ops/tasks?sort=-status"},
			{"/ops/tasks?sort=-status", "status", "descending", "/ops/tasks"},
			{"/ops/tasks", "created_on", "descending", "/ops/tasks?sort=created_on"},
			{"/ops/tasks?sort=created_on", "created_on", "ascending", "/ops/tasks"},
			{"/ops/tasks?cursor=&from=26&scope=private", "task_type", "none", "/ops/tasks?scope=private&sort=task_type"},
		}
		for _, tt := range tests {
			link := w.one(w.get("grace", tt.at).doc, "a", "id", "sort-"+tt.column)
			sort, _ := attr(link.Parent, "aria-sort")
			if sort != tt.sort || href(link) != tt.to {
				t.Errorf("%s by %s is %s and leads to %s, want %s and %s", tt.at, tt.column, sort, href(link), tt.sort, tt.to)
			}
		}
	})
	t.Run("has a chip for each filter, which takes it off", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		w.task(privateWork, input{Key: "x"}, gtf.StatusPending, grace)
		a := w.get("grace", "/ops/tasks?status=pending&status=aborted&text=x&created_by=me&since=1h&sort=status&page_size=50")
		var got []string
		for _, chip := range all(a.doc, "a", "class", "chip") {
			got = append(got, text(chip))
			if strings.Contains(href(chip), "cursor") || !strings.Contains(href(chip), "sort=status") {
				t.Errorf("%s leads to %s", text(chip), href(chip))
			}
		}
		if want := "Text: x|Status: Pending|Status: Aborted|Created by: Me|Last hour"; strings.Join(got, "|") != want {
			t.Errorf("chips %q, want %q", got, want)
		}
		if got := href(w.one(a.doc, "a", "id", "clear")); got != "/ops/tasks?page_size=50&sort=status" {
			t.Errorf("all filters are taken off by %s", got)
		}
		sent := form(w.one(a.doc, "form", "id", "filters"))
		if got := sent.Encode(); got != "created_by=me&page_size=50&since=1h&sort=status&status=pending&status=aborted" {
			t.Errorf("without script the form would send %s", got)
		}
	})
	t.Run("filters as the API does", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		mine := w.task(sharedWork, input{Key: "Alpha"}, gtf.StatusPending, grace, root)
		joined := w.task(sharedWork, input{Key: "beta"}, gtf.StatusPending, alan, grace)
		for path, want := range map[string][2]bool{
			"": {true, true}, "?created_by=me": {true, false}, "?subscriber=root": {true, false}, "?text=LPH": {true, false}, "?task_type=test.shared": {true, true},
			"?scope=private": {false, false}, "?since=15m&status=pending&status=aborted": {true, true}, "?queue=nobody": {true, true}, "?filter=task_name:sw:be": {false, true},
		} {
			a := w.get("grace", "/ops/tasks"+path)
			if got := [2]bool{a.row(mine) != nil, a.row(joined) != nil}; got != want {
				t.Errorf("%s shows %v, want %v", path, got, want)
			}
		}
	})
	t.Run("refuses what it does not know, and says what", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		for path, want := range map[string]string{
			"?q=(page:1)": "q", "?unknown=1": "unknown", "?since=3y": "since", "?status=done": "status", "?sort=task_name": "order", "?cursor=xyz": "cursor",
			"?page_size=1000": "page_size", "?text=%zz": "malformed", "?filter=a:b:c": "filters", "?scope=": "",
		} {
			a := w.get("grace", "/ops/tasks"+path)
			checkMarkup(t, a)
			if want == "" {
				if a.status != http.StatusOK {
					t.Errorf("%s is %d, want 200", path, a.status)
				}
				continue
			}
			if a.status != http.StatusBadRequest || !strings.Contains(text(w.one(a.doc, "main")), want) {
				t.Errorf("%s is %d and says %q, want 400 and %q", path, a.status, text(w.one(a.doc, "main")), want)
			}
		}
	})
}
