package webui_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/globaltask/gtf"
)

func TestList(t *testing.T) {
	t.Parallel()
	t.Run("shows what the caller sees, with status, progress, scope and followers", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		running := w.task(sharedWork, input{Key: "export", Abortable: true}, gtf.StatusInProgress, grace, alan, visitor)
		others := w.task(privateWork, input{Key: "secret"}, gtf.StatusPending, alan)
		system := w.task(systemWork, input{Key: "index"}, gtf.StatusPending, grace)
		a := w.get("grace", "/ops/tasks")
		row := a.row(running)
		if a.status != http.StatusOK || row == nil {
			t.Fatalf("got %d without the task of grace", a.status)
		}
		for class, want := range map[string]string{
			"c-task": "export", "c-status": "In progress", "c-progress": "9 of 60 (15%)", "c-type": "test.shared", "c-scope": "Shared",
			"c-faces": "", "c-details": "+2", "c-actions": "Cancel",
		} {
			if got := cell(row, class); !strings.HasPrefix(got, want) {
				t.Errorf("%s has %q, want %q", class, got, want)
			}
		}
		var faces []string
		for _, face := range all(row, "span", "data-i", "*") {
			initials, _ := attr(face, "data-i")
			faces = append(faces, initials)
		}
		if got := strings.Join(faces, " "); got != "GH AT G1" {
			t.Errorf("the faces are %q", got)
		}
		if got := href(all(row, "a", "class", "name")[0]); got != "/ops/tasks/"+running.String() {
			t.Errorf("the name leads to %s", got)
		}
		bar := w.one(row, "progress")
		if value, _ := attr(bar, "value"); value != "0.1500" {
			t.Errorf("the bar is at %s", value)
		}
		if a.row(others) != nil || a.row(system) != nil {
			t.Error("grace sees tasks that are not hers")
		}
		if got := text(w.one(a.doc, "span", "id", "range")); got != "1–1 of 1" {
			t.Errorf("the range is %q", got)
		}
		if admin := w.get("root", "/ops/tasks"); admin.row(others) == nil || admin.row(system) == nil {
			t.Error("an admin does not see everything")
		}
	})
	t.Run("offers popovers for what there is only", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		bare := w.task(privateWork, input{Key: "bare"}, gtf.StatusPending, grace)
		failed := w.task(privateWork, input{Key: "failed", Fails: "it is \x1b[31mbroken\x1b[0m"}, gtf.StatusFailure, grace)
		a := w.get("grace", "/ops/tasks")
		if got := all(a.row(bare), "button"); len(got) != 1 { // the faces
			t.Errorf("a task without anything has %d buttons", len(got))
		}
		for _, what := range []string{"payload", "trace"} {
			id := what + "-" + failed.String()
			button := w.one(a.row(failed), "button", "popovertarget", id)
			if name, _ := attr(button, "aria-label"); !strings.HasSuffix(name, " of failed") {
				t.Errorf("the button is called %q", name)
			}
			w.one(a.doc, "div", "id", id, "popover", "*")
		}
		if got := text(w.one(a.doc, "div", "id", "trace-"+failed.String())); !strings.Contains(got, "it is broken") || strings.Contains(got, "helpers_test.go") {
			t.Errorf("the error reads %q", got)
		}
		if got := text(w.one(a.doc, "div", "id", "payload-"+failed.String())); !strings.Contains(got, "9007199254740993") {
			t.Errorf("the payload reads %q", got)
		}
	})
	t.Run("is never markup of somebody's making", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		for i, name := range []string{
			`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, "javascript:alert(1)", "\u202eevil\u202c", "🧨 " + strings.Repeat("long ", 40), "\t \n",
			"a\u200bb", `</title><b>`,
		} {
			w.task(privateWork, input{Key: name, Done: i%2 == 0, Fails: []string{"", name}[i%2]}, []gtf.Status{gtf.StatusSuccess, gtf.StatusFailure}[i%2],
				gtf.Principal{ID: "grace", Name: `<i>Grace</i>`})
		}
		a := w.get("root", "/ops/tasks")
		if got := len(all(a.doc, "tr", "id", "*")); got != 8 {
			t.Errorf("%d rows, want 8", got)
		}
		pages := []*answer{a}
		for _, link := range all(a.doc, "a", "class", "name") {
			if text(link) == "" {
				t.Errorf("the link to %s has no name", href(link))
			}
			pages = append(pages, w.get("root", href(link)))
		}
		for _, p := range pages {
			checkMarkup(t, p)
			if len(all(p.doc, "img"))+len(all(p.doc, "i"))+len(all(p.doc, "b")) > 0 {
				t.Error("a page has elements out of a name")
			}
		}
	})
	t.Run("says when there is nothing, and why", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		if got := w.get("grace", "/ops/tasks").text; !strings.Contains(got, "No tasks yet") {
			t.Error("an empty list does not say so")
		}
		got := w.get("grace", "/ops/tasks?since=24h&status=failure")
		if !strings.Contains(got.text, "No task matches these filters") || !strings.Contains(got.text, "last 24 hours were looked at") {
			t.Error("a filtered list does not say so")
		}
	})
	t.Run("leads somebody with an id to the task", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		id := w.task(privateWork, input{Key: "x"}, gtf.StatusPending, grace)
		if a := w.get("grace", "/ops/tasks?text="+id.String()); a.status != http.StatusSeeOther || a.header.Get("Location") != "/ops/tasks/"+id.String() {
			t.Errorf("got %d to %s", a.status, a.header.Get("Location"))
		}
	})
	t.Run("is a part of the page for a script", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		a := w.get("grace", "/ops/tasks", "X-Fragment", "1")
		if !strings.HasPrefix(a.text, `<div id="list"`) {
			t.Errorf("the part begins with %.60q", a.text)
		}
	})
	t.Run("stays small", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		for i := range 25 {
			w.task(sharedWork, input{Key: fmt.Sprint("Export of the sales of quarter ", i), Fails: "the disk is full"}, gtf.StatusFailure, grace, alan, visitor)
		}
		a := w.get("root", "/ops/tasks")
		nodes := len(all(a.doc, ""))
		if nodes > 1500 {
			t.Errorf("the page has %d elements, want at most 1,500", nodes)
		}
		if got := gzipped(t, a.text); got > 12<<10 {
			t.Errorf("the page has %d bytes, want at most 12 KiB", got)
		}
	})
}

// checkMarkup looks for what no page of ours may have, and for what every page has.
func checkMarkup(t *testing.T, a *answer) {
	t.Helper()
	ids := map[string]int{}
	for _, n := range all(a.doc, "") {
		for _, at := range n.Attr {
			switch {
			case at.Key == "style", strings.HasPrefix(at.Key, "on"):
				t.Errorf("<%s> has the attribute %s", n.Data, at.Key)
			case slices.Contains([]string{"href", "src", "action"}, at.Key) && !strings.HasPrefix(at.Val, "/") && !strings.HasPrefix(at.Val, "#"):
				t.Errorf("<%s> leads to %q", n.Data, at.Val)
			case at.Key == "id":
				ids[at.Val]++
			}
		}
		switch n.Data {
		case "style":
			t.Error("there is a <style>")
		case "script":
			if src, ok := attr(n, "src"); !ok || text(n) != "" || !strings.Contains(src, "/assets/") {
				t.Errorf("there is a <script> with %q", text(n))
			}
		case "button", "a":
			if name(n) == "" && !has(n, []string{"hidden", "*"}) {
				t.Errorf("a <%s> has no name: %v", n.Data, n.Attr)
			}
		}
	}
	for _, id := range sortedKeys(ids) {
		if ids[id] > 1 {
			t.Errorf("%d elements have the id %s", ids[id], id)
		}
	}
	for _, n := range append(all(a.doc, "", "popovertarget", "*"), all(a.doc, "", "aria-describedby", "*")...) {
		for _, key := range []string{"popovertarget", "aria-describedby"} {
			if of, ok := attr(n, key); ok && ids[of] == 0 {
				t.Errorf("%s=%s names nothing", key, of)
			}
		}
	}
}

func name(n *html.Node) string {
	if label, ok := attr(n, "aria-label"); ok {
		return label
	}
	return text(n)
}
