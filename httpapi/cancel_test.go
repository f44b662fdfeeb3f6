package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi"
)

// The table of S7, row by row, over HTTP.
func TestCancel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOpts{api: httpapi.Options{CancelRate: -1}})
	n := 0
	key := func() string { n++; return fmt.Sprint("key-", n) }
	pending := func(def *gtf.Definition[input, string], people ...gtf.Principal) gtf.ID {
		return w.pending(def, key(), people...)
	}
	running := func(def *gtf.Definition[input, string], abortable bool, people ...gtf.Principal) gtf.ID {
		return w.running(def, input{Key: key(), Abortable: abortable}, people...)
	}
	aborting := func() gtf.ID {
		id := running(privateWork, true, ada)
		wantStatus(t, w.cancel("ada", id, ""), http.StatusOK)
		return id
	}
	two := func() gtf.ID { // clients of Ada's
		in := input{Key: key()}
		id := w.schedule(perClientWork, in, &gtf.ScheduleOpts{Queue: "nobody", Client: "tab-1"}, ada)
		w.schedule(perClientWork, in, &gtf.ScheduleOpts{Queue: "nobody", Client: "tab-2"}, ada)
		return id
	}
	unknown := gtf.NewID()
	tests := []struct {
		name, token string
		id          gtf.ID
		body        string
		status      int
		action      string // of 200
		after       gtf.Status
		message     string // a part of it
		effect      string // of 409
	}{
		{name: "1: an unknown task is not found", token: "root", id: unknown, status: 404, message: "no such task"},
		{name: "1: another's private task is not found", token: "grace", id: pending(privateWork, ada), status: 404, message: "no such task"},
		{name: "1: a guest with the user's id does not find it either", token: "guest", id: pending(privateWork, ada), status: 404},
		{name: "1: a shared task of others is not found", token: "alan", id: pending(sharedWork, ada, grace), status: 404},
		{name: "1: a system task is not found by its own subscriber", token: "ada", id: pending(systemWork, ada), status: 404},
		{name: "1: not found comes before forbidden", token: "alan", id: pending(sharedWork, ada), body: `{"force":true}`, status: 404},
		{name: "2: only an admin can force", token: "ada", id: pending(sharedWork, ada, grace), body: `{"force":true}`, status: 403, message: "only an admin can force"},
		{name: "2: forbidden comes before finished", token: "ada", id: w.finished(sharedWork, key(), ada), body: `{"force":true}`, status: 403},
		{name: "3: a finished task stays finished", token: "ada", id: w.finished(privateWork, key(), ada), status: 422, after: gtf.StatusSuccess, message: "finished already"},
		{name: "3: force does not help there", token: "root", id: w.finished(sharedWork, key(), ada), body: `{"force":true}`, status: 422, after: gtf.StatusSuccess},
		{name: "3: what was expected does not matter there", token: "ada", id: w.finished(privateWork, key(), ada), body: `{"expect":"detach"}`, status: 422},
		{name: "4: one client of two leaves", token: "ada", id: two(), body: `{"client":"tab-1"}`, status: 200, action: "detached", after: gtf.StatusPending, message: "This client has left"},
		{name: "4: tab_id is the same", token: "ada", id: two(), body: `{"tab_id":"tab-1"}`, status: 200, action: "detached", after: gtf.StatusPending},
		{name: "4: tab_id stands in for a client that is none", token: "ada", id: two(), body: `{"client":"a b","tab_id":"tab-1"}`, status: 200, action: "detached", after: gtf.StatusPending},
		{name: "4: a client that is none is ignored", token: "ada", id: two(), body: `{"client":"a b"}`, status: 200, action: "aborted", after: gtf.StatusAborted},
		{name: "5: one subscriber of two leaves", token: "ada", id: pending(sharedWork, ada, grace), status: 200, action: "unsubscribed", after: gtf.StatusPending, message: "You have left the task"},
		{name: "5: a guest leaves", token: "guest", id: pending(sharedWork, ada, guest), status: 200, action: "unsubscribed", after: gtf.StatusPending},
		{name: "5: an admin who is subscribed leaves, too", token: "root", id: pending(sharedWork, ada, root), status: 200, action: "unsubscribed", after: gtf.StatusPending},
		{name: "6: an admin who is not subscribed must force", token: "root", id: pending(sharedWork, ada), status: 403, after: gtf.StatusPending, message: "use force"},
		{name: "7: with force it stops for everyone", token: "root", id: pending(sharedWork, ada, grace), body: `{"force":true}`, status: 200, action: "aborted", after: gtf.StatusAborted, message: "has been aborted"},
		{name: "7: a private pending task is aborted at once", token: "ada", id: pending(privateWork, ada), status: 200, action: "aborted", after: gtf.StatusAborted, message: "has been aborted"},
		{name: "7: a running one that can be aborted is asked to stop", token: "ada", id: running(privateWork, true, ada), status: 200, action: "aborted", after: gtf.StatusAborting, message: "asked to stop"},
		{name: "7: a running one that cannot is not", token: "ada", id: running(privateWork, false, ada), status: 422, after: gtf.StatusInProgress, message: "no abort handler"},
		{name: "7: the last subscriber cannot leave it either", token: "ada", id: running(sharedWork, false, ada), status: 422, after: gtf.StatusInProgress},
		{name: "7: an aborting one goes on aborting", token: "ada", id: aborting(), status: 200, action: "aborted", after: gtf.StatusAborting, message: "asked to stop"},
		{name: "7: the last subscriber of a shared task aborts it", token: "ada", id: pending(sharedWork, ada), status: 200, action: "aborted", after: gtf.StatusAborted},
		{name: "7: an admin aborts a system task", token: "root", id: pending(systemWork), status: 200, action: "aborted", after: gtf.StatusAborted},
		{name: "expect: what is expected is done", token: "ada", id: pending(sharedWork, ada, grace), body: `{"expect":"unsubscribe"}`, status: 200, action: "unsubscribed", after: gtf.StatusPending},
		{name: "expect: who would stop it for others does nothing", token: "ada", id: pending(sharedWork, ada), body: `{"expect":"unsubscribe"}`, status: 409, after: gtf.StatusPending, effect: "abort", message: "it would now stop for everyone"},
		{name: "expect: who would only leave does nothing", token: "ada", id: pending(sharedWork, ada, grace), body: `{"expect":"abort"}`, status: 409, after: gtf.StatusPending, effect: "unsubscribe", message: "you would now only leave it"},
		{name: "expect: who would leave with one client does nothing", token: "ada", id: two(), body: `{"expect":"abort","client":"tab-2"}`, status: 409, after: gtf.StatusPending, effect: "detach", message: "only this client would now leave it"},
		{name: "expect: not abortable is not a conflict", token: "ada", id: running(privateWork, false, ada), body: `{"expect":"unsubscribe"}`, status: 422},
		{name: "members that it does not know are ignored", token: "ada", id: pending(privateWork, ada), body: `{"colour":"red","Force":true}`, status: 200, action: "aborted", after: gtf.StatusAborted},
		{name: "null members are as good as none", token: "ada", id: pending(privateWork, ada), body: `{"force":null,"expect":null,"client":null}`, status: 200, action: "aborted", after: gtf.StatusAborted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := 0
			if tt.id != unknown {
				before = len(w.task(tt.id).Subscribers)
			}
			a := w.cancel(tt.token, tt.id, tt.body)
			wantStatus(t, a, tt.status)
			if message, _ := a.at("message").(string); !strings.Contains(message, tt.message) || message == "" {
				t.Errorf("the message is %q, want %q in it", message, tt.message)
			}
			if tt.after != "" && w.task(tt.id).Status != tt.after {
				t.Errorf("the task is %s, want %s", w.task(tt.id).Status, tt.after)
			}
			if tt.status != http.StatusOK {
				if got, _ := a.at("effect").(string); got != tt.effect {
					t.Errorf("the effect is %q, want %q", got, tt.effect)
				}
				if tt.id != unknown && len(w.task(tt.id).Subscribers) != before {
					t.Errorf("it has %d subscribers, had %d", len(w.task(tt.id).Subscribers), before)
				}
				return
			}
			if a.at("action") != tt.action || a.at("task.uuid") != tt.id.String() || a.at("task.status") != string(tt.after) {
				t.Errorf("answered %s, want %s of a task that is %s", a.text, tt.action, tt.after)
			}
			left := map[string]int{"unsubscribed": 1}[tt.action]
			if got := len(w.task(tt.id).Subscribers); got != before-left {
				t.Errorf("it has %d subscribers, had %d", got, before)
			}
		})
	}
	t.Run("a text that is no UUID is not found", func(t *testing.T) {
		wantStatus(t, w.do(http.MethodPost, "root", list+"not-a-uuid/cancel", ""), http.StatusNotFound)
	})
	t.Run("who has left sees the task in the answer for the last time, without a button", func(t *testing.T) {
		id := pending(sharedWork, ada, grace)
		a := w.cancel("ada", id, "")
		if a.at("task.actions.cancel.state") != "hidden" || a.at("task.subscriber_count") != 1.0 {
			t.Errorf("answered %s", a.text)
		}
		wantStatus(t, w.get("ada", id.String()), http.StatusNotFound)
		wantStatus(t, w.cancel("ada", id, ""), http.StatusNotFound)
	})
	t.Run("who aborted is kept", func(t *testing.T) {
		id := pending(privateWork, ada)
		w.cancel("ada", id, "")
		if by := w.task(id).AbortedBy; by.ID != ada.ID || by.Name != ada.Name {
			t.Errorf("aborted by %+v, want %+v", by, ada)
		}
	})
}

func TestCancelBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOpts{api: httpapi.Options{CancelRate: -1, MaxBody: 1000}})
	id := w.pending(sharedWork, "one", ada, grace)
	tests := []struct {
		name, body string
		status     int
		fields     string
	}{
		{"text", "force", 400, "body"},
		{"half an object", `{"force":`, 400, "body"},
		{"a list", `[true]`, 400, "body"},
		{"null", `null`, 400, "body"},
		{"a text of JSON", `"force"`, 400, "body"},
		{"two objects", `{} {}`, 400, "body"},
		{"values of another type", `{"force":"yes","expect":1,"client":{},"tab_id":[]}`, 400, "force expect client tab_id"},
		{"an unknown effect", `{"expect":"explode"}`, 400, "expect"},
		{"too much", `{"client":"` + strings.Repeat("x", 1000) + `"}`, 413, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name+" is refused", func(t *testing.T) {
			t.Parallel()
			a := w.cancel("ada", id, tt.body)
			wantStatus(t, a, tt.status)
			var fields []string
			problems, _ := a.at("errors").([]any)
			for _, each := range problems {
				fields = append(fields, fmt.Sprint(each.(map[string]any)["field"])) //nolint:errcheck,forcetypeassert // else the test fails
			}
			if got := strings.Join(fields, " "); got != tt.fields {
				t.Errorf("it names %q, want %q: %s", got, tt.fields, a.text)
			}
			if n := len(w.task(id).Subscribers); n != 2 {
				t.Errorf("the task has %d subscribers, want 2", n)
			}
		})
	}
}
