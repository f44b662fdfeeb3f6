package gtf_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/globaltask/gtf"
)

// What processes do by themselves, the test cannot predict to the moment: who claims a task, and when. So it follows: from
// what a row has become, it does to the model the steps that lead there, each of them only if it was allowed at that time.
// What should have happened meanwhile, and did not, is for model_due_test.go.

// check compares everything. It is done after every step and every second.
func (w *modelWorld) check(t *rapid.T) {
	page, err := w.store.List(context.Background(), &gtf.ListParams{PageSize: 100, Order: gtf.OrderCreated}, gtf.Viewer{All: true})
	if err != nil {
		t.Fatal(err)
	}
	if page.Next != "" {
		t.Skip("too many tasks")
	}
	rows := page.Tasks
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, broken := range append(w.violations, modelLaws(w.before, rows)...) {
		t.Error(broken)
	}
	w.before, w.violations = rows, nil
	if len(rows) != len(w.tasks) {
		t.Fatalf("the store has %d tasks, want %d", len(rows), len(w.tasks))
	}
	w.noteStops()
	for _, row := range rows {
		task := w.find(row.ID)
		if bad := w.follow(task, row); bad != "" {
			t.Errorf("%v %s (the row is %s, attempt %d, error %q)", task, bad, row.Status, row.Attempt, row.Error)
			continue
		}
		for _, problem := range task.problems(row) {
			t.Errorf("%v: %s", task, problem)
		}
		for _, problem := range w.reports(task, row) {
			t.Errorf("%v: %s", task, problem)
		}
		for _, late := range w.overdue(task) {
			t.Errorf("%v %s", task, late)
		}
	}
	for _, r := range w.runs {
		for _, problem := range w.watch(r) {
			t.Errorf("%v %s", r, problem)
		}
	}
	w.watchWaits(t)
	w.watchStops(t)
	for _, task := range w.tasks {
		if how := w.touched[task]; how != nil {
			t.Logf("after %v: %v was %v: %s, attempt %d", time.Since(w.start), task, how, task.status, task.attempt)
		}
	}
	clear(w.touched)
}

// follow does to the model what was done to the row. It returns what was not allowed.
func (w *modelWorld) follow(t *modelTask, row *gtf.Task) (bad string) {
	for range 10 {
		running := t.status == gtf.StatusInProgress || t.status == gtf.StatusAborting
		switch {
		case t.status == gtf.StatusPending && row.Attempt > t.attempt:
			bad = w.begins(t, row)
		case t.status == gtf.StatusPending && !modelActive(row.Status):
			bad = w.endsWaiting(t, row)
		case t.status == gtf.StatusInProgress && t.attempt == row.Attempt && t.reason == "" && row.AbortReason == gtf.AbortByTimeout:
			bad = w.expires(t)
		case running && (row.Attempt > t.attempt || row.Status == gtf.StatusPending || !modelActive(row.Status)):
			bad = w.ends(t, row)
		default:
			return w.marks(t, row)
		}
		if bad != "" {
			return bad
		}
	}
	return "goes round in circles"
}

// begins: a claim, or the next attempt of a sync task.
func (w *modelWorld) begins(t *modelTask, row *gtf.Task) string {
	worker := row.Worker
	if n := len(t.attempts); len(row.Attempts) > n {
		worker = row.Attempts[n].Worker
	}
	p := w.owner(worker)
	switch {
	case p == nil:
		return fmt.Sprintf("was claimed by worker %q, whom nobody knows", worker)
	case t.due.After(modelNow()) && (t.sub.Mode == gtf.ModeAsync || !w.hurried(p) && !w.lossy):
		// Between two attempts, a process that must stop does not wait, nor one that has not heard how long.
		return "was claimed before it was due"
	case t.sub.Mode == gtf.ModeSync && t.worker != worker:
		return "is a sync task and moved to another process"
	case t.attempt >= t.sub.MaxAttempts:
		return "was claimed though it has no attempts left"
	case t.sub.Mode == gtf.ModeAsync && !p.stopping.IsZero() && row.StartedAt.After(p.stopping) && p.link.calm(time.Since(p.stopping)):
		return fmt.Sprintf("was claimed by %v, which is stopping", p)
	}
	w.begin(t, worker)
	w.base[t] = modelFields(row.Payload)
	if r := w.run(t.sub.ID, t.attempt-1); r != nil && r.wrote {
		w.base[t] = r.payload()
	}
	return ""
}

