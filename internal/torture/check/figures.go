package check

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/torture/journal"
)

// Figures say how much of everything there was: a test in which nothing happened proves nothing.
type Figures struct {
	Tasks    int
	Statuses map[string]int
	Submits  map[string]int // created, joined, unanswered
	Starts   int
	Again    int             // starts of second and later attempts
	Reaped   []time.Duration // from the end of a process, or of its claims, to its tasks being taken, sorted
	Lost     int             // attempts that ended because their process was lost
	Cancels  map[string]int
	Waits    map[string]int
	Waited   []time.Duration // from the end of a task to its waiter, as far as that and the database were there, sorted
	Faults   map[string]int
	Deaths   int
	Fences   int
	Stray    int // fences that nothing explains
	Pardoned int // processes that were stopped for longer than their fence, and found that they still had their claims
	Stalls   int // longer than a heartbeat, and not done by this test
	Stalled  time.Duration
	Down     time.Duration // of the database
	Changes  int
	Events   int
	Took     time.Duration
}

func (c *checker) figures() *Figures {
	f := &Figures{
		Tasks: len(c.tasks), Statuses: map[string]int{}, Submits: map[string]int{}, Cancels: map[string]int{}, Waits: map[string]int{},
		Faults: map[string]int{}, Changes: len(c.Changes), Events: len(c.Events), Took: time.Duration(c.end - c.zero), Stray: c.unexplained(),
	}
	for _, t := range c.tasks {
		f.Statuses[string(t.Status)]++
		for _, a := range t.Attempts {
			f.Lost += count(a.Error == textLost)
		}
		f.Lost += count(t.Status == gtf.StatusFailure && strings.HasPrefix(t.Error, textLost))
	}
	for _, k := range c.calls {
		c.countCall(f, k)
	}
	slices.Sort(f.Waited)
	slices.Sort(c.reaped)
	f.Reaped = c.reaped
	for i := range c.Events {
		switch e := &c.Events[i]; e.Kind {
		case journal.Start:
			f.Starts++
			f.Again += count(e.Claim > 1)
		case journal.Fault:
			f.Faults[e.How]++
		case journal.Dead:
			f.Deaths++
		case journal.Fenced:
			f.Fences++
		}
	}
	for _, p := range c.procs {
		f.Pardoned += p.pardoned(c)
		for _, s := range p.stalls {
			if len(common([]span{s}, p.stops)) == 0 && s.to-s.from > int64(c.Limits.Heartbeat) {
				f.Stalls++
				f.Stalled = max(f.Stalled, time.Duration(s.to-s.from))
			}
		}
	}
	for _, s := range c.outages {
		f.Down += time.Duration(s.to - s.from)
	}
	return f
}

func (c *checker) countCall(f *Figures, k *call) {
	a := k.answer
	known := a != nil && a.Error == ""
	switch k.ask.Kind {
	case journal.Submit:
		switch {
		case !known:
			f.Submits["unanswered"]++
		case a.Joined:
			f.Submits["joined"]++
		default:
			f.Submits["created"]++
		}
	case journal.Cancel:
		switch {
		case !known:
			f.Cancels["unanswered"]++
		case a.Refused != "":
			f.Cancels[a.Refused]++
		default:
			f.Cancels[a.Effect+" "+a.Status]++
		}
	case journal.Wait:
		switch {
		case a == nil:
			f.Waits["cut off"]++
		case a.Refused != "":
			f.Waits[a.Refused]++
		case a.Error != "":
			f.Waits["store failed"]++
		default:
			f.Waits[a.Status]++
			if end := c.terminal(k.ask.Task); end != nil && end.At > k.ask.At {
				f.Waited = append(f.Waited, time.Duration(c.delay(k, end)))
			}
		}
	}
}

// delay is how long a waiter was not told of the end, while its process ran and the database answered.
func (c *checker) delay(k *call, end *Change) int64 {
	delay := k.answer.At - end.At
	p := c.procs[k.ask.Proc]
	for _, s := range common([]span{{end.At, k.answer.At}}, union(c.outages, p.paused(), p.cuts)) {
		delay -= s.to - s.from
	}
	return delay
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// Print writes the figures for people.
func (f *Figures) Print(w io.Writer) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-10s "+format+"\n", append([]any{name}, args...)...)
	}
	line("time", "%v, of it %v without an answer of the database", f.Took.Round(time.Second), f.Down.Round(100*time.Millisecond))
	line("faults", "%s", list(f.Faults))
	line("submits", "%s", list(f.Submits))
	line("tasks", "%d: %s", f.Tasks, list(f.Statuses))
	line("runs", "%d starts, %d of them again; %d attempts ended with their process", f.Starts, f.Again, f.Lost)
	spread(w, "from the end of a process, or of its claims, to its tasks being taken", f.Reaped)
	line("processes", "%d ended; claims given up %d times, %d of them without a reason that is known, and kept %d times after a long stop",
		f.Deaths, f.Fences, f.Stray, f.Pardoned)
	line("", "%d times a process did not run although nobody stopped it, at most for %v", f.Stalls, f.Stalled.Round(time.Millisecond))
	line("cancels", "%s", list(f.Cancels))
	line("waits", "%s", list(f.Waits))
	spread(w, "from a task's end to its waiter", f.Waited)
	line("evidence", "%d events, %d changes of rows", f.Events, f.Changes)
}

func spread(w io.Writer, what string, sorted []time.Duration) {
	n := len(sorted)
	if n == 0 {
		return
	}
	short := func(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
	fmt.Fprintf(w, "%-10s %s: half within %v, 99 of 100 within %v, all within %v\n", "", what, short(sorted[n/2]), short(sorted[n*99/100]), short(sorted[n-1]))
}

func list(counts map[string]int) string {
	var parts []string
	for _, name := range sortedKeys(counts) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[name], strings.TrimSpace(name)))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}
