package webui_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/webui"
)

// cancelCases are the rows of the table of buttons and dialogs.
var cancelCases = []struct {
	name      string
	def       *gtf.Definition[input, string]
	state     gtf.Status
	abortable bool
	people    []gtf.Principal
	me        string
	button    string // Cancel, Leave, "" for none, "off" for one that says why it cannot
	text      string // of the dialog
	confirm   string
	box       string // "", "unticked", "ticked for good", "off"
	expect    string
	done      string // what is said then
}{
	{"a private task of one's own", privateWork, gtf.StatusPending, false, []gtf.Principal{grace}, "grace",
		"Cancel", "This stops the task.", "Stop task", "", "abort", "Stopped: "},
	{"a running private task, by an admin", privateWork, gtf.StatusInProgress, true, []gtf.Principal{grace}, "root",
		"Cancel", "This stops the task.", "Stop task", "", "abort", "Stopping: "},
	{"a system task, by an admin", systemWork, gtf.StatusPending, false, []gtf.Principal{grace}, "root",
		"Cancel", "This stops the task.", "Stop task", "", "abort", "Stopped: "},
	{"a shared task that nobody else follows", sharedWork, gtf.StatusInProgress, true, []gtf.Principal{grace}, "grace",
		"Cancel", "You are the only one following it. This stops the task.", "Stop task", "", "abort", "Stopping: "},
	{"a shared task that others follow", sharedWork, gtf.StatusInProgress, true, []gtf.Principal{grace, alan, visitor}, "grace",
		"Cancel", "You leave. It goes on for 2 others.", "Leave task", "", "unsubscribe", "You left "},
	{"a shared task that others follow, by an admin who does, too", sharedWork, gtf.StatusInProgress, true, []gtf.Principal{root, alan}, "root",
		"Cancel", "You leave. It goes on for 1 other.", "Leave task", "unticked", "unsubscribe", "You left "},
	{"a shared task, by an admin who does not follow it", sharedWork, gtf.StatusInProgress, true, []gtf.Principal{grace, alan}, "root",
		"Cancel", "You do not follow this task. This stops it for all 2.", "Stop for everyone", "ticked for good", "abort", "Stopping: "},
	{"a shared task without handler that others follow", sharedWork, gtf.StatusInProgress, false, []gtf.Principal{grace, alan}, "grace",
		"Leave", "You leave. It goes on for 1 other.", "Leave task", "", "unsubscribe", "You left "},
	{"a shared task without handler, by an admin who follows it", sharedWork, gtf.StatusInProgress, false, []gtf.Principal{root, alan}, "root",
		"Leave", "You leave. It goes on for 1 other.", "Leave task", "off", "unsubscribe", "You left "},
	{"a private task without handler", privateWork, gtf.StatusInProgress, false, []gtf.Principal{grace}, "grace", "off", "", "", "", "", ""},
	{"a shared task without handler that nobody else follows", sharedWork, gtf.StatusInProgress, false, []gtf.Principal{grace}, "grace", "off", "", "", "", "", ""},
	{"a shared task without handler, by an admin who does not follow it", sharedWork, gtf.StatusInProgress, false, []gtf.Principal{grace, alan}, "root",
		"off", "", "", "", "", ""},
	{"a task that has ended", privateWork, gtf.StatusSuccess, false, []gtf.Principal{grace}, "grace", "", "", "", "", "", ""},
	{"a task of somebody who may only look", privateWork, gtf.StatusPending, false, []gtf.Principal{grace}, "viewer", "", "", "", "", "", ""},
}

