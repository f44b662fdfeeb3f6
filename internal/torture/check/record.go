package check

import (
	"cmp"
	"slices"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/torture/journal"
)

// checker is a record put in order.
type checker struct {
	*Record
	zero, end int64 // of the record
	procs     map[string]*proc
	byWorker  map[string]*proc
	gaveUp    map[string]int64 // by worker id: when its claims were given up
	byToken   map[string]*proc
	calls     []*call
	runs      map[string][]*run
	tasks     map[string]*gtf.Task
	changes   map[string][]*Change
	outages   []span
	reaped    []time.Duration

	found   []Violation
	stories map[string]int // by rule
}

// proc is the life of one process.
type proc struct {
	name    string
	dead    int64 // 0: it was alive at the end
	how     string
	working int64 // 0: it never worked on queues
	ids     []enlisted
	drain   int64
	stop    *journal.Event
	stops   []span // SIGSTOP to SIGCONT
	stalls  []span // by its own account
	cuts    []span
	fences  []int64
}

// paused is when it did not run.
func (p *proc) paused() []span { return union(p.stops, p.stalls) }

// killed tells that it had no chance to write anything down.
func (p *proc) killed() bool { return p.how == HowKilled }

// How a process ended, in the journal of the conductor.
const (
	HowKilled = "killed"
	HowExited = "exited"
)

// What is done to processes and servers, in the journal of the conductor.
const (
	FaultKill      = "kill"
	FaultStop      = "stop"      // SIGSTOP, then SIGCONT
	FaultDrain     = "drain"     // SIGTERM
	FaultCut       = "cut"       // no network between a process and the database
	FaultRestart   = "restart"   // of PostgreSQL, in order
	FaultImmediate = "immediate" // of PostgreSQL, like a crash
	FaultTerminate = "terminate" // all connections to PostgreSQL
	FaultRedis     = "redis"     // Redis is killed and started again
	FaultHog       = "hog"       // somebody keeps SQLite's write lock
	FaultCancels   = "cancels"   // everything is cancelled
	FaultTimeouts  = "timeouts"  // many tasks that run out of time
	FaultBurst     = "burst"     // many tasks in one transaction
)

// call is a question with its answer, if there was one.
type call struct {
	ask    *journal.Event
	answer *journal.Event
}

// until is the latest time at which what was asked may have happened, for all that the caller knows.
func (k *call) until(c *checker) int64 {
	if k.answer != nil && k.answer.Error == "" {
		return k.answer.At
	}
	return c.end
}

type callKey struct {
	proc string
	call int64
}

// run is one call of a function.
type run struct {
	task    string
	claim   int
	proc    string
	typ     string
	start   int64
	context int64 // when its context had ended; 0: not before it returned
	cause   string
	end     int64 // 0: it never returned
	result  string
	err     string
	cleanup []string // what failed in handlers
}

func newChecker(r *Record) *checker {
	c := &checker{
		Record: r, procs: map[string]*proc{}, byWorker: map[string]*proc{}, gaveUp: map[string]int64{}, byToken: map[string]*proc{},
		runs: map[string][]*run{}, tasks: map[string]*gtf.Task{}, changes: map[string][]*Change{},
		stories: map[string]int{},
	}
	for _, t := range r.Tasks {
		c.tasks[t.ID.String()] = t
	}
	for i := range r.Changes {
		ch := &r.Changes[i]
		c.changes[ch.Task] = append(c.changes[ch.Task], ch)
	}
	if n := len(r.Events); n > 0 {
		c.zero, c.end = r.Events[0].At, r.Events[n-1].At
	}
	asked := map[callKey]*call{}
	faults := map[int64]*journal.Event{}
	for i := range r.Events {
		c.take(&r.Events[i], asked, faults)
	}
	for _, f := range faults { // what was never healed lasts for ever
		c.undergo(f, c.end)
	}
	c.outages = union(c.outages)
	return c
}

func (c *checker) proc(name string) *proc {
	p := c.procs[name]
	if p == nil {
		p = &proc{name: name}
		c.procs[name] = p
	}
	return p
}

