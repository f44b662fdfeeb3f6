package webui_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/globaltask/gtf"
)

func TestRows(t *testing.T) {
	t.Parallel()
	t.Run("are those of the page, and mark what is gone and what no longer matches", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		mine := w.task(privateWork, input{Key: "mine"}, gtf.StatusPending, grace)
		ended := w.task(privateWork, input{Key: "ended", Done: true}, gtf.StatusSuccess, grace)
		others := w.task(privateWork, input{Key: "others"}, gtf.StatusPending, alan)
		ids := mine.String() + "," + ended.String() + "," + others.String()
		a := w.get("grace", "/ops/tasks/rows?status=pending&ids="+ids)
		if strings.Contains(a.text, "<html") {
			t.Error("it is a whole page")
		}
		if class, _ := attr(a.row(mine), "class"); class != "" {
			t.Errorf("what matches is %q", class)
		}
		if class, _ := attr(a.row(ended), "class"); class != "left" {
			t.Errorf("what no longer matches is %q", class)
		}
		if _, gone := attr(a.row(others), "data-gone"); !gone || strings.Contains(a.text, "others") {
			t.Error("what grace does not see is not gone")
		}
		w.one(a.doc, "div", "id", "payload-"+ended.String(), "popover", "*")
		page := w.get("grace", "/ops/tasks")
		if got, want := cell(a.row(mine), "c-task"), cell(page.row(mine), "c-task"); got != want {
			t.Errorf("the row says %q, the page %q", got, want)
		}
	})
	t.Run("refuse too many, and what is no id", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		for _, ids := range []string{strings.Repeat(gtf.NewID().String()+",", 100) + gtf.NewID().String(), "x", ""} {
			if a := w.get("grace", "/ops/tasks/rows?ids="+ids); a.status != http.StatusBadRequest {
				t.Errorf("%.20s is %d, want 400", ids, a.status)
			}
		}
	})
}

func TestNewTasks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.task(privateWork, input{Key: "old"}, gtf.StatusPending, grace)
	list := w.one(w.get("grace", "/ops/tasks").doc, "div", "id", "list")
	newest, _ := attr(list, "data-newest")
	path := "/ops/tasks/new?status=pending&after=" + url.QueryEscape(newest)
	if a := w.get("grace", path); a.status != http.StatusOK || a.text != "" {
		t.Errorf("without a new task it says %q", a.text)
	}
	w.task(privateWork, input{Key: "new"}, gtf.StatusPending, grace)
	w.task(privateWork, input{Key: "other"}, gtf.StatusPending, alan)
	w.task(privateWork, input{Key: "other status", Done: true}, gtf.StatusSuccess, grace)
	pill := w.one(w.get("grace", path).doc, "a", "id", "show-new")
	if text(pill) != "1 new task" || href(pill) != "/ops/tasks?status=pending" {
		t.Errorf("it says %q and leads to %s", text(pill), href(pill))
	}
	for _, sorted := range []string{"?sort=status", "?sort=created_on"} {
		list := w.one(w.get("grace", "/ops/tasks"+sorted).doc, "div", "id", "list")
		if _, ok := attr(list, "data-newest"); ok {
			t.Errorf("new tasks would be told of in %s, where they are not on top", sorted)
		}
	}
	if a := w.get("grace", "/ops/tasks/new?after=yesterday"); a.status != http.StatusBadRequest {
		t.Errorf("a wrong instant is %d, want 400", a.status)
	}
}

func TestPeek(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	id := w.task(sharedWork, input{Key: "x", Fails: strings.Repeat("long ", 500)}, gtf.StatusFailure, grace, alan, visitor).String()
	a := w.get("grace", "/ops/tasks/"+id+"/peek/trace")
	if got := len(text(w.one(a.doc, "pre"))); got < 2400 {
		t.Errorf("the error has %d characters, want all", got)
	}
	w.one(a.doc, "button", "data-copy", "*", "hidden", "*")
	people := text(w.get("grace", "/ops/tasks/"+id+"/peek/people").doc)
	for _, want := range []string{"Grace Hopper now , creator, you", "Some Body", ", guest"} {
		if !strings.Contains(people, want) {
			t.Errorf("people are %q, want %q among them", people, want)
		}
	}
	for path, want := range map[string]int{"/peek/nothing": http.StatusNotFound, "/peek/warning": http.StatusNotFound} {
		if a := w.get("grace", "/ops/tasks/"+id+path); a.status != want {
			t.Errorf("%s is %d, want %d", path, a.status, want)
		}
	}
	if a := w.get("viewer", "/ops/tasks/"+gtf.NewID().String()+"/peek/trace"); a.status != http.StatusNotFound {
		t.Errorf("an unknown task is %d", a.status)
	}
}
