package gtf

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// execute is one attempt from claim to finish, inline and in workers alike. It returns what became of the task and, for
// pending, when it is due; empty if the claim was lost.
func (c *Client) execute(life *life, job *Job, parent *Execution) (Status, time.Duration) {
	x, ctx := c.open(job, parent)
	defer x.end(context.Canceled)
	if !life.add(x) {
		return "", 0 // given up between the claim and now: the reaper has it
	}
	defer life.remove(x)
	c.log.Debug("task started", "task", job.ID, "type", job.Type, "status", StatusInProgress, "attempt", job.Claim)
	c.observe(Event{Kind: EventStarted, ID: job.ID, Type: job.Type, Queue: job.Queue, Took: job.Waited, Attempt: int(job.Claim)})
	began := time.Now()
	ret := c.call(ctx, x)
	c.cleanUp(x)
	return c.finish(x, ret, time.Since(began))
}

// returned is what a function came back with.
type returned struct {
	out   any
	err   error
	stack string // of a panic
	final bool   // not to be retried
}

// call runs the function and, beside it, whatever interrupts it. It returns when the function has returned.
func (c *Client) call(ctx context.Context, x *Execution) returned {
	handler, ok := c.handlers[x.job.Type]
	if !ok {
		x.returned()
		return returned{err: fmt.Errorf("type %q has no handler in this process", x.job.Type)}
	}
	in, err := handler.def.decode(x.job.Input, false)
	if err != nil {
		x.returned()
		return returned{err: fmt.Errorf("decode the input: %w", err), final: true}
	}
	done := make(chan returned, 1)
	go func() { // its own goroutine, so that runtime.Goexit ends nothing else
		ret := returned{err: errGoexit}
		defer func() {
			if p := recover(); p != nil {
				ret.err, ret.stack = panicError{p}, string(debug.Stack())
			}
			x.returned()
			done <- ret
		}()
		out, err := handler.call(ctx, in)
		ret = returned{out: out, err: err}
	}()
	return c.attend(x, done)
}

// attend waits for the function, and deals with its time limit and with those who want it to stop.
func (c *Client) attend(x *Execution, done <-chan returned) returned {
	var limit, stuck <-chan time.Time
	if x.job.Timeout > 0 {
		timer := time.NewTimer(x.job.Timeout)
		defer timer.Stop()
		limit = timer.C
	}
	for {
		select {
		case ret := <-done:
			return ret
		case <-limit:
			limit = c.expire(x)
		case <-x.asked:
			if x.begin() {
				c.interrupt(x)
				stuck = time.After(c.cfg.StuckAfter)
			} else if x.overdue() {
				limit = c.expire(x)
			}
		case <-stuck:
			stuck = nil
			c.log.Warn("function ignores its ended context and keeps its slot", "task", x.job.ID, "type", x.job.Type)
			c.observe(Event{Kind: EventStuck, ID: x.job.ID, Type: x.job.Type, Queue: x.job.Queue})
		}
	}
}

// expire acts on the passed time limit (S8): it moves the row to aborting if the task is abortable now. A write that
// errors is tried again when the returned channel fires.
func (c *Client) expire(x *Execution) (again <-chan time.Time) {
	switch x.expire() {
	case expiryWarn:
		x.report.warn()
		c.log.Warn("time limit passed, but the task has no abort handler", "task", x.job.ID, "type", x.job.Type, "timeout", x.job.Timeout)
	case expiryClaim:
		ctx, cancel := context.WithTimeout(context.Background(), c.cfg.Heartbeat)
		defer cancel()
		won, err := c.store.Expire(ctx, x.job.Ref)
		if err != nil {
			c.log.Warn("cannot store that the time limit passed; will try again", "task", x.job.ID, "type", x.job.Type, "error", err)
			return time.After(retryMin)
		}
		if !won {
			c.lifelines.check(x.job.ID) // aborted by somebody, or the claim is lost
			return nil
		}
		c.observe(Event{Kind: EventTransition, ID: x.job.ID, Type: x.job.Type, Queue: x.job.Queue, From: StatusInProgress, Status: StatusAborting})
		c.hub.publish(Signal{Kind: SignalChanged, ID: x.job.ID})
		x.ask(ErrTimedOut)
	}
	return nil
}

// interrupt runs the abort handlers and then ends the function's context, at the latest when the handlers' time is over.
func (c *Client) interrupt(x *Execution) {
	ctx, cancel := context.WithTimeout(x.context(), c.cfg.HandlerTimeout)
	defer cancel()
	for {
		fn, cause := x.next()
		if fn == nil {
			x.end(cause)
			return
		}
		x.fail(c.runHandler(ctx, x, "abort handler", fn))
		if ctx.Err() != nil {
			x.end(x.verdict().cause)
		}
	}
}

// runLate runs an abort handler that was registered after an interruption, in the function's own goroutine.
func (x *Execution) runLate(fn handlerFunc) {
	defer x.late.Done()
	ctx, cancel := context.WithTimeout(x.context(), x.c.cfg.HandlerTimeout)
	defer cancel()
	x.fail(x.c.runHandler(ctx, x, "abort handler", fn))
}

