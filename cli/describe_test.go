package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/term"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// running is a task that has run for nine seconds and reported a second ago.
func runningTask() *gtf.Task {
	return &gtf.Task{
		ID: gtf.ID{1}, Type: "report.export", Name: "Export sales", Status: gtf.StatusInProgress,
		CreatedAt: noon.Add(-20 * time.Second), StartedAt: noon.Add(-9 * time.Second), ChangedAt: noon,
		Progress: gtf.Progress{Form: gtf.FormTotal, Current: 9, Total: 60},
	}
}

func TestState(t *testing.T) {
	with := func(change func(*gtf.Task)) *gtf.Task {
		task := runningTask()
		change(task)
		return task
	}
	ended := func(s gtf.Status, change func(*gtf.Task)) *gtf.Task {
		return with(func(t *gtf.Task) {
			t.Status, t.EndedAt = s, t.StartedAt.Add(299*time.Second)
			if change != nil {
				change(t)
			}
		})
	}
	tests := []struct {
		name string
		task *gtf.Task
		want string
	}{
		{"a running task says how far it is", runningTask(), "9 of 60 (15%), ETA 51s, running 9s"},
		{"a running task that only counts has no ETA", with(func(t *gtf.Task) { t.Progress = gtf.Progress{Form: gtf.FormCount, Current: 42} }), "42 processed, running 9s"},
		{"a running task may say nothing", with(func(t *gtf.Task) { t.Progress = gtf.Progress{} }), "running 9s"},
		{"a running task over a limit that cannot be enforced says so", with(func(t *gtf.Task) {
			t.Progress, t.Timeout, t.TimeoutWarning = gtf.Progress{}, 5*time.Second, true
		}), "running 9s, over its limit of 5s, which cannot be enforced: no abort handler"},
		{"a pending task waits", &gtf.Task{Status: gtf.StatusPending, CreatedAt: noon.Add(-131 * time.Second), DueAt: noon.Add(-131 * time.Second)}, "waiting for a worker, 2m 11s"},
		{"a pending task may be due later", &gtf.Task{Status: gtf.StatusPending, CreatedAt: noon, DueAt: noon.Add(90 * time.Second)}, "due in 1m 30s"},
		{"a pending task between attempts says why", &gtf.Task{
			Status: gtf.StatusPending, CreatedAt: noon.Add(-time.Hour), DueAt: noon.Add(4 * time.Second), Attempt: 1, MaxAttempts: 3,
			Attempts: []gtf.Attempt{{Error: "it broke"}},
		}, "attempt 1 of 3 ended: it broke; due in 4s"},
		{"an aborting task says who asked", with(func(t *gtf.Task) {
			t.Status, t.AbortReason, t.AbortedAt = gtf.StatusAborting, gtf.AbortByUser, noon.Add(-12*time.Second)
			t.AbortedBy = gtf.Principal{ID: "7", Name: "Ada"}
		}), "asked by Ada 12s ago, 9 of 60 (15%)"},
		{"a success says how long it took", ended(gtf.StatusSuccess, nil), "took 4m 59s"},
		{"a failure says why", ended(gtf.StatusFailure, func(t *gtf.Task) { t.Error = "it broke" }), "it broke"},
		{"an aborted task says who asked", ended(gtf.StatusAborted, func(t *gtf.Task) { t.AbortedBy = gtf.Principal{ID: "host", Name: "host"} }), "asked by host"},
		{"a task over its limit says which", ended(gtf.StatusTimedOut, func(t *gtf.Task) { t.Timeout = 300 * time.Second }), "stopped after its limit of 5m"},
		{"a task that waited too long says so", &gtf.Task{Status: gtf.StatusTimedOut}, "waited too long for a worker"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := state(tt.task, noon); got != tt.want {
				t.Errorf("state = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLiveDisplay(t *testing.T) {
	t.Run("draws its lines again in place, and notes above them", func(t *testing.T) {
		var b strings.Builder
		d := &liveDisplay{area: term.Area{Out: &b, Size: func() (int, int) { return 100, 24 }}}
		pending := &gtf.Task{ID: gtf.ID{2}, Type: "demo", Status: gtf.StatusPending, CreatedAt: noon}
		d.show([]*gtf.Task{runningTask(), pending}, noon)
		d.note("aborting")
		d.show([]*gtf.Task{runningTask()}, noon)
		d.show([]*gtf.Task{runningTask()}, noon.Add(time.Second))
		running := "\r\x1b[2Kreport.export Export sales  In progress  ███░░░░░░░░░░░░░░░░░  9 of 60 (15%), ETA 51s, running 9s\n"
		waiting := "\r\x1b[2Kdemo                        Pending      waiting for a worker, <1s\n"
		want := running + waiting + "\x1b[J" +
			"\x1b[2A\r\x1b[Jaborting\n" + running + waiting + "\x1b[J" +
			"\x1b[2A" + running + "\x1b[J" +
			"\x1b[1A\r\x1b[2Kreport.export Export sales  In progress  ███░░░░░░░░░░░░░░░░░  9 of 60 (15%), ETA 50s, running 10s\n\x1b[J"
		if b.String() != want {
			t.Errorf("got\n%q\nwant\n%q", b.String(), want)
		}
	})
	t.Run("keeps lines within the terminal, and out of its control", func(t *testing.T) {
		var b strings.Builder
		d := &liveDisplay{area: term.Area{Out: &b, Size: func() (int, int) { return 40, 3 }}}
		task := runningTask()
		task.Name = "\x1b[2J" + strings.Repeat("long ", 50)
		d.show([]*gtf.Task{task, task, task, task}, noon)
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n\x1b[J"), "\n")
		if len(lines) != 2 {
			t.Errorf("drew %d lines on a terminal of 3, want 2", len(lines))
		}
		for _, line := range lines {
			text := strings.TrimPrefix(line, "\r\x1b[2K")
			if term.Width(text) > 39 || strings.Contains(text, "\x1b") {
				t.Errorf("drew %q, %d columns wide", text, term.Width(text))
			}
		}
	})
}

func TestPlainDisplay(t *testing.T) {
	t.Run("writes a line at a change of status or progress only", func(t *testing.T) {
		var b strings.Builder
		d := &plainDisplay{w: &b, said: map[gtf.ID]string{}}
		task := runningTask()
		d.show([]*gtf.Task{task}, noon)
		d.show([]*gtf.Task{task}, noon.Add(time.Second))
		more := *task
		more.Progress.Current, more.ChangedAt = 30, noon.Add(2*time.Second)
		d.show([]*gtf.Task{&more}, noon.Add(2*time.Second))
		want := "" +
			"12:00:00  report.export Export sales  In progress  9 of 60 (15%), ETA 51s, running 9s\n" +
			"12:00:02  report.export Export sales  In progress  30 of 60 (50%), ETA 11s, running 11s\n"
		if b.String() != want {
			t.Errorf("got\n%s\nwant\n%s", b.String(), want)
		}
	})
}

func TestWriteTask(t *testing.T) {
	t.Run("shows everything about a task", func(t *testing.T) {
		task := &gtf.Task{
			ID: gtf.ID{1}, Type: "report.export", Name: "Export sales", Key: "sales", Scope: gtf.ScopeShared, Status: gtf.StatusFailure,
			Queue: "exports", Priority: 3, CreatedAt: noon.Add(-time.Hour), DueAt: noon.Add(-time.Hour), StartedAt: noon.Add(-time.Minute),
			EndedAt: noon, CreatedBy: gtf.Principal{ID: "7", Name: "Ada"}, DedupeCount: 2, Attempt: 2, MaxAttempts: 2,
			Subscribers: []gtf.Subscriber{{ID: "7", Name: "Ada"}, {Kind: gtf.KindGuest, ID: "9"}},
			Attempts:    []gtf.Attempt{{StartedAt: noon.Add(-10 * time.Minute), EndedAt: noon.Add(-9 * time.Minute), Error: "first"}},
			Timeout:     5 * time.Minute, Payload: []byte(`{"rows":12}`), Error: "it broke", ErrorType: "*errors.errorString", Stack: "main.go:1\n",
			Logged: gtf.LogStats{Lines: 3}, Worker: "w1",
		}
		var b strings.Builder
		if err := writeTask(&b, term.Palette{}, task, gtf.Actor{Host: true}, noon); err != nil {
			t.Fatal(err)
		}
		zone := noon.Local().Format("MST")
		if zone != "UTC" {
			t.Skip("the golden text is in UTC")
		}
		want := `Task         Export sales
ID           01000000-0000-0000-0000-000000000000
Type         report.export
Scope        shared
Status       Failed: it broke
Key          sales
Queue        exports, priority 3
Created      2026-05-01 11:00:00 UTC (1h ago) by Ada
Started      2026-05-01 11:59:00 UTC (1m ago)
Ended        2026-05-01 12:00:00 UTC (now)
Duration     1m
Time limit   5m
Attempt      2 of 2
Attempt 1    2026-05-01 11:50:00 UTC (10m ago), 1m: first
Subscribers  Ada, 9 (guest)
Joined       by 2 other submissions
Worker       w1
Log          3 lines

Payload
{
  "rows": 12
}

Error (*errors.errorString)
it broke

Stack trace
main.go:1
`
		if b.String() != want {
			t.Errorf("got\n%s\nwant\n%s", b.String(), want)
		}
	})
}

func TestCancelText(t *testing.T) {
	ada, grace := gtf.Subscriber{Kind: gtf.KindUser, ID: "ada"}, gtf.Subscriber{Kind: gtf.KindUser, ID: "grace"}
	as := func(id string, admin bool) gtf.Actor {
		return gtf.Actor{Principal: gtf.Principal{Kind: gtf.KindUser, ID: id, Admin: admin}}
	}
	shared := func(abortable bool, subs ...gtf.Subscriber) *gtf.Task {
		return &gtf.Task{Scope: gtf.ScopeShared, Status: gtf.StatusInProgress, Abortable: abortable, Subscribers: subs}
	}
	tests := []struct {
		name  string
		task  *gtf.Task
		actor gtf.Actor
		want  string
	}{
		{"the only follower stops it", shared(true, ada), as("ada", false), "stops it"},
		{"one of several leaves", shared(true, ada, grace), as("ada", false), "you leave, it goes on for others"},
		{"an admin among several may force", shared(true, ada, grace), as("ada", true), "you leave, it goes on for others; with --force it stops for everyone"},
		{"the host must force", shared(true, ada), gtf.Actor{Host: true}, "stops it for everyone, with --force"},
		{"a task without handler cannot be stopped", shared(false, ada), as("ada", false), "not possible: the task cannot be aborted: it has no abort handler"},
		{"a finished task says nothing", &gtf.Task{Status: gtf.StatusSuccess}, gtf.Actor{Host: true}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := cancelText(gtf.DecideCancel(tt.task, tt.actor, gtf.CancelOpts{})); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
