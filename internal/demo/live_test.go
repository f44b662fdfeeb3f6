package demo

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/term"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// everyStatus is a row of each kind, as of noon.
func everyStatus() []row {
	people := func(names ...string) (all []gtf.Subscriber) {
		for _, name := range names {
			all = append(all, gtf.Subscriber{ID: name})
		}
		return all
	}
	at := func(ago time.Duration) time.Time { return noon.Add(-ago) }
	sixty := gtf.Progress{Form: gtf.FormTotal, Current: 9, Total: 60}
	return []row{
		{title: "Waits", task: &gtf.Task{Status: gtf.StatusPending, CreatedAt: at(131 * time.Second), DueAt: at(131 * time.Second), Subscribers: people("ada")}},
		{title: "Waits again", task: &gtf.Task{Status: gtf.StatusPending, CreatedAt: at(time.Minute), Attempt: 1, MaxAttempts: 3,
			Attempts: []gtf.Attempt{{Error: "open the database: no such file or directory"}}, Subscribers: people("alan")}},
		{title: "Runs", task: &gtf.Task{Status: gtf.StatusInProgress, StartedAt: at(9 * time.Second), ChangedAt: noon, Progress: sixty,
			Subscribers: people("grace", "alan")}},
		{title: "Runs once more, and has a long title", task: &gtf.Task{Status: gtf.StatusInProgress, StartedAt: at(time.Second), ChangedAt: noon, Attempt: 2, MaxAttempts: 3,
			Progress: gtf.Progress{Form: gtf.FormCount, Current: 4200}, Subscribers: people("alan")}},
		{title: "Says nothing", task: &gtf.Task{Status: gtf.StatusInProgress, StartedAt: at(3 * time.Second), Timeout: 4 * time.Second}},
		{title: "Stops", task: &gtf.Task{Status: gtf.StatusAborting, StartedAt: at(9 * time.Second), ChangedAt: noon, Progress: sixty,
			AbortReason: gtf.AbortByUser, AbortedBy: gtf.Principal{ID: "grace"}, Subscribers: people("grace")}},
		{title: "Has succeeded", brought: "60 steps", task: &gtf.Task{Status: gtf.StatusSuccess, StartedAt: at(15 * time.Second), EndedAt: noon, Subscribers: people("ada")}},
		{title: "Has failed", task: &gtf.Task{Status: gtf.StatusFailure, StartedAt: noon, EndedAt: noon, Error: "query: SQL logic error:\nno such column: custmer (1)",
			Subscribers: people("grace")}},
		{title: "Was aborted", task: &gtf.Task{Status: gtf.StatusAborted, StartedAt: at(9 * time.Second), EndedAt: noon, Progress: sixty,
			AbortReason: gtf.AbortByUser, AbortedBy: gtf.Principal{ID: "grace"}, Subscribers: people("grace")}},
		{title: "Timed out", task: &gtf.Task{Status: gtf.StatusTimedOut, StartedAt: at(4 * time.Second), EndedAt: noon, Timeout: 4 * time.Second,
			AbortReason: gtf.AbortByTimeout, Subscribers: people("alan")}},
	}
}

