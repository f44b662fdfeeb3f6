package gtf_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/sqlitestore"
)

// TestModelClient runs three processes on one store by the bubble's clock. Random things happen: people submit and cancel,
// functions report, register handlers and return, processes lose the store for a while, are declared lost, stop and come
// back, and time passes. After each step, and after each second of time, every row is compared with the model, and
// everything else with the rules in model_follow_test.go and model_due_test.go.
func TestModelClient(t *testing.T) {
	modelCheck(t, 5*time.Second, func(t *rapid.T) {
		w := newModelWorld(t)
		defer w.close()
		t.Repeat(map[string]func(*rapid.T){
			"":         w.check,
			"submit":   w.submit,
			"submit2":  w.submit, // twice as often
			"cancel":   w.cancel,
			"cancel2":  w.cancel,
			"report":   w.report,
			"register": w.register,
			"return":   w.finish,
			"return2":  w.finish,
			"release":  w.release,
			"disturb":  w.disturb,
			"heal":     w.heal,
			"lose":     w.declareLost,
			"stop":     w.stop,
			"restart":  w.restart,
			"pass":     w.pass,
			"pass2":    w.pass,
			"pass3":    w.pass,
		})
		w.settle(t)
	})
}

const (
	modelGrace       = 10 * time.Second
	modelHandlerTime = 12 * time.Second
	modelSlots       = 2
	modelBeat        = 5 * time.Second  // the rest are the defaults
	modelFence       = 20 * time.Second // without a beat, until a process gives up
	modelSilence     = 30 * time.Second // without a beat, until its tasks are taken
)

var modelBackoff = gtf.Backoff{Base: 2 * time.Second, Max: 6 * time.Second}

// modelDefinitions are one of each kind.
var modelDefinitions = []*gtf.Definition[modelIn, modelOut]{
	gtf.Define[modelIn, modelOut]("model.shared", &gtf.DefineOpts[modelIn]{Scope: gtf.ScopeShared, Backoff: modelBackoff}),
	gtf.Define[modelIn, modelOut]("model.private", &gtf.DefineOpts[modelIn]{Scope: gtf.ScopePrivate, Backoff: modelBackoff}),
	gtf.Define[modelIn, modelOut]("model.ending", &gtf.DefineOpts[modelIn]{Scope: gtf.ScopeShared, Backoff: modelBackoff, Abortable: true}),
	gtf.Define[modelIn, modelOut]("model.tabs", &gtf.DefineOpts[modelIn]{Scope: gtf.ScopeShared, Backoff: modelBackoff, PerClient: true}),
	gtf.Define[modelIn, modelOut]("model.system", &gtf.DefineOpts[modelIn]{Scope: gtf.ScopeSystem, Backoff: modelBackoff}),
}

// modelWorld is a store, the processes on it, and what the test knows of them.
type modelWorld struct {
	*model
	store    *sqlitestore.Store
	start    time.Time
	signals  gtf.Signals // nil: each process has its own, and polls
	throttle time.Duration
	procs    []*modelProc // as they are now
	former   []*modelProc
	before   []*gtf.Task
	base     map[*modelTask]map[string]int // the payload at the begin of the current attempt
	declared map[string]bool               // workers that the test declared lost
	waits    []*modelWait
	lossy    bool // a process may have written something without knowing, and so without a signal

	mu         sync.Mutex // the functions note things too
	runs       []*modelRun
	violations []string
	closing    bool // functions return at once
}

// modelProc is one process, from its start to its end.
type modelProc struct {
	w      *modelWorld
	name   string
	works  bool // on queues; else it only runs inline
	link   *modelLink
	client *gtf.Client

	started  time.Time
	stopping time.Time // when Stop was called; zero: not
	limited  bool      // the context of Stop ends
	stopped  chan error
	over     bool  // Stop has returned
	err      error // this
	checked  bool
	gaveUp   time.Time // when it returned with an error
}

func (p *modelProc) String() string   { return p.name }
func (p *modelProc) GoString() string { return p.name }

// modelWait is somebody who waits for a task.
type modelWait struct {
	id   gtf.ID
	proc *modelProc
	done chan struct{}
	out  modelOut
	err  error
	seen bool
}

