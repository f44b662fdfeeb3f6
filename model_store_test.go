package gtf_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/sqlitestore"
)

// TestModelStore does random things to a store, as executors, people and housekeeping would, and compares every row with
// the model after each step.
func TestModelStore(t *testing.T) {
	modelCheck(t, 3*time.Second, func(t *rapid.T) {
		d := newModelDriver(t)
		t.Repeat(map[string]func(*rapid.T){
			"":        d.compare,
			"submit":  d.submit,
			"enlist":  d.enlist,
			"beat":    d.beat,
			"leave":   d.leave,
			"reap":    d.reap,
			"claim":   d.claim,
			"claim2":  d.claim, // twice as often
			"report":  d.report,
			"expire":  d.expire,
			"finish":  d.finish,
			"finish2": d.finish,
			"resume":  d.resume,
			"cancel":  d.cancel,
			"cancel2": d.cancel,
			"queue":   d.expireQueued,
			"prune":   d.prune,
			"look":    d.look,
			"pass":    d.pass,
		})
	})
}

// modelDriver does each step to the store and to the model.
type modelDriver struct {
	*model
	ctx     context.Context //nolint:containedctx // of the sequence
	store   *sqlitestore.Store
	client  *gtf.Client // not started: it only cancels
	workers []string
	before  []*gtf.Task
	version int64 // the highest seen
	ids     int
}

func newModelDriver(t *rapid.T) *modelDriver {
	d := &modelDriver{model: newModel(), ctx: context.Background()}
	var err error
	if d.store, err = sqlitestore.Open(d.ctx, ":memory:", nil); err != nil {
		t.Fatal(err)
	}
	if d.client, err = gtf.New(d.store, &gtf.Config{Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.client.Stop(d.ctx); err != nil {
			t.Error(err)
		}
		if err := d.store.Close(); err != nil {
			t.Error(err)
		}
	})
	d.enlist(t)
	return d
}

// compare is done after every step.
func (d *modelDriver) compare(t *rapid.T) {
	after := d.list(t, gtf.Viewer{All: true})
	for _, broken := range modelLaws(d.before, after) {
		t.Error(broken)
	}
	was := map[gtf.ID]*gtf.Task{}
	for _, row := range d.before {
		was[row.ID] = row
	}
	if len(after) != len(d.tasks) {
		t.Fatalf("the store has %d tasks, want %d", len(after), len(d.tasks))
	}
	for _, row := range after {
		task := d.find(row.ID)
		if task == nil {
			t.Fatalf("the store has task %s, which is gone", row.ID)
		}
		for _, problem := range d.problems(task, row) {
			t.Errorf("%v: %s", task, problem)
		}
		old, how := was[row.ID], d.touched[task]
		switch {
		case old != nil && old.Status != row.Status && !old.Status.CanBecome(row.Status):
			t.Errorf("%v went from %s to %s, which the table forbids", task, old.Status, row.Status)
		case how == nil && !reflect.DeepEqual(row, old):
			t.Errorf("%v has changed, though nothing was done to it\nfrom %+v\nto   %+v", task, old, row)
		case how != nil && row.Version <= d.version:
			t.Errorf("%v was %v, but its version is %d after %d", task, how, row.Version, d.version)
		case how != nil && !row.ChangedAt.Equal(modelNow()):
			t.Errorf("%v was %v, but it changed at %v, now is %v", task, how, row.ChangedAt, modelNow())
		}
	}
	for _, row := range after {
		d.version = max(d.version, row.Version)
	}
	d.before = after
	clear(d.touched)
}