func (c *checker) take(e *journal.Event, asked map[callKey]*call, faults map[int64]*journal.Event) {
	p := c.proc(e.Proc)
	switch e.Kind {
	case journal.Enlist:
		c.byWorker[e.Worker] = p
		p.ids = append(p.ids, enlisted{e.Worker, e.At})
	case journal.Keeper:
		c.byToken[e.Token] = p
	case journal.Working:
		p.working = e.At
	case journal.Stall:
		p.stalls = append(p.stalls, span{e.Since, e.At})
	case journal.Fenced:
		p.fences = append(p.fences, e.At)
		c.giveUp(p, e.At)
	case journal.Drain:
		p.drain = e.At
	case journal.Stopped:
		p.stop = e
	case journal.Submit, journal.Cancel, journal.Wait:
		k := &call{ask: e}
		asked[callKey{e.Proc, e.Call}] = k
		c.calls = append(c.calls, k)
	case journal.Submitted, journal.Canceled, journal.Waited:
		if k := asked[callKey{e.Proc, e.Call}]; k != nil {
			k.answer = e
		}
	case journal.Fault:
		faults[e.Call] = e
	case journal.Healed:
		if f := faults[e.Call]; f != nil {
			c.undergo(f, e.At)
			delete(faults, e.Call)
		}
	case journal.Dead:
		who := c.proc(e.Who)
		who.dead, who.how = e.At, e.How
	case journal.Outage:
		c.outages = append(c.outages, span{e.Since, e.At})
	case journal.Start, journal.Context, journal.End, journal.Abort, journal.Cleanup:
		c.takeRun(e)
	}
}

// enlisted is an id under which a process works, one at a time.
type enlisted struct {
	worker string
	at     int64
}

// giveUp ends the ids of a process. The one that follows may be told to the journal a moment before the end of the old one is.
func (c *checker) giveUp(p *proc, at int64) {
	var next []enlisted
	for i, id := range p.ids {
		if i > 0 && id.at > at-int64(c.Limits.Skew) {
			next = append(next, id)
		} else {
			c.gaveUp[id.worker] = at
		}
	}
	p.ids = next
}

func (c *checker) undergo(f *journal.Event, until int64) {
	who := c.proc(f.Who)
	switch f.How {
	case FaultStop:
		who.stops = append(who.stops, span{f.At, until})
	case FaultCut:
		who.cuts = append(who.cuts, span{f.At, until})
	}
}

func (c *checker) takeRun(e *journal.Event) {
	if e.Kind == journal.Start {
		c.runs[e.Task] = append(c.runs[e.Task], &run{task: e.Task, claim: e.Claim, proc: e.Proc, typ: e.Type, start: e.At})
		return
	}
	r := c.run(e.Task, e.Claim, e.Proc)
	if r == nil {
		return
	}
	switch e.Kind {
	case journal.Context:
		r.context, r.cause = e.At, e.Cause
	case journal.End:
		r.end, r.result, r.err = e.At, e.Result, e.Error
	case journal.Abort, journal.Cleanup:
		if e.Error != "" {
			r.cleanup = append(r.cleanup, e.Error)
		}
	}
}

// run is the last one of a claim in a process.
func (c *checker) run(task string, claim int, proc string) *run {
	for _, r := range slices.Backward(c.runs[task]) {
		if r.claim == claim && (proc == "" || r.proc == proc) {
			return r
		}
	}
	return nil
}

// over is when a run has ended as far as it can: it has returned, its context has ended, or its process is dead.
func (c *checker) over(r *run) int64 {
	over := c.end
	for _, at := range []int64{r.context, r.end, c.procs[r.proc].dead} {
		if at != 0 {
			over = min(over, at)
		}
	}
	return over
}

// excused tells whether a process could go on until a time with what it lost at another: it did not run in between, and
// had no more time to notice than it is given.
func (c *checker) excused(p *proc, lost, until int64) bool {
	const least = 2 // a pause excuses if it took at least half of what there is between the fence and the timeout
	margin := int64(c.Limits.WorkerTimeout-c.Limits.Fence) / least
	return slices.ContainsFunc(p.paused(), func(s span) bool {
		return s.to-s.from >= margin && s.from < lost && until <= s.to+int64(c.Limits.Resumed)
	})
}

// terminal is the change that ended a task.
func (c *checker) terminal(task string) *Change {
	for _, ch := range c.changes[task] {
		if ch.To.Terminal() {
			return ch
		}
	}
	return nil
}

// sortedTasks are the ids of all tasks that anybody knows, so that reports are the same each time.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func ms(ns int64) time.Duration { return time.Duration(ns).Round(time.Millisecond) }