func TestCancel(t *testing.T) {
	t.Parallel()
	for _, tt := range cancelCases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			in := input{Key: "NAME", Abortable: tt.abortable, Done: tt.state == gtf.StatusSuccess}
			id := w.task(tt.def, in, tt.state, tt.people...)
			path := "/ops/tasks/" + id.String() + "/cancel"
			list := w.get(tt.me, "/ops/tasks")
			checkMarkup(t, list)
			if got := buttonOf(list.row(id)); got != tt.button {
				t.Errorf("the row shows %q, want %q", got, tt.button)
			}
			dialog := w.get(tt.me, path, "X-Fragment", "1")
			if tt.confirm == "" {
				if len(all(dialog.doc, "button", "class", "button danger")) > 0 {
					t.Error("the dialog offers to do it")
				}
				return
			}
			shown := w.one(dialog.doc, "form", "class", "cancel")
			if got := text(w.one(shown, "p", "class", "untold")); got != tt.text {
				t.Errorf("the dialog says %q, want %q", got, tt.text)
			}
			confirm := w.one(shown, "button", "class", "button danger")
			if got := text(w.one(confirm, "span", "class", "untold")); got != tt.confirm {
				t.Errorf("it is confirmed by %q, want %q", got, tt.confirm)
			}
			if got := boxOf(shown); got != tt.box {
				t.Errorf("the box is %q, want %q", got, tt.box)
			}
			if first := all(shown, "button")[0]; !has(first, []string{"disabled", "*", "type", "submit"}) {
				t.Error("Enter would confirm it")
			}
			sent := form(shown)
			if sent.Get("expect") != tt.expect {
				t.Errorf("the form expects %q, want %q", sent.Get("expect"), tt.expect)
			}
			if done := w.post(tt.me, path, sent, "X-Fragment", "1"); done.status != http.StatusOK || text(done.doc) != tt.done+"NAME" {
				t.Errorf("got %d %q, want %q", done.status, text(done.doc), tt.done+"NAME")
			}
		})
	}
}

func buttonOf(row *html.Node) string {
	buttons := append(all(row, "a", "class", "button"), all(row, "button", "class", "button")...)
	switch {
	case len(buttons) == 0:
		return ""
	case has(buttons[0], []string{"aria-disabled", "true", "aria-describedby", "*"}):
		return "off"
	}
	return text(buttons[0])
}

func boxOf(n *html.Node) string {
	boxes := all(n, "input", "type", "checkbox")
	switch {
	case len(boxes) == 0:
		return ""
	case has(boxes[0], []string{"disabled", "*", "checked", "*"}):
		return "ticked for good"
	case has(boxes[0], []string{"disabled", "*"}):
		return "off"
	case has(boxes[0], []string{"checked", "*"}):
		return "ticked"
	}
	return "unticked"
}