// problems adds what only the one who drives the store can know.
func (d *modelDriver) problems(t *modelTask, row *gtf.Task) []string {
	bad := t.problems(row)
	for _, f := range []struct {
		what      string
		got, want any
	}{
		{"progress", row.Progress, t.progress},
		{"payload", string(row.Payload), t.payload},
		{"due", row.DueAt, t.due},
		{"started", row.StartedAt, t.started},
		{"ended", row.EndedAt, t.ended},
		{"asked to abort", row.AbortedAt, t.askedToAbort},
		{"creator", row.CreatedBy, t.sub.By},
		{"mode", row.Mode, t.sub.Mode},
		{"scope", row.Scope, t.sub.Scope},
		{"timeout", row.Timeout, t.sub.Timeout},
		{"attempts at most", row.MaxAttempts, t.sub.MaxAttempts},
	} {
		if f.got != f.want {
			bad = append(bad, fmt.Sprintf("%s is %v, want %v", f.what, f.got, f.want))
		}
	}
	if modelActive(t.status) && row.DedupKey != t.sub.DedupKey {
		bad = append(bad, fmt.Sprintf("dedup key is %s, want %s", row.DedupKey, t.sub.DedupKey))
	}
	return bad
}

func (d *modelDriver) list(t *rapid.T, v gtf.Viewer) (rows []*gtf.Task) {
	p := &gtf.ListParams{PageSize: 100, Order: gtf.OrderCreated}
	for {
		page, err := d.store.List(d.ctx, p, v)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, page.Tasks...)
		if p.Cursor = page.Next; p.Cursor == "" {
			return rows
		}
	}
}

func (d *modelDriver) submit(t *rapid.T) {
	subs := make([]*gtf.Submission, draw(t, "batch", 1, 1, 1, 2, 3))
	for i := range subs {
		subs[i] = d.submission(t)
	}
	got, err := d.store.Submit(d.ctx, subs)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range subs {
		task, created := d.model.submit(s)
		if want := (gtf.Submitted{ID: task.sub.ID, Created: created}); got[i] != want {
			t.Errorf("Submit answered %+v, want %+v", got[i], want)
		}
	}
}

func (d *modelDriver) submission(t *rapid.T) *gtf.Submission {
	d.ids++
	s := &gtf.Submission{
		ID:           gtf.ID{14: byte(d.ids >> 8), 15: byte(d.ids)}, // the same whenever rapid repeats a sequence
		Type:         draw(t, "type", "export", "tabs"),
		Key:          draw(t, "key", "k1", "k2"),
		Scope:        draw(t, "scope", gtf.ScopeShared, gtf.ScopeShared, gtf.ScopePrivate, gtf.ScopeSystem),
		Mode:         draw(t, "mode", gtf.ModeAsync, gtf.ModeAsync, gtf.ModeSync),
		Queue:        draw(t, "queue", "q1", "q1", "q2"),
		Priority:     draw(t, "priority", 5, 5, 1, 9),
		MaxAttempts:  draw(t, "max attempts", 1, 2, 3),
		Abortable:    draw(t, "declared abortable", false, true),
		Timeout:      draw(t, "timeout", 0, time.Minute),
		Backoff:      gtf.Backoff{Base: 2 * time.Second, Max: 3 * time.Second},
		Input:        json.RawMessage(`{}`),
		MaxQueueTime: draw(t, "max queue time", 0, 0, 4500*time.Millisecond),
		By:           modelWho(draw(t, "by", modelAda, modelBob, modelGuest).Principal),
		Client:       draw(t, "client", "", "tab1", "tab2"),
	}
	s.PerClient = s.Type == "tabs"
	if s.Scope != gtf.ScopePrivate && rapid.IntRange(0, 4).Draw(t, "nobody") == 0 {
		s.By = gtf.Principal{}
	}
	s.DedupKey = modelKey(s.Scope, s.Type, s.Key, s.By)
	if s.Mode == gtf.ModeSync {
		s.Worker, s.MaxQueueTime = draw(t, "worker", d.workers...), 0
		return s
	}
	switch draw(t, "due", "now", "now", "delayed", "at", "past") {
	case "delayed":
		s.Delay = 3 * time.Second
	case "at":
		s.DueAt = modelNow().Add(6 * time.Second)
	case "past":
		s.DueAt = modelNow().Add(-time.Hour)
	}
	return s
}

