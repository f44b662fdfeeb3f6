package gtf

import (
	"context"
	"runtime/debug"
	"time"
)

// Observer is the socket for metrics and traces: it is told what happened, after it was committed. Its method must
// return quickly, must not call the client, and is called by many goroutines at once. If it panics, that is logged once and
// the client goes on. observertest is the suite that every observer must pass.
type Observer interface {
	Observe(e Event)
}

// Tracer is implemented by an [Observer] that follows tasks from the process that submits to the one that executes. The
// same holds for its methods as for Observe. The functions that they return are called once, and may be nil.
type Tracer interface {
	// TraceSubmit is called before tasks are written, once for those of one call, which are of one type; they must not be
	// kept or changed. ctx is the caller's. The returned text is stored with each of them and comes back in Job.Trace: at
	// most [MaxTrace] bytes of UTF-8 without NUL, else none is stored. ended is told the answer, in the order of subs, or
	// the error. A task that was joined keeps its own text.
	TraceSubmit(ctx context.Context, subs []*Submission) (trace string, ended func(done []Submitted, err error))
	// TraceAttempt is called before an attempt runs. ctx is what the function and its handlers will get, and the returned
	// context takes its place: it must be derived from ctx, and must not end before it. ended is called when the
	// outcome is stored, or will not be. The job must not be kept or changed; worker is the process that runs it.
	TraceAttempt(ctx context.Context, job *Job, worker string) (_ context.Context, ended func(end AttemptEnd))
}

// MaxTrace is the most bytes that a [Tracer] may have a task carry.
const MaxTrace = 1 << 10

// AttemptEnd is what became of an attempt.
type AttemptEnd struct {
	// Status of the task after it: pending if there will be another attempt, empty if the claim was lost, so that nothing
	// was stored.
	Status Status
	// Error is the stored text, which everybody may read who sees the task; empty for a success.
	Error string
	// ErrorType is the Go type of the error, or "panic"; empty if there was none.
	ErrorType string
}

// Event is one thing that happened. Which fields are filled depends on the kind.
type Event struct {
	Kind    EventKind
	ID      ID // EventSignaled, EventPruned and the like: zero
	Type    string
	Queue   string
	Mode    Mode   // EventStarted, EventEnded
	From    Status // EventTransition, EventReaped; empty for a new task
	Status  Status // EventTransition, EventReaped; EventEnded: of the task after the attempt, empty if the claim was lost
	Took    time.Duration
	Count   int
	Err     error
	Attempt int
}

// EventKind names what happened.
type EventKind string

// The kinds, and what Took, Count and Err are.
const (
	EventTransition  EventKind = "transition"  // a status was written; Took: run time, if it ends an attempt
	EventStarted     EventKind = "started"     // an attempt began; Took: how long it could have been claimed before
	EventEnded       EventKind = "ended"       // an attempt is over, once for each that started; Took: run time
	EventInterrupted EventKind = "interrupted" // a function is to stop; Err: ErrAborted, ErrTimedOut, ErrShutdown or ErrFenced
	EventStuck       EventKind = "stuck"       // a function ignores its ended context
	EventJoined      EventKind = "joined"      // a submit joined
	EventFlushed     EventKind = "flushed"     // progress was stored; Count: of so many tasks, in one statement
	EventDeferred    EventKind = "deferred"    // a report was held back by the throttle
	EventBeat        EventKind = "beat"        // a heartbeat; Took: how long; Count: attempts that run; Err: nil if it was stored
	EventFenced      EventKind = "fenced"      // this process gave up its claims; Count: attempts
	EventReaped      EventKind = "reaped"      // a task was taken from a worker that is gone; its transition is told as well
	EventPruned      EventKind = "pruned"      // Count: ended tasks deleted
	EventSignaled    EventKind = "signaled"    // signals were handed to the transport; Count; Took: how long the first had waited
	EventLinked      EventKind = "linked"      // whether signals of other processes arrive from now on; Err: nil, or why not
	EventFailed      EventKind = "failed"      // a background statement failed with Err; it will be repeated
)

// Observers is several observers as one, told in order. At most one of them may be a [Tracer] with effect: the first. Nil
// ones are left out; of none at all it is nil.
func Observers(several ...Observer) Observer {
	var all observers
	for _, o := range several {
		if o != nil {
			all = append(all, o)
		}
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	for _, o := range all {
		if tracer, ok := o.(Tracer); ok {
			return struct {
				observers
				Tracer
			}{all, tracer}
		}
	}
	return all
}

type observers []Observer

// Observe tells the rest also if the first panics.
func (o observers) Observe(e Event) {
	if len(o) > 1 {
		defer o[1:].Observe(e)
	}
	o[0].Observe(e)
}

func (c *Client) observe(e Event) {
	if c.cfg.Observer != nil {
		c.tell(e)
	}
}

func (c *Client) tell(e Event) {
	defer c.survive()
	c.cfg.Observer.Observe(e)
}

// survive is deferred around what an observer does: tasks do not fail by it.
func (c *Client) survive() {
	if p := recover(); p != nil {
		c.survived.Do(func() {
			c.log.Error("the observer panicked; metrics and traces will have gaps", "error", panicText(p), "stack", string(debug.Stack()))
		})
	}
}

// submitEnded is told the answer to a submit, or its error.
type submitEnded func(done []Submitted, err error)

// traceSubmits has the tracer follow tasks that are about to be written.
func (c *Client) traceSubmits(ctx context.Context, subs []*Submission) submitEnded {
	if c.tracer == nil {
		return func([]Submitted, error) {}
	}
	trace, end := c.askTracer(ctx, subs)
	for _, s := range subs {
		s.Trace = trace
	}
	return func(done []Submitted, err error) {
		if end == nil {
			return
		}
		if err != nil {
			done = nil
		}
		defer c.survive()
		end(done, err)
	}
}

// traceSubmit is traceSubmits of one.
func (c *Client) traceSubmit(ctx context.Context, sub *Submission) (ended func(done Submitted, err error)) {
	if c.tracer == nil {
		return func(Submitted, error) {}
	}
	end := c.traceSubmits(ctx, []*Submission{sub})
	return func(done Submitted, err error) { end([]Submitted{done}, err) }
}

func (c *Client) askTracer(ctx context.Context, subs []*Submission) (trace string, ended submitEnded) {
	defer c.survive()
	trace, ended = c.tracer.TraceSubmit(ctx, subs)
	if clean(trace, MaxTrace) != trace {
		trace = "" // a part of it would be wrong
	}
	return trace, ended
}

// traceAttempt has the tracer follow an attempt, in a context that carries what ctx does.
func (c *Client) traceAttempt(ctx context.Context, job *Job, worker string) (traced context.Context, ended func(AttemptEnd)) {
	if c.tracer == nil {
		return ctx, nil
	}
	traced = ctx // also after a panic
	defer c.survive()
	inside, end := c.tracer.TraceAttempt(ctx, job, worker)
	if inside != nil && FromContext(inside) == FromContext(ctx) {
		traced = inside
	}
	return traced, end
}