func newModelWorld(t *rapid.T) *modelWorld {
	w := &modelWorld{
		model: newModel(), start: time.Now(), base: map[*modelTask]map[string]int{}, declared: map[string]bool{},
		throttle: draw(t, "throttle", 2*time.Second, gtf.None),
	}
	if draw(t, "signals", true, false) {
		w.signals = &gtf.LocalSignals{Alone: true}
	}
	var err error
	if w.store, err = sqlitestore.Open(context.Background(), ":memory:", nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"A", "B", "C"} {
		w.procs = append(w.procs, w.newProc(t, name, name != "C"))
	}
	return w
}

func (w *modelWorld) newProc(t *rapid.T, name string, works bool) *modelProc {
	p := &modelProc{w: w, name: name, works: works, started: time.Now(), link: newModelLink(w.store), stopped: make(chan error, 1)}
	cfg := &gtf.Config{
		Grace: modelGrace, HandlerTimeout: modelHandlerTime, Logger: slog.New(slog.DiscardHandler), Retention: gtf.None,
		Queues: map[string]int{gtf.DefaultQueue: modelSlots}, Signals: w.signals, Throttle: w.throttle,
	}
	if w.signals == nil {
		cfg.Signals = &gtf.LocalSignals{}
	}
	for _, d := range modelDefinitions {
		cfg.Handlers = append(cfg.Handlers, d.Handler(p.work))
	}
	var err error
	if p.client, err = gtf.New(p.link, cfg); err != nil {
		t.Fatal(err)
	}
	if p.works {
		if err := p.client.Start(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// usable are the processes that people can talk to.
func (w *modelWorld) usable(t *rapid.T) *modelProc {
	up := slices.DeleteFunc(slices.Clone(w.procs), func(p *modelProc) bool { return !p.stopping.IsZero() || !p.link.calm(0) })
	if len(up) == 0 {
		t.Skip("no process can be reached")
	}
	return draw(t, "process", up...)
}

func (w *modelWorld) everyProc() []*modelProc { return slices.Concat(w.procs, w.former) }

// owner is the process that registered under a worker id.
func (w *modelWorld) owner(worker string) *modelProc {
	for _, p := range w.everyProc() {
		if _, ok := p.link.silence(worker); ok {
			return p
		}
	}
	return nil
}

// run finds the call of a function. The caller holds mu.
func (w *modelWorld) run(id gtf.ID, attempt int) *modelRun {
	for _, r := range w.runs {
		if r.id == id && r.attempt == attempt {
			return r
		}
	}
	return nil
}

// complain notes what is wrong already when it happens. The caller holds mu.
func (w *modelWorld) complain(format string, args ...any) {
	w.violations = append(w.violations, fmt.Sprintf(format, args...))
}

func (w *modelWorld) name(id gtf.ID) string {
	if t := w.find(id); t != nil {
		return t.String()
	}
	return "task " + id.String()
}

func (w *modelWorld) submit(t *rapid.T) {
	p, def := w.usable(t), draw(t, "type", modelDefinitions...)
	info := def.Handler(p.work).Info()
	s := &gtf.Submission{
		Type: info.Type, Scope: info.Scope, Abortable: info.Abortable, PerClient: info.Type == "model.tabs",
		Queue: gtf.DefaultQueue, Backoff: modelBackoff,
		Key:         draw(t, "key", "k1", "k2", ""),
		Mode:        draw(t, "mode", gtf.ModeAsync, gtf.ModeAsync, gtf.ModeSync),
		MaxAttempts: draw(t, "max attempts", 1, 2, 3),
		Timeout:     draw(t, "timeout", 0, 7300*time.Millisecond),
		Client:      draw(t, "client", "", "tab1", "tab2"),
	}
	if s.Mode == gtf.ModeAsync {
		s.Delay = draw(t, "delay", 0, 0, 5*time.Second)
		s.MaxQueueTime = draw(t, "max queue time", 0, 0, 12500*time.Millisecond)
	}
	if s.Key == "" && s.Scope == gtf.ScopeShared {
		s.Key = "k3"
	}
	who := draw(t, "who", modelActors...)
	if who.IsZero() && s.Scope == gtf.ScopePrivate {
		who = modelAda
	}
	s.By = who.Principal
	s.By.Admin = false
	in := modelIn{draw(t, "heeding", heedsError, heedsOwn, heedsNothing, heedsNot)}
	ctx := gtf.WithPrincipal(context.Background(), who.Principal)
	if rapid.IntRange(0, 15).Draw(t, "answer") == 15 { // is lost: the caller gets an error, and the task exists all the same
		p.link.losesSubmits.Store(true)
		_, err := p.submit(ctx, def, in, s)
		p.link.losesSubmits.Store(false)
		synctest.Wait()
		w.lossy = true
		if !errors.Is(err, errModelLink) {
			t.Fatalf("submit in %v: %v, want the error of the link", p, err)
		}
		w.adopt(t, s)
		return
	}
	h, err := p.submit(ctx, def, in, s)
	if err != nil {
		t.Fatalf("submit in %v: %v", p, err)
	}
	task, created := w.submitted(t, s, h.ID)
	if created == h.Joined || task.sub.ID != h.ID {
		t.Fatalf("submit in %v answered %s, joined: %v; want %v", p, h.ID, h.Joined, task)
	}
	wait := &modelWait{id: h.ID, proc: p, done: make(chan struct{})}
	w.waits = append(w.waits, wait)
	go func() {
		defer close(wait.done)
		wait.out, wait.err = h.Wait(context.Background())
	}()
	synctest.Wait()
}

// adopt does to the model what a submit did whose answer was lost.
func (w *modelWorld) adopt(t *rapid.T, s *gtf.Submission) {
	page, err := w.store.List(context.Background(), &gtf.ListParams{PageSize: 1, Order: gtf.OrderCreated, Descending: true}, gtf.Viewer{All: true})
	if err != nil {
		t.Fatal(err)
	}
	var id gtf.ID // of a task that was joined, the model knows better
	if w.find(page.Tasks[0].ID) == nil {
		id = page.Tasks[0].ID
	}
	w.submitted(t, s, id)
}

// submitted does to the model what a submit did.
func (w *modelWorld) submitted(t *rapid.T, s *gtf.Submission, id gtf.ID) (task *modelTask, created bool) {
	s.ID, s.DedupKey = id, modelKey(s.Scope, s.Type, s.Key, s.By)
	if s.Key == "" { // never joined
		s.DedupKey = s.ID.String()
	}
	if row, err := w.store.Get(context.Background(), id, gtf.Viewer{All: true}); err == nil {
		s.Worker = row.Worker
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	task, created = w.model.submit(s)
	if created && id.IsZero() {
		t.Fatalf("a submit joined, want %v created", task)
	}
	return task, created
}

func (p *modelProc) submit(ctx context.Context, def *gtf.Definition[modelIn, modelOut], in modelIn, s *gtf.Submission) (*gtf.Handle[modelOut], error) {
	if s.Mode == gtf.ModeSync {
		return def.Start(ctx, p.client, in, &gtf.RunOpts{Client: s.Client, Key: s.Key, MaxAttempts: s.MaxAttempts, Timeout: s.Timeout})
	}
	return def.Schedule(ctx, p.client, in, &gtf.ScheduleOpts{
		Client: s.Client, Delay: s.Delay, Key: s.Key, MaxAttempts: s.MaxAttempts, MaxQueueTime: s.MaxQueueTime, Timeout: s.Timeout,
	})
}

func (w *modelWorld) cancel(t *rapid.T) {
	if len(w.tasks) == 0 {
		t.Skip("no tasks")
	}
	p, task := w.usable(t), draw(t, "task", w.tasks...)
	a, o := modelDrawCancel(t)
	effect, want := w.model.cancel(task.sub.ID, a, o)
	got, err := p.client.Cancel(gtf.WithPrincipal(context.Background(), a.Principal), task.sub.ID, &o)
	if !modelSameError(err, want) {
		t.Fatalf("Cancel of %v by %v with %+v: error %v, want %v", task, a, o, err, want)
	}
	if err == nil && got.Effect != effect {
		t.Errorf("Cancel of %v by %v with %+v did %s, want %s", task, a, o, got.Effect, effect)
	}
	synctest.Wait()
}

// idle draws a function that waits for what to do.
func (w *modelWorld) idle(t *rapid.T) *modelRun {
	w.mu.Lock()
	defer w.mu.Unlock()
	runs := slices.DeleteFunc(slices.Clone(w.runs), func(r *modelRun) bool { return r.ret != nil || r.busy > 0 })
	if len(runs) == 0 {
		t.Skip("no function waits")
	}
	return draw(t, "run", runs...)
}

func (r *modelRun) step(do func()) {
	r.w.mu.Lock()
	r.busy++
	r.w.mu.Unlock()
	r.steps <- do
	synctest.Wait()
}

func (w *modelWorld) report(t *rapid.T) {
	r, n := w.idle(t), rapid.IntRange(0, 10).Draw(t, "n")
	what := draw(t, "report", "progress", "payload")
	w.mu.Lock()
	r.reported = time.Now()
	if what == "progress" {
		r.progress = &gtf.Progress{Form: gtf.FormTotal, Current: int64(n), Total: 10}
	} else {
		r.fields[fmt.Sprint("field", n%2)] = n
	}
	w.mu.Unlock()
	r.step(func() {
		if what == "progress" {
			r.x.Progress(n, 10)
		} else if err := r.x.Payload(map[string]any{fmt.Sprint("field", n%2): n}); err != nil {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.complain("Payload in %v: %v", r, err)
		}
	})
}

func (w *modelWorld) register(t *rapid.T) {
	r := w.idle(t)
	kind := draw(t, "kind", modelAbortHandler, modelAbortHandler, modelCleanupHandler)
	does := draw(t, "does", doesWell, doesWell, doesFail, doesPanic, doesWait, doesIgnore)
	r.step(func() { r.register(kind, does) })
}

func (w *modelWorld) finish(t *rapid.T) {
	r := w.idle(t)
	r.returns <- modelReturn{draw(t, "returns", returnsValue, returnsError, returnsError, returnsFinal, returnsPanic, returnsGoexit), "done"}
	synctest.Wait()
}

// release lets a handler go on.
func (w *modelWorld) release(t *rapid.T) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var waiting []*modelHandler
	for _, r := range w.runs {
		for _, h := range r.handlers {
			if !h.began.IsZero() && h.done.IsZero() {
				waiting = append(waiting, h)
			}
		}
	}
	if len(waiting) == 0 {
		t.Skip("no handler waits")
	}
	close(draw(t, "handler", waiting...).release)
	w.mu.Unlock()
	synctest.Wait()
	w.mu.Lock()
}

// disturb cuts a process off from the store, or has it lose one answer.
func (w *modelWorld) disturb(t *rapid.T) {
	p, how := draw(t, "process", w.procs...), draw(t, "link", string(linkRefuses), string(linkHangs), "loses an answer")
	if how == "loses an answer" {
		p.link.lose()
		w.lossy = true
	} else {
		p.link.set(modelLinkState(how))
	}
	synctest.Wait()
}

func (w *modelWorld) heal(t *rapid.T) {
	broken := slices.DeleteFunc(slices.Clone(w.procs), func(p *modelProc) bool { return p.link.calm(0) })
	if len(broken) == 0 {
		t.Skip("nothing is broken")
	}
	draw(t, "process", broken...).link.set(linkUp)
	synctest.Wait()
}

// declareLost is a reaper that is too fast: it takes the tasks of every worker that has been silent for a moment.
func (w *modelWorld) declareLost(t *rapid.T) {
	const silence = 2500 * time.Millisecond
	for _, p := range w.everyProc() {
		for worker := range p.link.workers() {
			if d, _ := p.link.silence(worker); d > silence {
				w.declared[worker] = true
			}
		}
	}
	taken, err := w.store.Reap(context.Background(), silence, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, tr := range taken {
		if w.signals != nil { // they never fail
			_ = w.signals.Publish(context.Background(), []gtf.Signal{
				{Kind: gtf.SignalFinished, ID: tr.ID}, {Kind: gtf.SignalWork, Queue: tr.Queue},
			})
		}
	}
	synctest.Wait()
}

func (w *modelWorld) stop(t *rapid.T) {
	p := draw(t, "process", w.procs...)
	if !p.stopping.IsZero() {
		t.Skip("it stops already")
	}
	p.stopping, p.limited = time.Now(), draw(t, "limited", false, true)
	go func() {
		ctx, cancel := context.Background(), context.CancelFunc(func() {})
		if p.limited {
			ctx, cancel = context.WithTimeout(ctx, modelGrace+5*time.Second)
		}
		defer cancel()
		p.stopped <- p.client.Stop(ctx)
	}()
	synctest.Wait()
}

func (w *modelWorld) restart(t *rapid.T) {
	i := slices.IndexFunc(w.procs, func(p *modelProc) bool { return p.over })
	if i < 0 {
		t.Skip("all processes run")
	}
	old := w.procs[i]
	w.former = append(w.former, old)
	w.procs[i] = w.newProc(t, old.name+"'", old.works)
	synctest.Wait()
}

func (w *modelWorld) pass(t *rapid.T) {
	w.passAll(t, draw(t, "time", 300*time.Millisecond, 2*time.Second, 7*time.Second, 12*time.Second, 25*time.Second, 45*time.Second))
}

// passAll looks after every second, so that not too much happens between two looks.
func (w *modelWorld) passAll(t *rapid.T, d time.Duration) {
	for ; d > 0; d -= time.Second {
		modelPass(min(d, time.Second))
		w.check(t)
		if t.Failed() {
			t.FailNow()
		}
	}
}

// settle repairs everything, has every function return, and waits: in the end no task may be left active (S3, S12).
func (w *modelWorld) settle(t *rapid.T) {
	w.open()
	w.passAll(t, 30*time.Second)
	for slices.ContainsFunc(w.procs, func(p *modelProc) bool { return p.over }) {
		w.restart(t)
	}
	w.passAll(t, 90*time.Second)
	for _, task := range w.tasks {
		if modelActive(task.status) {
			t.Errorf("%v is %s for ever: attempt %d, bound to worker %q", task, task.status, task.attempt, task.worker)
		}
	}
	for _, p := range w.procs {
		if err := p.client.Stop(context.Background()); err != nil {
			t.Errorf("Stop of %v: %v", p, err)
		}
	}
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.runs {
		if !r.over() {
			t.Errorf("%v is not over: returned %+v, handlers %v", r, r.ret, r.handlers)
		}
	}
}

// open removes every obstacle.
func (w *modelWorld) open() {
	for _, p := range w.everyProc() {
		p.link.set(linkUp)
	}
	synctest.Wait()
	for range 3 { // what is released may go on to the next obstacle
		w.mu.Lock()
		w.closing = true
		runs := slices.Clone(w.runs)
		for _, r := range runs {
			for _, h := range r.handlers {
				select {
				case <-h.release:
				default:
					close(h.release)
				}
			}
		}
		w.mu.Unlock()
		synctest.Wait()
		for _, r := range runs {
			select {
			case r.returns <- modelReturn{returnsValue, "closing"}:
			default:
			}
		}
		synctest.Wait()
	}
}

// close ends whatever still runs, also after a failure.
func (w *modelWorld) close() {
	w.open()
	for _, p := range w.everyProc() {
		_ = p.client.Stop(context.Background())
	}
	for range 10 { // handlers registered late
		w.open()
		modelPass(modelHandlerTime)
	}
	_ = w.store.Close()
}

// modelOutcomeError tells what Wait has to return.
func (t *modelTask) sameOutcome(out modelOut, err error) bool {
	kinds := map[gtf.Status]error{gtf.StatusFailure: gtf.ErrFailed, gtf.StatusAborted: gtf.ErrAborted, gtf.StatusTimedOut: gtf.ErrTimedOut}
	if t.status == gtf.StatusSuccess {
		return err == nil && fmt.Sprintf(`{"Text":%q}`, out.Text) == t.result
	}
	for _, kind := range slices.Collect(maps.Values(kinds)) {
		if errors.Is(err, kind) != (kind == kinds[t.status]) { //nolint:errorlint // the sentinels themselves
			return false
		}
	}
	return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}