func TestTable(t *testing.T) {
	tests := []struct {
		name  string
		total int
		want  string
	}{
		{"has room for bars and times left", 130, `

  STATUS       WHO          TASK                                                                                              TIME
◷ Pending      ada          Waits                             waiting for a worker, 2m 11s                                       –
◷ Pending      alan         Waits again                       attempt 1 of 3 failed: open the database: no su…                   –
◐ In progress  grace, alan  Runs                              ███░░░░░░░░░░░░░░░░░░░░  9 of 60 (15%)            ETA 51s         9s
◐ In progress  alan         Runs once more, and has a long …  4200 processed, attempt 2 of 3                                    1s
◐ In progress               Says nothing                      limit 4s                                                          3s
◧ Aborting     grace        Stops                             asked by grace, 9 of 60 (15%)                                     9s
✓ Success      ada          Has succeeded                     60 steps                                                         15s
✗ Failed       grace        Has failed                        query: SQL logic error: no such column: custmer…                 <1s
■ Aborted      grace        Was aborted                       asked by grace, 9 of 60 (15%)                                     9s
⧖ Timed out    alan         Timed out                         stopped after its limit of 4s                                     4s
`},
		{"says the most important where there is little room", 79, `

  STATUS       WHO          TASK                                           TIME
◷ Pending      ada          Waits             waiting for a worker, 2m…       –
◷ Pending      alan         Waits again       attempt 1 of 3 failed: o…       –
◐ In progress  grace, alan  Runs              9 of 60 (15%)                  9s
◐ In progress  alan         Runs once more,…  4200 processed, attempt …      1s
◐ In progress               Says nothing      limit 4s                       3s
◧ Aborting     grace        Stops             asked by grace, 9 of 60 …      9s
✓ Success      ada          Has succeeded     60 steps                      15s
✗ Failed       grace        Has failed        query: SQL logic error: …     <1s
■ Aborted      grace        Was aborted       asked by grace, 9 of 60 …      9s
⧖ Timed out    alan         Timed out         stopped after its limit …      4s
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lines := table(term.Palette{}, everyStatus(), noon, tt.total)
			if got := "\n" + strings.Join(lines, "\n") + "\n"; got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			for _, line := range lines {
				if term.Width(line) > tt.total {
					t.Errorf("%d columns are too many for %d: %s", term.Width(line), tt.total, line)
				}
			}
		})
	}
	t.Run("survives any width", func(t *testing.T) {
		for total := range 200 {
			table(term.Palette{}, everyStatus(), noon, total)
		}
	})
	t.Run("paints statuses and bars", func(t *testing.T) {
		line := table(term.Palette{Colour: true}, everyStatus()[2:3], noon, 130)[2]
		if want := "\x1b[34m◐ In progress\x1b[0m  grace, alan"; !strings.HasPrefix(line, want) {
			t.Errorf("got %q, want it to begin with %q", line, want)
		}
	})
}

func TestLive(t *testing.T) {
	screenful := func() (*live, *bytes.Buffer) {
		var out bytes.Buffer
		return &live{area: term.Area{Out: &out, HideCursor: true, Size: func() (int, int) { return 60, 5 }}}, &out
	}
	t.Run("draws over what it drew", func(t *testing.T) {
		l, out := screenful()
		l.show(everyStatus()[:1], noon)
		out.Reset()
		l.show(everyStatus()[:1], noon)
		if want := "\x1b[3A\r\x1b[2K\n"; !strings.HasPrefix(out.String(), want) {
			t.Errorf("got %q, want it to begin with %q", out, want)
		}
	})
	t.Run("draws no more than the terminal has lines", func(t *testing.T) {
		l, out := screenful()
		l.show(everyStatus(), noon)
		if n := strings.Count(out.String(), "\n"); n != 4 {
			t.Errorf("%d lines are drawn on a terminal with 5, want 4", n)
		}
	})
	t.Run("says above what it draws, and wraps", func(t *testing.T) {
		l, out := screenful()
		l.show(everyStatus()[:1], noon)
		out.Reset()
		l.say("  0.1s  alan   ", "says more than fits into one line of so few columns")
		want := "\x1b[3A\r\x1b[J  0.1s  alan   says more than fits into one line of so few\n               columns\n\r\x1b[2K\n"
		if !strings.HasPrefix(out.String(), want) {
			t.Errorf("got %q, want it to begin with %q", out, want)
		}
	})
	t.Run("leaves the cursor and what it drew last", func(t *testing.T) {
		l, out := screenful()
		l.show(everyStatus()[:1], noon)
		out.Reset()
		l.settle()
		l.say("", "later")
		if want := "\x1b[?25h\r\x1b[Jlater\n\x1b[J"; out.String() != want {
			t.Errorf("got %q, want %q", out, want)
		}
	})
}

func TestPlain(t *testing.T) {
	t.Run("writes a line when a status changes", func(t *testing.T) {
		var out bytes.Buffer
		p := screenOf(&out)
		rows := everyStatus()
		for i := range rows {
			rows[i].task.ID = gtf.NewID()
		}
		p.say("  0.1s  alan   ", "begins")
		p.show(rows[1:4], noon)
		rows[2].task.Progress.Current++
		p.show(rows[1:4], noon)
		rows[2].task.Status = gtf.StatusSuccess
		p.show(rows[1:4], noon)
		p.settle()
		want := `  0.1s  alan   begins
               ◷ Pending      Waits again: attempt 1 of 3 failed: open the database: no such file or directory
               ◐ In progress  Runs
               ◐ In progress  Runs once more, and has a long title: 4200 processed, attempt 2 of 3
               ✓ Success      Runs
`
		if got := out.String(); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}
