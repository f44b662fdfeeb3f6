package gtf_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/globaltask/gtf"
)

// What must have happened by now. The bounds are those of the settings, and a second, for that is how often the test looks.

const (
	modelTick = time.Second
	// modelCalm is how long after a disturbance everything works again as if there had been none: statements that were under
	// way, and pauses before the next try.
	modelCalm = 11 * time.Second
)

// overdue tells what should have happened to a row. The caller holds mu, as for all of these.
func (w *modelWorld) overdue(t *modelTask) (late []string) {
	now := time.Now()
	switch t.status {
	case gtf.StatusPending:
		if since := now.Sub(t.due); t.sub.Mode == gtf.ModeAsync && since > 5*time.Second+modelTick {
			for _, p := range w.live(modelCalm) {
				if p.idleFor() > 5*time.Second+modelTick {
					late = append(late, fmt.Sprintf("has been due for %v, and %v has had a free slot for %v", since, p, p.idleFor()))
				}
			}
		}
		// Every second pass of the housekeeper, whose lease of 20 s may have to end first.
		if t.waitedTooLong() && now.Sub(t.deadline) > 2*modelBeat+20*time.Second+modelBeat+modelTick && len(w.live(35*time.Second)) > 0 {
			late = append(late, "has waited longer than its maximum queue time")
		}
	case gtf.StatusInProgress, gtf.StatusAborting:
		r := w.run(t.sub.ID, t.attempt)
		p := w.owner(t.worker)
		if r == nil && p != nil && p.link.calm(modelCalm+10*time.Second) && now.Sub(t.started) > modelCalm+10*time.Second && !w.lostWorker(t.worker) && !p.silent(t.worker, now) {
			late = append(late, fmt.Sprintf("was claimed by %v, which does not run it", p))
		}
		if r != nil && r.over() && !w.fenced(r, now) && !w.lostWorker(t.worker) && (r.proc.link.calm(modelCalm) || r.quiet(r.overAt())) {
			late = append(late, "is over, but its outcome is not stored")
		}
	}
	if modelActive(t.status) && t.worker != "" && len(w.live(30*time.Second)) > 0 {
		if p := w.owner(t.worker); p == nil || w.silentFor(p, t.worker) > modelSilence+modelBeat+20*time.Second+modelTick {
			late = append(late, "has not been taken from its worker, which is lost")
		}
	}
	return late
}

func (w *modelWorld) silentFor(p *modelProc, worker string) time.Duration {
	d, _ := p.link.silence(worker)
	if d == time.Hour { // it left; nobody knows when
		return 0
	}
	return d
}

// quiet tells whether the link of the run's process has been up since before a time, so that things happen at once.
func (r *modelRun) quiet(at time.Time) bool {
	since, up := r.proc.link.upSince()
	return up && since.Before(at)
}

// overAt is when the last of function and handlers ended.
func (r *modelRun) overAt() time.Time {
	at := r.returned
	for _, h := range r.handlers {
		if h.done.After(at) {
			at = h.done
		}
	}
	return at
}

// idleFor is how long the process has had a free slot, as far as the test can see.
func (p *modelProc) idleFor() time.Duration {
	busy := 0
	freed := p.started
	for _, r := range p.w.runs {
		if t := p.w.find(r.id); r.proc != p || t != nil && t.sub.Mode == gtf.ModeSync {
			continue
		}
		if !r.over() {
			busy++
		} else if at := r.overAt(); at.After(freed) {
			freed = at
		}
	}
	if busy >= modelSlots {
		return 0
	}
	return time.Since(freed)
}