func (d *modelDriver) enlist(t *rapid.T) {
	if len(d.workers) == 4 {
		t.Skip("enough workers")
	}
	id := fmt.Sprintf("worker %d", len(d.workers)+1)
	if err := d.store.Register(d.ctx, &gtf.Worker{ID: id}); err != nil {
		t.Fatal(err)
	}
	d.workers = append(d.workers, id)
	d.beats[id] = modelNow()
}

func (d *modelDriver) beat(t *rapid.T) {
	worker := draw(t, "worker", d.workers...)
	alive, err := d.store.Beat(d.ctx, worker, 1)
	if err != nil {
		t.Fatal(err)
	}
	if alive == d.lost[worker] {
		t.Errorf("the beat of %s was answered %v", worker, alive)
	}
	d.beats[worker] = modelNow()
}

func (d *modelDriver) leave(t *rapid.T) {
	worker := draw(t, "worker", d.workers...)
	if err := d.store.Leave(d.ctx, worker); err != nil {
		t.Fatal(err)
	}
	d.lost[worker] = true
}

// reap has the workers declared lost that are silent, and their tasks taken.
func (d *modelDriver) reap(t *rapid.T) {
	const silence = 9500 * time.Millisecond
	limit := draw(t, "limit", 100, 1)
	got, err := d.store.Reap(d.ctx, silence, limit)
	if err != nil {
		t.Fatal(err)
	}
	d.silent(silence)
	var want []gtf.Transition
	for _, task := range d.tasks {
		if d.orphaned(task) && len(want) < limit {
			want = append(want, d.model.reap(task))
			if task.status == gtf.StatusPending {
				d.adoptBackoff(t, task)
			}
		}
	}
	modelSameTransitions(t, "Reap", got, want)
}

// adoptBackoff takes over the pause before the next attempt, which is random within bounds (S5.7).
func (d *modelDriver) adoptBackoff(t *rapid.T, task *modelTask) {
	row, err := d.store.Get(d.ctx, task.sub.ID, gtf.Viewer{All: true})
	if err != nil {
		t.Fatal(err)
	}
	most := min(task.sub.Backoff.Max, task.sub.Backoff.Base<<(task.attempt-1))
	if pause := row.DueAt.Sub(modelNow()); pause < most/2 || pause > most {
		t.Errorf("%v waits %v for attempt %d, want %v to %v", task, pause, task.attempt+1, most/2, most)
	}
	task.due = row.DueAt
}

func modelSameTransitions(t *rapid.T, what string, got, want []gtf.Transition) {
	byID := func(a, b gtf.Transition) int { return slices.Compare(a.ID[:], b.ID[:]) }
	slices.SortFunc(got, byID)
	slices.SortFunc(want, byID)
	if !slices.Equal(got, want) {
		t.Errorf("%s took\n     %+v\nwant %+v", what, got, want)
	}
}

