package webui_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/globaltask/gtf"
)

func TestDetail(t *testing.T) {
	t.Parallel()
	t.Run("shows what is known of a running task", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		id := w.task(sharedWork, input{Key: "Export", Abortable: true}, gtf.StatusInProgress, grace, alan)
		a := w.get("grace", "/ops/tasks/"+id.String(), "Referer", "http://example.com/ops/tasks?status=in_progress")
		checkMarkup(t, a)
		if got := text(w.one(a.doc, "h1")); got != "Export" {
			t.Errorf("the title is %q", got)
		}
		for part, want := range map[string]string{
			"head": "9 of 60 (15%)", "facts": "Joined by 1 other submission", "timeline": "Submitted by Grace Hopper", "payload": "9007199254740993",
			"logs": "works key=Export", "people": "Alan Turing",
		} {
			if got := text(w.one(a.doc, "section", "id", part)); !strings.Contains(got, want) {
				t.Errorf("%s says %q, want %q", part, got, want)
			}
		}
		for _, part := range []string{"error", "result"} {
			w.one(a.doc, "section", "id", part, "hidden", "*")
		}
		if got := href(w.one(w.one(a.doc, "nav", "class", "crumb"), "a")); got != "/ops/tasks?status=in_progress" {
			t.Errorf("back leads to %s", got)
		}
		head := w.one(a.doc, "section", "id", "head")
		if got := buttonOf(head); got != "Cancel" {
			t.Errorf("the button is %q", got)
		}
		if !strings.Contains(a.text, `href="/ops/api/v1/task/`+id.String()+`"`) {
			t.Error("there is no link to the JSON")
		}
		for _, secret := range []string{"Worker", "Dedup key", "by worker"} {
			if strings.Contains(text(a.doc), secret) {
				t.Errorf("grace is told of %s", secret)
			}
			if admin := w.get("root", "/ops/tasks/"+id.String()); !strings.Contains(text(admin.doc), secret) {
				t.Errorf("an admin is not told of %s", secret)
			}
		}
	})
	t.Run("shows the error, and the stack to those who may see it", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		id := w.task(privateWork, input{Key: "x", Fails: "the disk is full"}, gtf.StatusFailure, grace)
		if got := text(w.one(w.get("grace", "/ops/tasks/"+id.String()).doc, "section", "id", "error")); got != "Error the disk is full" {
			t.Errorf("grace reads %q", got)
		}
		if got := text(w.one(w.get("root", "/ops/tasks/"+id.String()).doc, "section", "id", "error")); !strings.Contains(got, "errorString") {
			t.Errorf("an admin reads %q", got)
		}
	})
	t.Run("shows the result and where the time went", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		id := w.task(privateWork, input{Key: "x", Done: true}, gtf.StatusSuccess, grace)
		a := w.get("grace", "/ops/tasks/"+id.String(), "X-Fragment", "1")
		if a.status != http.StatusOK || !strings.HasPrefix(a.text, `<article id="detail"`) {
			t.Errorf("for a script it is %d %.40q", a.status, a.text)
		}
		if got := text(w.one(a.doc, "section", "id", "result")); !strings.Contains(got, `"done"`) {
			t.Errorf("the result is %q", got)
		}
		if got := text(w.one(a.doc, "section", "id", "timeline")); !strings.Contains(got, "Started") || !strings.Contains(got, "Success") || strings.Contains(got, "End") {
			t.Errorf("the timeline is %q", got)
		}
		if _, active := attr(w.one(a.doc, "article"), "data-active"); active {
			t.Error("what has ended is said to be active")
		}
	})
}