// endsWaiting: a pending task that came to its end by itself.
func (w *modelWorld) endsWaiting(t *modelTask, row *gtf.Task) string {
	switch {
	case row.Status == gtf.StatusTimedOut && t.waitedTooLong():
		w.endWaiting(t)
	case row.Status == gtf.StatusFailure && t.sub.Mode == gtf.ModeSync && w.lostWorker(t.worker):
		w.reap(t)
	default:
		return "ended though nothing ran"
	}
	return ""
}

// expires: the time limit of an attempt, if it could be enforced then (S8).
func (w *modelWorld) expires(t *modelTask) string {
	r := w.run(t.sub.ID, t.attempt)
	if r == nil || t.sub.Timeout == 0 {
		return "timed out though nothing runs, or has no limit"
	}
	limit := r.begun.Add(t.sub.Timeout)
	switch {
	case time.Now().Before(limit):
		return "timed out too early"
	case r.firstAbort.IsZero() && !t.sub.Abortable:
		return "timed out though nothing could abort it"
	case r.ret != nil && r.returned.Before(limit):
		return "timed out after its function had returned"
	case !r.interrupted.IsZero() && r.interrupted.Before(limit):
		return "timed out while it was being interrupted"
	}
	w.expire(gtf.Ref{ID: t.sub.ID, Claim: int64(t.attempt)})
	return ""
}

// ends: an attempt is over, because its function came to an end or its worker was lost.
func (w *modelWorld) ends(t *modelTask, row *gtf.Task) string {
	text, at := row.Error, row.EndedAt
	if n := len(t.attempts); len(row.Attempts) > n {
		text, at = row.Attempts[n].Error, row.Attempts[n].EndedAt
	}
	if strings.HasPrefix(text, "worker lost") {
		// A process that finds a claim that it has not heard of may give it back.
		unheard := w.run(t.sub.ID, t.attempt) == nil && w.lossy
		if !w.lostWorker(t.worker) && !unheard {
			return "was taken from its worker, which lives"
		}
		w.reap(t)
		return w.adoptDue(t, row, at)
	}
	r := w.run(t.sub.ID, t.attempt)
	switch {
	case r == nil && t.sub.Mode == gtf.ModeSync && w.hurried(w.owner(t.worker)):
		w.end(t, gtf.StatusFailure, "interrupted by shutdown") // between two attempts
		return ""
	case r == nil:
		return "ended though its function was never called"
	case !r.over():
		return "ended before its function and handlers had"
	case w.fenced(r, at) && (w.fenced(r, r.overAt()) || !r.proc.link.hung()): // a statement that is under way cannot be called back
		return "was written by a process that had to give it up"
	}
	to, says := r.outcome(t)
	r.wrote, r.finished = true, to != gtf.StatusPending
	if to == gtf.StatusPending {
		w.again(t, strings.Join(says, " "), 0)
		return w.adoptDue(t, row, at)
	}
	w.end(t, to, says...)
	if to == gtf.StatusSuccess {
		t.result = r.result()
	}
	return ""
}

// adoptDue takes over the pause before the next attempt, which is random within bounds; there is none after a shutdown, or
// if nothing has run.
func (w *modelWorld) adoptDue(t *modelTask, row *gtf.Task, at time.Time) string {
	if t.status != gtf.StatusPending || row.Status != gtf.StatusPending {
		return ""
	}
	t.due = row.DueAt
	most := min(modelBackoff.Max, modelBackoff.Base<<(t.attempt-1))
	pause := row.DueAt.Sub(at)
	r := w.run(t.sub.ID, t.attempt)
	if pause > most || pause < most/2 && (pause != 0 || r != nil && !w.hurried(r.proc)) {
		return fmt.Sprintf("waits %v for attempt %d, want %v to %v", pause, t.attempt+1, most/2, most)
	}
	return ""
}