func (d *modelDriver) claim(t *rapid.T) {
	p := &gtf.ClaimParams{
		Worker: draw(t, "worker", d.workers...),
		Types:  draw(t, "types", []string{"export", "tabs"}, []string{"tabs"}),
		Queues: []gtf.QueueSlots{{Queue: "q1", Free: draw(t, "free", 10, 1, 2)}},
	}
	if rapid.Bool().Draw(t, "two queues") {
		p.Queues = append(p.Queues, gtf.QueueSlots{Queue: "q2", Free: 1})
	}
	claimed, err := d.store.Claim(d.ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	jobs := claimed.Jobs
	left := false
	for _, q := range p.Queues {
		want := d.claimable(q.Queue, p.Types)
		left = left || len(want) >= q.Free
		for _, task := range want[:min(q.Free, len(want))] {
			d.begin(task, p.Worker)
			i := slices.IndexFunc(jobs, func(j *gtf.Job) bool { return j.Queue == q.Queue })
			if i < 0 {
				t.Fatalf("Claim of %+v left %v", p, task)
			}
			job := jobs[i]
			jobs = slices.Delete(slices.Clone(jobs), i, i+1)
			if job.ID != task.sub.ID {
				t.Fatalf("Claim of %+v took %s, %v was first", p, job.ID, task)
			}
			d.sameJob(t, job, task)
		}
	}
	if len(jobs) > 0 {
		t.Fatalf("Claim of %+v took %+v too", p, jobs[0])
	}
	d.sameNext(t, claimed.Next, p, left)
}

func (d *modelDriver) sameJob(t *rapid.T, job *gtf.Job, task *modelTask) {
	s := task.sub
	want := gtf.Job{
		Ref: gtf.Ref{ID: s.ID, Claim: int64(task.attempt)}, Type: s.Type, Key: s.Key, Scope: s.Scope, Mode: s.Mode, Queue: s.Queue,
		MaxAttempts: s.MaxAttempts, Backoff: s.Backoff, Timeout: s.Timeout, Abortable: s.Abortable, Input: s.Input, By: s.By,
		Waited: modelNow().Sub(task.due), Payload: json.RawMessage(task.payload),
	}
	got := *job
	if len(got.Payload) == 0 {
		got.Payload = json.RawMessage{}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the job is\n     %+v\nwant %+v", got, want)
	}
}

// sameNext compares when there will be something to claim, which a store may not know, and need not if it left tasks behind.
func (d *modelDriver) sameNext(t *rapid.T, got time.Duration, p *gtf.ClaimParams, left bool) {
	var next time.Duration
	for _, task := range d.tasks {
		offered := slices.ContainsFunc(p.Queues, func(q gtf.QueueSlots) bool { return q.Queue == task.sub.Queue })
		if wait := task.due.Sub(modelNow()); offered && slices.Contains(p.Types, task.sub.Type) && wait > 0 &&
			task.status == gtf.StatusPending && task.sub.Mode == gtf.ModeAsync && (next == 0 || wait < next) {
			next = wait
		}
	}
	if got != 0 && got != next && !left {
		t.Errorf("Claim says that the next is due in %v, want %v", got, next)
	}
}

// ref names an attempt: mostly the current one of some task, which may run or not.
func (d *modelDriver) ref(t *rapid.T) gtf.Ref {
	if len(d.tasks) == 0 {
		t.Skip("no tasks")
	}
	tasks := d.tasks
	running := slices.DeleteFunc(slices.Clone(tasks), func(t *modelTask) bool { return !t.running(int64(t.attempt)) })
	if len(running) > 0 && rapid.IntRange(0, 4).Draw(t, "any task") > 0 {
		tasks = running
	}
	task := draw(t, "task", tasks...)
	claim := int64(task.attempt + draw(t, "claim", 0, 0, 0, 0, -1, 1))
	return gtf.Ref{ID: task.sub.ID, Claim: claim}
}

func (d *modelDriver) update(t *rapid.T, ref gtf.Ref) gtf.Update {
	u := gtf.Update{Ref: ref, Abortable: rapid.Bool().Draw(t, "abortable"), TimeoutWarning: rapid.IntRange(0, 5).Draw(t, "warn") == 5}
	if n := rapid.IntRange(0, 3).Draw(t, "report"); n > 1 {
		u.Progress = &gtf.Progress{Form: gtf.FormTotal, Current: int64(n), Total: 3}
		u.Payload = json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))
	}
	return u
}

func (d *modelDriver) report(t *rapid.T) {
	u := d.update(t, d.ref(t))
	held, err := d.store.Update(d.ctx, []gtf.Update{u})
	if err != nil {
		t.Fatal(err)
	}
	if want := d.model.report(u); held[0] != want {
		t.Errorf("Update of %+v was held: %v, want %v", u, held[0], want)
	}
}