// cleanUp runs the cleanup handlers, after abort handlers that are still running.
func (c *Client) cleanUp(x *Execution) {
	x.late.Wait()
	ctx, cancel := context.WithTimeout(x.context(), c.cfg.HandlerTimeout)
	defer cancel()
	for _, fn := range x.takeCleanups() {
		x.fail(c.runHandler(ctx, x, "cleanup handler", fn))
	}
	x.late.Wait()
}

// runHandler returns when the handler has returned or its time is over; then it counts as failed, and the end of the task
// still waits for it.
func (c *Client) runHandler(ctx context.Context, x *Execution, kind string, fn handlerFunc) error {
	done := make(chan error, 1)
	x.late.Go(func() {
		err := errGoexit
		defer func() {
			if p := recover(); p != nil {
				err = &handlerPanic{panicError{p}, string(debug.Stack())}
			}
			done <- err
		}()
		err = fn(ctx)
	})
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: not done within %v", kind, c.cfg.HandlerTimeout)
	}
}

// panicError is a panic of a function or handler.
type panicError struct{ value any }

func (e panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// handlerPanic keeps the stack of a handler's panic.
type handlerPanic struct {
	panicError
	stack string
}

var errGoexit = errors.New("runtime.Goexit was called")

// startInline stores a task of mode sync, claimed by this process, and runs it; or joins. The submit is not given up when
// ctx ends: the row may be there already, and somebody has to run it.
func (c *Client) startInline(ctx context.Context, sub *Submission) (id ID, created bool, err error) {
	parent := FromContext(ctx)
	if !c.executing.enter(parent.c == c) {
		return ID{}, false, fmt.Errorf("run %s: %w", sub.Type, ErrStopped)
	}
	life, release, err := c.lifelines.enlist(ctx, false)
	if err != nil {
		c.executing.leave()
		return ID{}, false, fmt.Errorf("run %s: %w", sub.Type, err)
	}
	sub.Worker = life.worker
	type answer struct {
		Submitted
		err error
	}
	stored := make(chan answer, 1)
	go func() {
		defer c.executing.leave()
		defer release()
		done, err := c.submits.call(context.WithoutCancel(ctx), sub)
		stored <- answer{done, err}
		if err != nil {
			return
		}
		c.announceSubmit(sub, done)
		if done.Created {
			c.runInline(life, sub, parent)
		}
	}()
	select {
	case a := <-stored:
		if a.err != nil {
			return ID{}, false, fmt.Errorf("run %s %s: %w", sub.Type, sub.ID, a.err)
		}
		return a.ID, a.Created, nil
	case <-ctx.Done():
		return ID{}, false, &WaitError{ID: sub.ID, Err: ctx.Err()}
	}
}

// runInline executes a sync task until it ends. Between attempts the row is pending and stays bound to this process; when
// the process must stop by then, the task fails.
func (c *Client) runInline(life *life, sub *Submission, parent *Execution) {
	job := &Job{
		Ref: Ref{ID: sub.ID, Claim: 1}, Type: sub.Type, Key: sub.Key, Name: sub.Name, Scope: sub.Scope, Mode: sub.Mode,
		Queue: sub.Queue, MaxAttempts: sub.MaxAttempts, Backoff: sub.Backoff, Timeout: sub.Timeout,
		Abortable: sub.Abortable, Input: sub.Input, By: sub.By,
	}
	for job != nil {
		status, due := c.execute(life, job, parent)
		if status != StatusPending {
			return
		}
		stopping := false
		pause := time.NewTimer(due)
		select {
		case <-pause.C:
		case <-c.hurry:
			stopping = true
		case <-life.over:
			return // the reaper fails it
		}
		pause.Stop()
		job = c.resume(life, job.ID)
		if job != nil && stopping {
			x, _ := c.open(job, parent)
			x.ask(ErrShutdown)
			c.finish(x, returned{err: errShutdownPause}, 0)
			return
		}
	}
}

var errShutdownPause = errors.New("interrupted by shutdown")

// resume claims a pending task of this process; nil if it was cancelled or taken meanwhile.
func (c *Client) resume(life *life, id ID) *Job {
	for pause := retryMin; ; pause = min(2*pause, retryMax) {
		ctx, cancel := context.WithTimeout(context.Background(), c.cfg.Heartbeat)
		job, err := c.store.Resume(ctx, id, life.worker)
		cancel()
		if err == nil {
			if job != nil {
				c.hub.publish(Signal{Kind: SignalChanged, ID: id})
				c.observe(Event{Kind: EventTransition, ID: id, Type: job.Type, Queue: job.Queue, From: StatusPending, Status: StatusInProgress})
			}
			return job
		}
		c.log.Warn("cannot begin the next attempt; will try again", "task", id, "error", err)
		select {
		case <-time.After(pause):
		case <-life.over:
			return nil
		}
	}
}
