// Package check finds out from what was written down during a torture test whether every promise was kept.
//
//	record.go       what was written down, put in order
//	spans.go        stretches of time
//	ends.go         every task ends, once, with the outcome of the attempt that won
//	runs.go         one run at a time, never without its claim, never more often than allowed
//	changes.go      the table of transitions, terminal rows, busy keys, writes of old claims
//	deaths.go       tasks of dead processes are taken in time, processes that stop leave nothing
//	waits.go        every wait ends with the outcome of its task
//	subscribers.go  nobody falls off a task
//	cancels.go      an answered cancel holds
//	figures.go      how much of everything there was
//
// Nothing here knows a database, a process or a clock of its own: tests make records by hand.
package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/torture/journal"
)

// Record is everything that was written down.
type Record struct {
	Events  []journal.Event // of all processes, by time
	Changes []Change        // of the table of tasks, in the order they were made
	Leases  []Lease         // who kept house, in order
	Tasks   []*gtf.Task     // as they are at the end, with their subscribers
	Limits  Limits
}

// Limits are the settings of the processes, and what a busy machine may need on top.
type Limits struct {
	Heartbeat     time.Duration
	Fence         time.Duration
	WorkerTimeout time.Duration
	// Resumed is how long a process that did not run may go on with what it has lost.
	Resumed time.Duration
	// Told is how long a waiter may not be told of an end, while its process runs and the database answers.
	Told time.Duration
	// Idle is how long a transaction may keep its locks while its process says nothing.
	Idle time.Duration
	// Slack is for what should happen at once.
	Slack time.Duration
	// Skew is how far the times of the database may be from those of the journals.
	Skew time.Duration
}

// Change is one change of one row of the table of tasks, as a trigger saw it.
type Change struct {
	At       int64 // by the clock of the journals
	Task     string
	From, To gtf.Status // no From: the row was inserted; no To: it was deleted
	Key      string     // the dedup key
	Claim    int
	Worker   string
	Payload  string // if it changed
	Progress int64  // if it changed
	Sealed   bool   // something in a row changed that was terminal before
}

// Lease says until when somebody may keep house, unless a later one says otherwise.
type Lease struct {
	At, Until int64
	Token     string
}

// Violation is a promise that was not kept.
type Violation struct {
	Rule  string
	Text  string
	Lines []string // of the journals and of the table, where they help
}

// The rules.
const (
	ruleEnds      = "every task ends"
	ruleOutcome   = "a task has the outcome of the attempt that won"
	ruleOnce      = "no attempt is begun twice"
	ruleAlone     = "two runs never overlap"
	ruleClaim     = "nothing runs without its claim"
	ruleSteps     = "a status changes by the table"
	ruleSealed    = "a terminal task never changes"
	ruleKeys      = "a key has one active task"
	ruleOldClaims = "an old claim writes nothing"
	ruleFence     = "a fence ends every context"
	ruleReaped    = "tasks of the dead are taken"
	ruleLocks     = "nobody keeps locks for long"
	ruleStop      = "a process that stops leaves nothing"
	ruleWaits     = "every wait ends with the outcome"
	ruleFollowers = "nobody falls off a task"
	ruleCancels   = "an answered cancel holds"
	ruleCounts    = "created and joined add up"
)

// Check returns what was violated, and the figures.
func Check(r *Record) ([]Violation, *Figures) {
	c := newChecker(r)
	for _, rule := range []func(){
		c.checkEnds, c.checkOutcomes, c.checkCounts, c.checkRuns, c.checkFences, c.checkChanges, c.checkKeys, c.checkDeaths, c.checkStops, c.checkLocks,
		c.checkWaits, c.checkFollowers, c.checkCancels,
	} {
		rule()
	}
	return c.found, c.figures()
}

// maxStories is how many violations of a rule are shown with everything that is known about the task.
const maxStories = 20