func (d *modelDriver) expire(t *rapid.T) {
	ref := d.ref(t)
	won, err := d.store.Expire(d.ctx, ref)
	if err != nil {
		t.Fatal(err)
	}
	if want := d.model.expire(ref); won != want {
		t.Errorf("Expire of %+v won: %v, want %v", ref, won, want)
	}
}

func (d *modelDriver) finish(t *rapid.T) {
	finishes := make([]gtf.Finish, draw(t, "batch", 1, 1, 2))
	for i := range finishes {
		finishes[i] = gtf.Finish{
			Update: d.update(t, d.ref(t)),
			Running: draw(t, "running", gtf.Outcome{Status: gtf.StatusSuccess, Result: json.RawMessage(`1`)},
				gtf.Outcome{Status: gtf.StatusFailure, Error: "broken"},
				gtf.Outcome{Status: gtf.StatusPending, Error: "again", Delay: time.Second},
				gtf.Outcome{Status: gtf.StatusPending, Error: "at once"}),
			Aborting: draw(t, "aborting", gtf.Outcome{Error: "stopped"}, gtf.Outcome{},
				gtf.Outcome{Status: gtf.StatusSuccess, Result: json.RawMessage(`2`)}, gtf.Outcome{Status: gtf.StatusFailure, Error: "handler"}),
		}
	}
	got, err := d.store.Finish(d.ctx, finishes)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range finishes {
		if want := d.model.finish(f); got[i] != want {
			t.Errorf("Finish answered %+v, want %+v", got[i], want)
		}
	}
}

// resume begins the next attempt of a sync task, which only its own process can do.
func (d *modelDriver) resume(t *rapid.T) {
	var waiting []*modelTask
	for _, task := range d.tasks {
		if task.status == gtf.StatusPending && task.sub.Mode == gtf.ModeSync {
			waiting = append(waiting, task)
		}
	}
	if len(waiting) == 0 {
		t.Skip("no sync task waits")
	}
	task := draw(t, "task", append(waiting, d.tasks[0])...)
	worker := draw(t, "worker", append(slices.Clone(d.workers), task.worker, task.worker)...)
	mine := task.status == gtf.StatusPending && task.sub.Mode == gtf.ModeSync && task.worker == worker
	job, err := d.store.Resume(d.ctx, task.sub.ID, worker)
	if err != nil {
		t.Fatal(err)
	}
	if (job != nil) != mine {
		t.Fatalf("Resume of %v by %q answered %+v, want one: %v", task, worker, job, mine)
	}
	if mine {
		d.begin(task, worker)
	}
}

func (d *modelDriver) cancel(t *rapid.T) {
	id := gtf.NewID()
	if len(d.tasks) > 0 && rapid.IntRange(0, 30).Draw(t, "unknown") > 0 {
		id = draw(t, "task", d.tasks...).sub.ID
	}
	a, o := modelDrawCancel(t)
	ctx := gtf.WithPrincipal(d.ctx, a.Principal)
	effect, want := d.model.cancel(id, a, o)
	got, err := d.client.Cancel(ctx, id, &o)
	synctest.Wait() // for its signals
	if !modelSameError(err, want) {
		t.Fatalf("Cancel by %v with %+v: error %v, want %v", a, o, err, want)
	}
	if err == nil && (got.Effect != effect || got.Task.ID != id || got.Task.Status != d.find(id).status) {
		t.Errorf("Cancel by %v with %+v answered %s of a task %s, want %s", a, o, got.Effect, got.Task.Status, effect)
	}
}

