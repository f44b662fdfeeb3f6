package httpapi_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi"
)

func TestNewTask(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	task := func(change func(*gtf.Task)) *gtf.Task {
		t := &gtf.Task{
			ID: gtf.NewID(), Type: "report.export", Key: "q1", Scope: gtf.ScopeShared, Status: gtf.StatusInProgress, Mode: gtf.ModeAsync,
			Queue: "default", Priority: 5, CreatedAt: noon.Add(-2 * time.Minute), StartedAt: noon.Add(-time.Minute), ChangedAt: noon.Add(-time.Second),
			CreatedBy: ada, Subscribers: []gtf.Subscriber{{Kind: gtf.KindUser, ID: ada.ID, Name: ada.Name, Since: noon}},
			Timeout: 1500 * time.Millisecond, MaxAttempts: 2, Attempt: 1, Version: 4,
		}
		change(t)
		return t
	}
	view := func(t *gtf.Task) *httpapi.Task { return httpapi.NewTask(t, gtf.Actor{Principal: ada}, noon) }
	t.Run("a name is split at its last space", func(t *testing.T) {
		t.Parallel()
		for name, want := range map[string][2]string{
			"Ada King Lovelace": {"Ada King", "Lovelace"}, "Ada": {"Ada", ""}, "": {"7", ""}, "Ada ": {"Ada", ""},
		} {
			v := view(task(func(t *gtf.Task) { t.CreatedBy.Name, t.Subscribers[0].Name = name, name }))
			if got := [2]string{v.CreatedBy.FirstName, v.CreatedBy.LastName}; got != want {
				t.Errorf("the creator %q is %q, want %q", name, got, want)
			}
			if got := [2]string{v.Subscribers[0].FirstName, v.Subscribers[0].LastName}; got != want {
				t.Errorf("the subscriber %q is %q, want %q", name, got, want)
			}
		}
	})
	t.Run("times are lengths by the instant it is made for, in seconds", func(t *testing.T) {
		t.Parallel()
		v := view(task(func(t *gtf.Task) { t.Progress = gtf.Progress{Form: gtf.FormTotal, Current: 1, Total: 4} }))
		if v.CreatedHumanized != "2m ago" || *v.Duration != 60 || *v.Properties.Timeout != 1.5 || v.ETA == nil {
			t.Errorf("made %s ago, runs %v, limit %v, ETA %v", v.CreatedHumanized, *v.Duration, *v.Properties.Timeout, v.ETA)
		}
		waits := view(task(func(t *gtf.Task) { t.Status, t.StartedAt = gtf.StatusPending, time.Time{} }))
		if waits.Duration != nil || waits.ETA != nil || waits.StartedAt != nil {
			t.Errorf("a pending task runs %v, ETA %v, since %v", waits.Duration, waits.ETA, waits.StartedAt)
		}
	})
	t.Run("progress has the fields of its form", func(t *testing.T) {
		t.Parallel()
		for _, tt := range []struct {
			p                       gtf.Progress
			percent, current, total string
		}{
			{gtf.Progress{}, "null", "null", "null"},
			{gtf.Progress{Form: gtf.FormFraction, Ratio: 0.5}, "0.5", "null", "null"},
			{gtf.Progress{Form: gtf.FormCount, Current: 0}, "null", "0", "null"},
			{gtf.Progress{Form: gtf.FormTotal, Current: 1, Total: 4}, "0.25", "1", "4"},
			{gtf.Progress{Form: gtf.FormTotal, Current: 0, Total: 0}, "null", "0", "0"},
		} {
			v := view(task(func(t *gtf.Task) { t.Progress = tt.p }))
			for got, want := range map[any]string{v.Properties.ProgressPercent: tt.percent, v.Properties.ProgressCurrent: tt.current, v.Properties.ProgressTotal: tt.total} {
				if text, err := json.Marshal(got); string(text) != want || err != nil {
					t.Errorf("%+v: got %s, want %s", tt.p, text, want)
				}
			}
			if got := v.Task().Progress; got != tt.p {
				t.Errorf("%+v comes back as %+v", tt.p, got)
			}
		}
	})
	t.Run("what is no JSON in one row spoils nothing", func(t *testing.T) {
		t.Parallel()
		v := view(task(func(t *gtf.Task) { t.Payload, t.Result = json.RawMessage(`{"a":`), json.RawMessage(`nonsense`) }))
		if _, err := json.Marshal(v); err != nil || string(v.Payload) != "{}" || string(v.Result) != "null" {
			t.Errorf("payload %s, result %s: %v", v.Payload, v.Result, err)
		}
	})
	t.Run("a guest has no user id, nobody has no person", func(t *testing.T) {
		t.Parallel()
		v := view(task(func(t *gtf.Task) { t.CreatedBy = guest }))
		if v.UserID != nil || !v.CreatedBy.Guest || v.CreatedBy.ID != guest.ID {
			t.Errorf("user %v, creator %+v", v.UserID, v.CreatedBy)
		}
		if v := view(task(func(t *gtf.Task) { t.CreatedBy = gtf.Principal{} })); v.UserID != nil || v.CreatedBy != nil {
			t.Errorf("user %v, creator %+v", v.UserID, v.CreatedBy)
		}
	})
	t.Run("comes back from JSON as the task it was made of", func(t *testing.T) {
		t.Parallel()
		was := task(func(t *gtf.Task) {
			t.Name, t.Status, t.EndedAt, t.DueAt = "Export", gtf.StatusAborted, noon, noon
			t.CreatedBy = gtf.Principal{Kind: gtf.KindGuest, ID: "9", Name: "Some Body"}
			t.Attempts = []gtf.Attempt{{StartedAt: noon, EndedAt: noon, Worker: "w1", Error: "no"}}
			t.Abortable, t.TimeoutWarning, t.DedupeCount = true, true, 3
			t.Payload, t.Result = json.RawMessage(`{"a":[1,2]}`), json.RawMessage(`"x"`)
			t.Logged = gtf.LogStats{Lines: 3, Dropped: 4}
			t.Error, t.ErrorType, t.Stack = "boom", "panic", "main.go:1"
			t.AbortReason, t.AbortedBy, t.AbortedAt = gtf.AbortByUser, ada, noon
			t.Worker, t.DedupKey = "w2", "k"
		})
		was.AbortedBy.Admin = false
		text, err := json.Marshal(view(was))
		if err != nil {
			t.Fatal(err)
		}
		var v httpapi.Task
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(was, v.Task(), sameTask); diff != "" {
			t.Errorf("it differs (-was +is):\n%s", diff)
		}
	})
}