// fail adds a violation about a task.
func (c *checker) fail(rule, task, format string, args ...any) {
	v := Violation{Rule: rule, Text: fmt.Sprintf(format, args...)}
	if c.stories[rule]++; c.stories[rule] <= maxStories {
		v.Lines = c.story(task)
	}
	c.found = append(c.found, v)
}

// storyLines is how many lines of a task are shown: the first and the last.
const storyLines = 80

type line struct {
	at   int64
	text string
}

// story is what the journals and the table say about a task, and about the processes that ran it.
func (c *checker) story(task string) []string {
	if task == "" {
		return nil
	}
	procs := map[string]bool{}
	var from, to int64
	for _, r := range c.runs[task] {
		procs[r.proc] = true
	}
	for _, change := range c.changes[task] {
		if p := c.byWorker[change.Worker]; p != nil {
			procs[p.name] = true
		}
		from, to = cmp.Or(from, change.At), change.At
	}
	var lines []line
	about := map[callKey]bool{} // questions of which only the answer names the task
	for _, e := range c.Events {
		if e.Task == task && e.Call != 0 {
			about[callKey{e.Proc, e.Call}] = true
		}
	}
	for i := range c.Events {
		e := &c.Events[i]
		near := e.At >= from-int64(5*time.Second) && e.At <= to+int64(5*time.Second)
		ofProc := near && (procs[e.Who] || e.Task == "" && e.Call == 0 && procs[e.Proc])
		if e.Task == task || about[callKey{e.Proc, e.Call}] || ofProc || near && e.Kind == journal.Outage {
			lines = append(lines, line{e.At, e.Line(c.zero)})
		}
	}
	for _, change := range c.changes[task] {
		lines = append(lines, line{change.At, change.line(c)})
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.at, b.at) })
	var texts []string
	for i, l := range lines {
		if len(lines) > storyLines && i == storyLines/2 {
			texts = append(texts, fmt.Sprintf("… %d lines …", len(lines)-storyLines))
		}
		if len(lines) <= storyLines || i < storyLines/2 || i >= len(lines)-storyLines/2 {
			texts = append(texts, l.text)
		}
	}
	return texts
}

func (ch *Change) line(c *checker) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%10.3f %-9s %-9s %s → %s claim %d", float64(ch.At-c.zero)/1e9, "table", "change", cmp.Or(ch.From, "–"), cmp.Or(ch.To, "–"), ch.Claim)
	if ch.Worker != "" {
		name := "?"
		if p := c.byWorker[ch.Worker]; p != nil {
			name = p.name
		}
		fmt.Fprintf(&b, " worker %s (%s)", ch.Worker, name)
	}
	if ch.Payload != "" {
		b.WriteString(" payload " + ch.Payload)
	}
	if ch.Progress != 0 {
		fmt.Fprintf(&b, " progress %d", ch.Progress)
	}
	if ch.Sealed {
		b.WriteString(" SEALED ROW CHANGED")
	}
	return b.String()
}

// Timeline is the whole record as lines, by time.
func Timeline(r *Record) []string {
	c := newChecker(r)
	lines := make([]line, 0, len(r.Events)+len(r.Changes)+len(r.Leases))
	for i := range r.Events {
		lines = append(lines, line{r.Events[i].At, r.Events[i].Line(c.zero)})
	}
	for i := range r.Changes {
		ch := &r.Changes[i]
		lines = append(lines, line{ch.At, ch.line(c) + " task " + ch.Task})
	}
	for _, l := range r.Leases {
		who := "nobody"
		if p := c.byToken[l.Token]; p != nil {
			who = p.name
		}
		text := fmt.Sprintf("%10.3f %-9s %-9s %s until %s", float64(l.At-c.zero)/1e9, "table", "lease", who, c.at(l.Until))
		lines = append(lines, line{l.At, text})
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.at, b.at) })
	texts := make([]string, len(lines))
	for i, l := range lines {
		texts[i] = l.text
	}
	return texts
}

// at is a time as the lines show it.
func (c *checker) at(t int64) string { return fmt.Sprintf("%.3f", float64(t-c.zero)/1e9) }