// modelDrawCancel draws who cancels and how.
func modelDrawCancel(t *rapid.T) (modelActor, gtf.CancelOpts) {
	return draw(t, "who", modelActors...), gtf.CancelOpts{
		Force:  rapid.IntRange(0, 2).Draw(t, "force") == 2,
		Client: draw(t, "client", "", "tab1", "tab2"),
		Expect: draw(t, "expect", "", "", "", gtf.EffectAbort, gtf.EffectUnsubscribe, gtf.EffectDetach),
	}
}

func (d *modelDriver) expireQueued(t *rapid.T) {
	got, err := d.store.ExpireQueued(d.ctx, 100)
	if err != nil {
		t.Fatal(err)
	}
	var want []gtf.Transition
	for _, task := range d.tasks {
		if task.waitedTooLong() {
			want = append(want, d.endWaiting(task))
		}
	}
	modelSameTransitions(t, "ExpireQueued", got, want)
}

// prune deletes what ended long enough ago, oldest first, and never an active task (S13.1).
func (d *modelDriver) prune(t *rapid.T) {
	age, limit := draw(t, "age", 20*time.Second, 4500*time.Millisecond), draw(t, "limit", 100, 1)
	got, err := d.store.Prune(d.ctx, age, limit)
	if err != nil {
		t.Fatal(err)
	}
	var old []*modelTask
	for _, task := range d.tasks {
		if !modelActive(task.status) && modelNow().Sub(task.ended) >= age {
			old = append(old, task)
		}
	}
	slices.SortStableFunc(old, func(a, b *modelTask) int { return a.ended.Compare(b.ended) })
	old = old[:min(limit, len(old))]
	if got != len(old) {
		t.Errorf("Prune deleted %d tasks, want %d", got, len(old))
	}
	d.tasks = slices.DeleteFunc(d.tasks, func(task *modelTask) bool { return slices.Contains(old, task) })
}

// look compares the other ways to read: what a worker holds, what waiters see, and what a principal may see.
func (d *modelDriver) look(t *rapid.T) {
	worker, a := draw(t, "worker", d.workers...), draw(t, "who", modelActors...)
	held, err := d.store.Held(d.ctx, worker)
	if err != nil {
		t.Fatal(err)
	}
	visible := map[gtf.ID]bool{}
	for _, row := range d.list(t, gtf.Viewer{All: a.isAdmin(), Kind: a.Kind, ID: a.ID}) {
		visible[row.ID] = true
	}
	var ids []gtf.ID
	holds := 0
	for _, task := range d.tasks {
		s := task.sub
		ids = append(ids, s.ID)
		if visible[s.ID] != a.sees(task) {
			t.Errorf("%v is in the list of %v: %v, want %v", task, a, visible[s.ID], a.sees(task))
		}
		if modelActive(task.status) && task.status != gtf.StatusPending && task.worker == worker {
			holds++
			want := gtf.Held{Ref: gtf.Ref{ID: s.ID, Claim: int64(task.attempt)}, Status: task.status, AbortReason: task.reason}
			if !slices.Contains(held, want) {
				t.Errorf("Held of %s is %+v, without %+v", worker, held, want)
			}
		}
	}
	if len(held) != holds {
		t.Errorf("Held of %s is %+v, want %d", worker, held, holds)
	}
	looks, err := d.store.Look(d.ctx, append(ids, gtf.NewID()))
	if err != nil || len(looks) != len(ids) {
		t.Fatalf("Look at %d tasks answered %d, error %v", len(ids), len(looks), err)
	}
	for _, l := range looks {
		if task := d.find(l.ID); l.Status != task.status || l.AbortReason != task.reason || l.Claim != int64(task.attempt) ||
			string(l.Result) != task.result {
			t.Errorf("Look at %v says %+v", task, l)
		}
	}
}

func (d *modelDriver) pass(t *rapid.T) {
	modelPass(draw(t, "time", 100*time.Millisecond, time.Second, 2*time.Second, 3*time.Second, 5*time.Second, 12*time.Second))
}

// modelPass lets time pass, and waits until everything that it brings has happened.
func modelPass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