func TestCancelForm(t *testing.T) {
	t.Parallel()
	t.Run("stops it for everyone if an admin ticks the box", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		id := w.task(sharedWork, input{Key: "NAME"}, gtf.StatusPending, root, alan)
		path := "/ops/tasks/" + id.String() + "/cancel"
		shown := w.get("root", path)
		if got := text(w.one(shown.doc, "p", "class", "told")); got != "This stops the task for all 2." {
			t.Errorf("ticked it says %q", got)
		}
		sent := form(w.one(shown.doc, "form", "class", "cancel"))
		sent.Set("force", "1")
		w.post("root", path, sent)
		if status, err := w.client.Status(t.Context(), id); err != nil || status != gtf.StatusAborted {
			t.Errorf("the task is %s, %v", status, err)
		}
	})
	t.Run("does nothing else than it has said: 409 with the new text", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		id := w.task(sharedWork, input{Key: "NAME"}, gtf.StatusPending, grace, alan)
		path := "/ops/tasks/" + id.String() + "/cancel"
		sent := form(w.one(w.get("grace", path, "X-Fragment", "1").doc, "form", "class", "cancel"))
		if _, err := w.client.Cancel(gtf.WithPrincipal(t.Context(), alan), id, nil); err != nil {
			t.Fatal(err)
		}
		again := w.post("grace", path, sent, "X-Fragment", "1")
		if again.status != http.StatusConflict || len(all(again.doc, "p", "role", "alert")) != 1 {
			t.Errorf("got %d %q", again.status, text(again.doc))
		}
		if got := text(w.one(again.doc, "p", "class", "untold")); got != "You are the only one following it. This stops the task." {
			t.Errorf("now it says %q", got)
		}
		if status, err := w.client.Status(t.Context(), id); err != nil || status != gtf.StatusPending {
			t.Errorf("the task is %s, %v: something was done", status, err)
		}
		w.post("grace", path, form(w.one(again.doc, "form", "class", "cancel")), "X-Fragment", "1")
		if status, err := w.client.Status(t.Context(), id); err != nil || status != gtf.StatusAborted {
			t.Errorf("the task is %s, %v, want it aborted now", status, err)
		}
		late := w.post("grace", path, sent, "X-Fragment", "1")
		if late.status != http.StatusUnprocessableEntity || !strings.Contains(text(late.doc), "finished already") || len(all(late.doc, "button", "class", "button danger")) > 0 {
			t.Errorf("got %d %q", late.status, text(late.doc))
		}
	})
	t.Run("goes back where it was opened, and says once what was done", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		id := w.task(privateWork, input{Key: "NAME <b>"}, gtf.StatusPending, grace)
		path := "/ops/tasks/" + id.String() + "/cancel"
		page := w.get("grace", path, "Referer", "http://example.com/ops/tasks?status=pending")
		checkMarkup(t, page)
		done := w.post("grace", path, form(w.one(page.doc, "form", "class", "cancel")))
		if done.status != http.StatusSeeOther || done.header.Get("Location") != "/ops/tasks?status=pending" {
			t.Fatalf("got %d to %s", done.status, done.header.Get("Location"))
		}
		cookie, _, _ := strings.Cut(done.header.Get("Set-Cookie"), ";")
		next := w.get("grace", "/ops/tasks", "Cookie", cookie)
		if got := text(w.one(next.doc, "div", "class", "toast")); got != "Stopped: NAME <b>" {
			t.Errorf("the next page says %q", got)
		}
		if !strings.Contains(next.header.Get("Set-Cookie"), "Max-Age=0") {
			t.Error("the page after it would say so, too")
		}
	})
	t.Run("goes nowhere else", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		for _, to := range []string{"https://example.org/", "//example.org/ops/tasks", "/ops/tasks/../../evil", "/tasks", "/ops/tasksevil", "/ops/tasks\\evil"} {
			id := w.task(privateWork, input{Key: "x"}, gtf.StatusPending, grace)
			a := w.post("grace", "/ops/tasks/"+id.String()+"/cancel", url.Values{"expect": {"abort"}, "return_to": {to}})
			if got := a.header.Get("Location"); got != "/ops/tasks" {
				t.Errorf("return_to %s leads to %s", to, got)
			}
		}
	})
	t.Run("refuses who may not, and what is no answer to the dialog", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, &webui.Options{Base: "/ops", LimitCancel: func(p gtf.Principal) (time.Duration, bool) { return 1500 * time.Millisecond, p.ID != "alan" }})
		id := w.task(sharedWork, input{Key: "x"}, gtf.StatusPending, grace, alan)
		path := "/ops/tasks/" + id.String() + "/cancel"
		tests := []struct {
			who, path string
			sent      url.Values
			header    []string
			want      int
		}{
			{"viewer", path, url.Values{"expect": {"unsubscribe"}}, nil, http.StatusForbidden},
			{"grace", path, url.Values{"expect": {"unsubscribe"}, "force": {"1"}}, nil, http.StatusForbidden},
			{"grace", path, nil, nil, http.StatusBadRequest},
			{"grace", path, url.Values{"expect": {"explode"}}, nil, http.StatusBadRequest},
			{"alan", path, url.Values{"expect": {"unsubscribe"}}, nil, http.StatusTooManyRequests},
			{"visitor", path, url.Values{"expect": {"abort"}}, nil, http.StatusNotFound},
			{"grace", "/ops/tasks/nonsense/cancel", url.Values{"expect": {"abort"}}, nil, http.StatusNotFound},
			{"", path, url.Values{"expect": {"unsubscribe"}}, nil, http.StatusUnauthorized},
			{"grace", path, url.Values{"expect": {"unsubscribe"}}, []string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		}
		for _, tt := range tests {
			if a := w.post(tt.who, tt.path, tt.sent, tt.header...); a.status != tt.want {
				t.Errorf("%s %s %v is %d, want %d", tt.who, tt.path, tt.sent, a.status, tt.want)
			}
		}
		task, err := w.client.Get(t.Context(), id)
		if err != nil || task.Status != gtf.StatusPending || len(task.Subscribers) != 2 {
			t.Errorf("something was done: %+v, %v", task, err)
		}
	})
}