// marks: what a function's process writes beside the status.
func (w *modelWorld) marks(t *modelTask, row *gtf.Task) string {
	r := w.run(t.sub.ID, t.attempt)
	if r == nil {
		return ""
	}
	if r.worker == "" && modelActive(t.status) && t.status != gtf.StatusPending {
		r.worker = t.worker
	}
	if row.Abortable && !t.abortable && t.status != gtf.StatusPending {
		if r.firstAbort.IsZero() {
			return "became abortable without an abort handler"
		}
		t.abortable = true
	}
	if row.TimeoutWarning && !t.warned && t.status != gtf.StatusPending {
		limit := r.begun.Add(t.sub.Timeout)
		switch {
		case t.sub.Timeout == 0 || time.Now().Before(limit):
			return "has a timeout warning before its limit has passed"
		case t.sub.Abortable || !r.firstAbort.IsZero() && r.firstAbort.Before(limit):
			return "has a timeout warning though the limit can be enforced"
		}
		t.warned = true
	}
	return ""
}

// reports compares progress and payload, where they must have arrived: at the end of the attempt, and a while after the
// last report while it runs (S6.2).
func (w *modelWorld) reports(t *modelTask, row *gtf.Task) (bad []string) {
	r := w.run(t.sub.ID, t.attempt)
	if r == nil || t.status == gtf.StatusPending {
		return nil
	}
	since, up := r.proc.link.upSince()
	running := t.status == gtf.StatusInProgress || t.status == gtf.StatusAborting
	arrived := running && up && since.Before(r.reported) && time.Since(r.reported) > 3*time.Second && !w.fenced(r, time.Now()) && !w.lostWorker(t.worker)
	if !arrived && !r.finished || r.reported.IsZero() || running && r.busy > 0 {
		return nil
	}
	if r.progress != nil && row.Progress != *r.progress {
		bad = append(bad, fmt.Sprintf("progress is %v, want %v", row.Progress, *r.progress))
	}
	if got, want := modelFields(row.Payload), r.payload(); !maps.Equal(got, want) {
		bad = append(bad, fmt.Sprintf("payload is %v, want %v", got, want))
	}
	return bad
}

func modelFields(payload json.RawMessage) map[string]int {
	fields := map[string]int{}
	if len(payload) > 0 {
		_ = json.Unmarshal(payload, &fields)
	}
	return fields
}

// payload is what the run has merged by now.
func (r *modelRun) payload() map[string]int {
	fields := maps.Clone(r.w.base[r.w.find(r.id)])
	if fields == nil {
		fields = map[string]int{}
	}
	maps.Copy(fields, r.fields)
	return fields
}

// lostWorker tells whether housekeeping may take the tasks of a worker (S12.2).
func (w *modelWorld) lostWorker(worker string) bool {
	p := w.owner(worker)
	if p == nil || w.declared[worker] {
		return true
	}
	silence, _ := p.link.silence(worker)
	return silence > modelSilence
}

// fenced tells whether the process of a run must have given up its claim at a time: its last good beat was too long ago
// (S12.3), or its Stop was cut short (S12.5).
func (w *modelWorld) fenced(r *modelRun, at time.Time) bool {
	return r.proc.silent(r.worker, at) || !r.proc.gaveUp.IsZero() && !at.Before(r.proc.gaveUp)
}

// silent tells whether no beat of a worker, sent in the time before, is known to have succeeded.
func (p *modelProc) silent(worker string, at time.Time) bool {
	sent, known := p.link.lastBeat(worker)
	return known && at.Sub(sent) >= modelFence
}

// hurried tells whether the grace of a process is over (S12.5).
func (w *modelWorld) hurried(p *modelProc) bool {
	return p != nil && !p.stopping.IsZero() && time.Since(p.stopping) >= modelGrace
}

// live are the processes that should do their work: started, not stopping, and undisturbed for so long.
func (w *modelWorld) live(d time.Duration) []*modelProc {
	return slices.DeleteFunc(slices.Clone(w.procs), func(p *modelProc) bool {
		return !p.works || !p.stopping.IsZero() || !p.link.calm(d)
	})
}