// watch holds a run against the rules of S6 and S8: why it was interrupted, and whether it had to be.
func (w *modelWorld) watch(r *modelRun) (bad []string) {
	t := w.find(r.id)
	if t == nil {
		return nil
	}
	now, complain := time.Now(), func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }
	mine := t.attempt == r.attempt && (t.status == gtf.StatusInProgress || t.status == gtf.StatusAborting) && !w.fenced(r, now)
	fence := !mine || w.lostWorker(r.worker) || w.fenced(r, now.Add(modelTick))
	if !r.interrupted.IsZero() && !r.explained {
		r.explained = true
		asked := t.attempt == r.attempt && t.reason != ""
		if !asked && !fence && !w.hurried(r.proc) && r.ret == nil {
			complain("was interrupted without a reason")
		}
	}
	if r.cause != nil && !r.named {
		r.named = true
		ok := map[error]bool{
			gtf.ErrAborted:  t.attempt == r.attempt && t.reason == gtf.AbortByUser,
			gtf.ErrTimedOut: t.attempt == r.attempt && t.reason == gtf.AbortByTimeout,
			gtf.ErrShutdown: w.hurried(r.proc) && !r.interrupted.Before(r.proc.stopping.Add(modelGrace)), // it yields to what came before
			gtf.ErrFenced:   fence || r.ret != nil,
		}
		if !ok[r.cause] {
			complain("ended with the cause %v, the row's reason is %q", r.cause, t.reason)
		}
	}
	if r.ret != nil {
		return bad
	}
	undisturbed := r.proc.link.calm(modelCalm)
	if !r.interrupted.IsZero() {
		if r.cause == nil && now.Sub(r.interrupted) > modelHandlerTime+modelTick {
			complain("was interrupted %v ago, and its context has not ended", now.Sub(r.interrupted))
		}
		return bad
	}
	// It runs on, and nothing has interrupted it.
	limit := r.begun.Add(t.sub.Timeout)
	enforceable := t.sub.Abortable || !r.firstAbort.IsZero() && r.firstAbort.Before(now.Add(-modelTick))
	switch {
	case mine && t.status == gtf.StatusAborting && w.signals != nil && r.quiet(t.askedToAbort):
		complain("was not told at once that it should abort")
	case mine && t.status == gtf.StatusAborting && undisturbed && now.Sub(t.askedToAbort) > modelBeat+modelTick:
		complain("was not told within %v that it should abort", modelBeat)
	case w.hurried(r.proc) && now.Sub(r.proc.stopping) > modelGrace+modelTick && r.quiet(r.proc.stopping),
		w.hurried(r.proc) && now.Sub(r.proc.stopping) > modelGrace+modelFence+modelBeat:
		complain("was not interrupted by the shutdown")
	case w.fenced(r, now.Add(-6*time.Second)):
		complain("goes on though its process had to give it up")
	case w.lostWorker(r.worker) && r.worker != "" && undisturbed && !mine && w.lostFor(r) > modelBeat+modelTick:
		complain("goes on though its worker was declared lost")
	case mine && t.status == gtf.StatusInProgress && t.sub.Timeout > 0 && enforceable && now.After(limit.Add(modelTick)) && undisturbed:
		complain("goes on after its limit, and could be aborted")
	case mine && t.sub.Timeout > 0 && !enforceable && now.After(limit.Add(3*time.Second)) && undisturbed && !t.warned && r.firstAbort.IsZero():
		complain("has passed its limit, and the row does not show it")
	case mine && r.stored && !t.abortable:
		complain("has registered an abort handler, and the row does not show it")
	}
	return bad
}

// lostFor is how long the task has been taken from the run.
func (w *modelWorld) lostFor(r *modelRun) time.Duration {
	if r.taken.IsZero() {
		r.taken = time.Now()
	}
	return time.Since(r.taken)
}

// watchWaits holds what Wait returned against the rows (S5.3, S9.4).
func (w *modelWorld) watchWaits(t *rapid.T) {
	for _, wait := range w.waits {
		task := w.find(wait.id)
		ended := !modelActive(task.status)
		select {
		case <-wait.done:
		default:
			if ended && wait.proc.stopping.IsZero() && (wait.proc.link.calm(time.Since(task.ended)+modelTick) && w.signals != nil && !w.lossy ||
				wait.proc.link.calm(31*time.Second) && time.Since(task.ended) > 31*time.Second) {
				t.Errorf("%v has ended %v, but Wait in %v goes on", task, task.status, wait.proc)
			}
			continue
		}
		if wait.seen {
			continue
		}
		wait.seen = true
		switch {
		case errors.Is(wait.err, gtf.ErrStopped) && !wait.proc.stopping.IsZero():
		case !ended:
			t.Errorf("%v is %s, but Wait in %v returned %+v, %v", task, task.status, wait.proc, wait.out, wait.err)
		case !task.sameOutcome(wait.out, wait.err):
			t.Errorf("%v is %s with %s, but Wait in %v returned %+v, %v", task, task.status, task.result, wait.proc, wait.out, wait.err)
		}
	}
}

// noteStops looks which calls of Stop have returned.
func (w *modelWorld) noteStops() {
	for _, p := range w.procs {
		select {
		case p.err = <-p.stopped:
			p.over = true
			if p.err != nil {
				p.gaveUp = time.Now()
			}
		default:
		}
	}
}

// watchStops holds Stop against S12.5: it returns when every outcome is stored, or when its context has ended.
func (w *modelWorld) watchStops(t *rapid.T) {
	for _, p := range w.procs {
		if p.stopping.IsZero() || p.checked {
			continue
		}
		if !p.over {
			running := slices.ContainsFunc(w.runs, func(r *modelRun) bool { return r.proc == p && !r.over() })
			pauses := slices.ContainsFunc(w.tasks, func(t *modelTask) bool { // between two attempts, as far as it knows
				return t.sub.Mode == gtf.ModeSync && t.sub.MaxAttempts > 1 && w.owner(t.worker) == p
			})
			patience := map[bool]time.Duration{true: modelGrace + modelTick}[pauses]
			if !running && p.link.calm(30*time.Second) && time.Since(p.stopping) >= patience {
				t.Errorf("Stop of %v goes on though nothing runs", p)
			}
			continue
		}
		p.checked = true
		if p.err != nil && (!p.limited || !errors.Is(p.err, context.DeadlineExceeded)) {
			t.Errorf("Stop of %v: %v", p, p.err)
		}
		for _, r := range w.runs {
			task := w.find(r.id)
			if p.err != nil || r.proc != p || task == nil || task.attempt != r.attempt {
				continue
			}
			if !r.over() {
				t.Errorf("Stop of %v returned before %v was over", p, r)
			}
			if (task.status == gtf.StatusInProgress || task.status == gtf.StatusAborting) && !w.fenced(r, time.Now()) && !w.lostWorker(task.worker) {
				t.Errorf("Stop of %v returned before the outcome of %v was stored", p, r)
			}
		}
	}
}
