package gtf

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"
)

// finish decides what became of an attempt (S3.5) and writes it, again and again until it is stored or the claim is lost
// (S3.7). From the first failure on the slot is taken meanwhile.
func (c *Client) finish(x *Execution, ret returned, took time.Duration) (Status, time.Duration) {
	update := x.report.close()
	if x.isFenced() {
		c.logLost(x.job)
		return "", 0
	}
	fin := Finish{Update: update}
	fin.Running, fin.Aborting = c.outcomes(x, ret)
	for pause := retryMin; ; pause = min(2*pause, retryMax) {
		done, err := c.finishes.call(context.Background(), fin)
		if err == nil {
			if !done.Held {
				c.logLost(x.job)
				return "", 0
			}
			c.announceFinish(x, fin, done.Status, took)
			return done.Status, fin.Running.Delay
		}
		if errors.Is(err, ErrStopped) {
			return "", 0
		}
		x.slot.takeBack()
		c.observe(Event{Kind: EventFailed, ID: x.job.ID, Err: err})
		c.log.Error("outcome not stored; will be repeated", "task", x.job.ID, "type", x.job.Type, "error", err)
		select {
		case <-time.After(pause):
		case <-x.fenced:
			return "", 0
		}
	}
}

func (c *Client) logLost(job *Job) {
	c.log.Warn("claim lost; the outcome is not stored", "task", job.ID, "type", job.Type)
}

// outcomes decides both: what the task becomes if its row is in_progress, and what if somebody had asked it to abort. One
// statement then picks by the row.
func (c *Client) outcomes(x *Execution, ret returned) (running, aborting Outcome) {
	v := x.verdict()
	if len(v.failures) > 0 { // a failed handler is a failure, whatever else happened, and is not retried
		failed := failed(v, ret)
		return failed, failed
	}
	running = Outcome{Status: StatusSuccess, Result: ret.result}
	if ret.failure != nil {
		running = failed(v, ret)
	}
	aborting = running
	if v.interrupted {
		aborting = Outcome{Error: ownText(v, ret)} // aborted or timed_out
	}
	if ret.failure != nil && c.mayRetry(x.job, v, ret.failure) {
		running.Status = StatusPending
		if v.cause != ErrShutdown {
			running.Delay = x.job.Backoff.Delay(int(x.job.Claim), rand.Float64())
		}
	}
	return running, aborting
}

func (c *Client) mayRetry(job *Job, v verdict, f *failure) bool {
	switch {
	case int(job.Claim) >= job.MaxAttempts, f.final:
		return false
	case v.cause == ErrShutdown && job.Mode == ModeSync:
		return false // a sync task never moves
	}
	return true
}

// failed puts the texts together: the function's own error first, then the handlers', in order; nothing is lost (S6.5).
func failed(v verdict, ret returned) Outcome {
	o := Outcome{Status: StatusFailure}
	var texts []string
	if v.interrupted && v.cause == ErrShutdown && len(v.failures) == 0 {
		texts = append(texts, "interrupted by shutdown")
	}
	if own := ownText(v, ret); own != "" {
		texts = append(texts, own)
	}
	all := v.failures
	if ret.failure != nil {
		all = append([]*failure{ret.failure}, all...)
	}
	for _, f := range v.failures {
		texts = append(texts, f.text)
	}
	for _, f := range all { // of several, the first that has one
		o.ErrorType, o.Stack = or(o.ErrorType, f.typ), or(o.Stack, f.stack)
	}
	if len(texts) == 0 {
		texts = append(texts, ret.failure.text)
	}
	o.Error = clean(strings.Join(texts, "; "), maxError)
	return o
}

// ownText is the function's error, unless it only says that its context ended.
func ownText(v verdict, ret returned) string {
	if ret.failure == nil || v.interrupted && ret.failure.byContext {
		return ""
	}
	return ret.failure.text
}

// announceFinish sends what a stored outcome calls for.
func (c *Client) announceFinish(x *Execution, fin Finish, status Status, took time.Duration) {
	job := x.job
	from, outcome := StatusInProgress, fin.Running
	if status == StatusAborted || status == StatusTimedOut {
		from, outcome = StatusAborting, fin.Aborting
	}
	if status == StatusPending {
		c.hub.publish(Signal{Kind: SignalChanged, ID: job.ID})
		if job.Mode == ModeAsync {
			c.hub.publish(Signal{Kind: SignalWork, Queue: job.Queue})
		}
	} else {
		c.hub.publish(Signal{Kind: SignalFinished, ID: job.ID})
	}
	x.ended = AttemptEnd{Status: status, Error: outcome.Error, ErrorType: outcome.ErrorType}
	c.observe(Event{Kind: EventTransition, ID: job.ID, Type: job.Type, Queue: job.Queue, From: from, Status: status,
		Took: took, Attempt: int(job.Claim)})
	level := c.log.Debug
	if status == StatusFailure || status == StatusPending {
		level = c.log.Info
	}
	level("task ended its attempt", "task", job.ID, "type", job.Type, "status", status, "attempt", job.Claim,
		"took", took, "error", outcome.Error)
}
