package gtf

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
)

// Execution is a running task seen from inside: what its function can say and register. It comes from [FromContext] and
// may be used by many goroutines. Outside a task, and after the function has returned, every method is harmless.
type Execution struct {
	job    *Job
	parent *Execution // of a Run that was called inside a task
	c      *Client
	interruption
	report reporter
	logger *slog.Logger
	slot   *slot           // of a worker; nil inline
	values context.Context //nolint:containedctx // what the function and its handlers find in their contexts; it does not end
	traced func(AttemptEnd)
	ended  AttemptEnd
}

type executionKey struct{}

var outside = &Execution{job: &Job{}}

// FromContext returns the execution that ctx belongs to, never nil.
func FromContext(ctx context.Context) *Execution {
	if x, ok := ctx.Value(executionKey{}).(*Execution); ok {
		return x
	}
	return outside
}

// ID of the task; zero outside a task.
func (x *Execution) ID() ID { return x.job.ID }

// Type of the task; empty outside a task.
func (x *Execution) Type() string { return x.job.Type }

// Attempt is 1 for the first run of the task; 0 outside a task.
func (x *Execution) Attempt() int { return int(x.job.Claim) }

// Client is the client that runs the task, for locks and for tasks of its own; nil outside a task.
func (x *Execution) Client() *Client { return x.c }

// Progress says done of total; a total of zero or less means that it is not known. Values out of range are clamped. It
// never blocks on the store: what is written, at most once per Config.Throttle, is the latest (S6.1, S6.2).
func (x *Execution) Progress(done, total int) { x.setProgress(totalOf(int64(done), int64(total))) }

// Count says how many were processed, of a total that is not known.
func (x *Execution) Count(n int) { x.setProgress(countOf(int64(n))) }

// Fraction says which part is done, 0 to 1. NaN is ignored.
func (x *Execution) Fraction(f float64) {
	if math.IsNaN(f) {
		x.debug("progress ignored: not a number")
		return
	}
	x.setProgress(fractionOf(f))
}

func (x *Execution) setProgress(p Progress, clamped bool) {
	if clamped {
		x.debug("progress clamped", "progress", p.String())
	}
	if x.inside() {
		x.report.setProgress(p)
	}
}

// Payload merges fields into the task's payload by their top-level key; null is a value like any other. It is written like
// progress. An error (a value that is not JSON, a payload above Config.MaxPayload) leaves the old payload as it was.
func (x *Execution) Payload(fields map[string]any) error {
	if !x.inside() {
		return nil
	}
	return x.report.mergePayload(fields, x.c.cfg.MaxPayload)
}

// Flush writes what was reported and is not yet stored, now. ErrFenced says that the claim is lost: nothing will be stored.
func (x *Execution) Flush(ctx context.Context) error {
	if !x.inside() {
		return nil
	}
	return x.report.flush(ctx)
}

// Logger keeps its lines with the task: the last 10,000, within 1 MiB, each cut at 8 KiB (S6.6). Outside a task it is
// slog.Default().
func (x *Execution) Logger() *slog.Logger {
	if !x.inside() {
		return slog.Default()
	}
	return x.logger
}

// OnAbort registers what stops the work from outside: kill the query, close the connection. It makes the task abortable,
// and returns when that is stored. Abort handlers run once, last registered first, when an interruption is noticed, while
// the function still runs; then the function's context ends. Together they have Config.HandlerTimeout; ctx of fn ends with
// it. An error fails the task. Registered after an interruption, fn runs at once (S6.3, S6.4).
func (x *Execution) OnAbort(fn func(ctx context.Context) error) {
	if !x.inside() {
		return
	}
	switch x.addAbort(fn) {
	case addedIgnored:
		x.debug("abort handler ignored: the function has returned")
	case addedLate:
		x.runLate(fn)
	case addedFirst:
		x.storeAbortable()
	}
}

// OnCleanup registers what is done at the end, however the task ends, after the function has returned: last registered
// first, with Config.HandlerTimeout together. An error fails the task (S6.4, S6.5).
func (x *Execution) OnCleanup(fn func(ctx context.Context) error) {
	if x.inside() && !x.addCleanup(fn) {
		x.debug("cleanup handler ignored: the function has returned")
	}
}

func (x *Execution) inside() bool { return x.c != nil }

// within reports whether the task is this one or one that this is called from.
func (x *Execution) within(id ID) bool {
	for ; x != nil && x.inside(); x = x.parent {
		if x.job.ID == id {
			return true
		}
	}
	return false
}

func (x *Execution) debug(msg string, args ...any) {
	if x.inside() {
		x.c.log.Debug(msg, append([]any{"task", x.job.ID, "type", x.job.Type}, args...)...)
	}
}

// open makes the execution of a claimed task. The context it runs in is detached from whoever submitted it.
func (c *Client) open(worker string, job *Job, parent *Execution) (*Execution, context.Context) {
	x := &Execution{job: job, parent: parent, c: c}
	x.values = context.WithValue(WithPrincipal(context.Background(), job.By), executionKey{}, x)
	x.values, x.traced = c.traceAttempt(x.values, job, worker)
	x.interruption.init(job.Abortable)
	x.report.init(x)
	x.logger = slog.New(newLogHandler(x.report.addLog))
	ctx, end := context.WithCancelCause(x.values)
	x.end = end
	return x, ctx
}

// close ends what open began.
func (x *Execution) close() {
	x.end(context.Canceled)
	if x.traced != nil {
		defer x.c.survive()
		x.traced(x.ended)
	}
}

// rawFields reads a stored payload.
func rawFields(payload json.RawMessage) map[string]json.RawMessage {
	fields := map[string]json.RawMessage{}
	if len(payload) > 0 {
		_ = json.Unmarshal(payload, &fields) // what cannot be read counts as empty: later writes must not fail on it
	}
	if fields == nil {
		fields = map[string]json.RawMessage{}
	}
	return fields
}
