package gtf

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// execute is one attempt from claim to finish, inline and in workers alike. It returns what became of the task and, for
// pending, when it is due; empty if the claim was lost.
func (c *Client) execute(life *life, job *Job, parent *Execution, slot *slot) (Status, time.Duration) {
	x, ctx := c.open(life.worker, job, parent)
	x.slot = slot
	defer x.close()
	if !life.add(x) {
		return "", 0 // given up between the claim and now: the reaper has it
	}
	defer life.remove(x)
	select {
	case <-c.hurry: // claimed while the grace ran out
		x.ask(ErrShutdown)
	default:
	}
	c.log.Debug("task started", "task", job.ID, "type", job.Type, "status", StatusInProgress, "attempt", job.Claim)
	c.observe(Event{Kind: EventStarted, ID: job.ID, Type: job.Type, Queue: job.Queue, Mode: job.Mode, Took: job.Waited, Attempt: int(job.Claim)})
	began := time.Now()
	ret := c.call(ctx, x)
	c.cleanUp(x)
	took := time.Since(began)
	slot.leave()
	status, due := c.finish(x, ret, took)
	c.observe(Event{Kind: EventEnded, ID: job.ID, Type: job.Type, Queue: job.Queue, Mode: job.Mode, Status: status, Took: took, Attempt: int(job.Claim)})
	return status, due
}

// returned is what became of a function.
type returned struct {
	result  json.RawMessage
	failure *failure // nil: it succeeded
}

// failure is an error of the application, or of its handlers, as plain values. The methods of an error are the
// application's code: they are called where a panic is caught.
type failure struct {
	text, typ string
	stack     string // of a panic
	final     bool   // not to be retried
	byContext bool   // it only says that its context ended
}

func failureOf(err error) *failure {
	if err == nil {
		return nil
	}
	f := &failure{text: clean(err.Error(), maxError)}
	for _, cause := range []error{context.Canceled, ErrAborted, ErrTimedOut, ErrFenced, ErrShutdown} {
		f.byContext = f.byContext || errors.Is(err, cause)
	}
	_, f.final = errors.AsType[*noRetryError](err)
	if _, outermost := err.(*noRetryError); outermost { //nolint:errorlint // only the mark itself is taken off
		err = errors.Unwrap(err)
	}
	f.typ = clean(fmt.Sprintf("%T", err), maxName)
	return f
}

// call runs the function and, beside it, whatever interrupts it. It returns when the function has returned.
func (c *Client) call(ctx context.Context, x *Execution) returned {
	done := make(chan returned, 1)
	var ret returned
	go protect( // in a goroutine of its own, so that runtime.Goexit ends nothing else
		func() { ret = c.callHandler(ctx, x) },
		func(broken *failure) {
			x.returned()
			if broken != nil {
				ret = returned{failure: broken}
			}
			done <- ret
		})
	return c.attend(x, done)
}

// callHandler decodes, calls, and encodes: all that runs code of the application.
func (c *Client) callHandler(ctx context.Context, x *Execution) returned {
	final := func(err error) returned {
		f := failureOf(err)
		f.final = true
		return returned{failure: f}
	}
	handler, ok := c.handlers[x.job.Type]
	if !ok {
		return returned{failure: failureOf(fmt.Errorf("type %q has no handler in this process", x.job.Type))}
	}
	in, err := handler.def.decode(x.job.Input, false)
	if err != nil {
		return final(fmt.Errorf("decode the input: %w", err))
	}
	out, err := handler.call(ctx, in)
	x.returned() // from here on it is done, whatever somebody asks
	if err != nil {
		return returned{failure: failureOf(err)}
	}
	result, problem := marshal(out, c.cfg.MaxResult)
	if problem != "" {
		return final(errors.New("the result " + problem))
	}
	return returned{result: result}
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
				c.observe(Event{Kind: EventInterrupted, ID: x.job.ID, Type: x.job.Type, Queue: x.job.Queue, Err: x.verdict().cause,
					Attempt: int(x.job.Claim)})
				c.interrupt(x)
				stuck = time.After(c.cfg.StuckAfter)
			} else if x.overdue() {
				limit = c.expire(x)
			}
		case <-stuck:
			stuck = nil
			c.log.Warn("function ignores its ended context and keeps its slot", "task", x.job.ID, "type", x.job.Type)
			c.observe(Event{Kind: EventStuck, ID: x.job.ID, Type: x.job.Type, Queue: x.job.Queue, Attempt: int(x.job.Claim)})
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
	ctx, cancel := context.WithTimeout(x.values, c.cfg.HandlerTimeout)
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
	ctx, cancel := context.WithTimeout(x.values, x.c.cfg.HandlerTimeout)
	defer cancel()
	x.fail(x.c.runHandler(ctx, x, "abort handler", fn))
}

// cleanUp runs the cleanup handlers, after abort handlers that are still running.
func (c *Client) cleanUp(x *Execution) {
	x.late.Wait()
	ctx, cancel := context.WithTimeout(x.values, c.cfg.HandlerTimeout)
	defer cancel()
	for _, fn := range x.takeCleanups() {
		x.fail(c.runHandler(ctx, x, "cleanup handler", fn))
	}
	x.late.Wait()
}

// runHandler returns when the handler has returned or its time is over; then it counts as failed, and the end of the task
// still waits for it.
func (c *Client) runHandler(ctx context.Context, x *Execution, kind string, fn handlerFunc) *failure {
	done := make(chan *failure, 1)
	x.late.Go(func() {
		var f *failure
		protect(
			func() { f = failureOf(fn(ctx)) },
			func(broken *failure) { done <- or(broken, f) })
	})
	var f *failure
	select {
	case f = <-done:
	case <-ctx.Done():
		f = &failure{text: fmt.Sprintf("not done within %v", c.cfg.HandlerTimeout)}
	}
	if f != nil {
		f.text = kind + ": " + f.text
	}
	return f
}

// protect calls do and tells how it ended, once: with a failure if it panicked or left its goroutine.
func protect(do func(), ended func(broken *failure)) {
	back := false
	defer func() {
		if back {
			ended(nil)
			return
		}
		f := &failure{text: "runtime.Goexit was called", typ: "goexit", stack: clean(string(debug.Stack()), maxStack)}
		if p := recover(); p != nil {
			f.text, f.typ = panicText(p), "panic"
		}
		ended(f)
	}()
	do()
	back = true
}

// panicText is what a panic says. A value whose own methods panic is named by its type.
func panicText(value any) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("panic: a %T", value)
		}
	}()
	if err, ok := value.(error); ok {
		return clean("panic: "+err.Error(), maxError)
	}
	return clean(fmt.Sprintf("panic: %v", value), maxError)
}

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
			life.suspect() // it may have been committed, claimed, all the same
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
		Abortable: sub.Abortable, Input: sub.Input, By: sub.By, Trace: sub.Trace,
	}
	for job != nil {
		status, due := c.execute(life, job, parent, nil)
		if status.Terminal() {
			return
		}
		// It is pending, or nobody knows: the write may have been committed although its answer was lost. Resume finds out.
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
			x, _ := c.open(life.worker, job, parent)
			x.ask(ErrShutdown)
			c.finish(x, returned{failure: &failure{text: "interrupted by shutdown", final: true}}, 0)
			x.close()
			return
		}
	}
}

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
		life.suspect() // it may have begun all the same
		c.log.Warn("cannot begin the next attempt; will try again", "task", id, "error", err)
		select {
		case <-time.After(pause):
		case <-life.over:
			return nil
		}
	}
}
