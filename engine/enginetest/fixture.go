package enginetest

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/globaltask/gtf"
)

// patience is when the suite gives up: far beyond what any engine needs.
const patience = 60 * time.Second

var (
	work  = gtf.Define[string, string]("enginetest.work", &gtf.DefineOpts[string]{Scope: gtf.ScopeSystem})
	other = gtf.Define[string, string]("enginetest.other", &gtf.DefineOpts[string]{Scope: gtf.ScopeSystem})
)

type (
	function = func(ctx context.Context, in string) (string, error)
	handle   = *gtf.Handle[string]
	change   = func(*gtf.Config)
)

// fixture is a test with its store and engine.
type fixture struct {
	*testing.T
	store   gtf.Store
	engine  gtf.Engine // nil: the store's own queue
	opts    *Options
	planner *gtf.Client // is not started
	journal journal
}

// client makes one that executes work by do, and stops it when the test ends.
func (f *fixture) client(store gtf.Store, do function, changes ...change) *gtf.Client {
	f.Helper()
	cfg := &gtf.Config{
		Backoff:       gtf.Backoff{Base: 10 * time.Millisecond, Max: 10 * time.Millisecond},
		ClaimInterval: 200 * time.Millisecond, ClaimPolling: 50 * time.Millisecond,
		LookInterval: 200 * time.Millisecond, LookPolling: 50 * time.Millisecond,
		Engine: f.engine,
		Grace:  10 * time.Second,
		Logger: slog.New(slog.NewTextHandler(f.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if do != nil {
		cfg.Handlers = []gtf.Handler{work.Handler(f.noted(do))}
	}
	for _, c := range changes {
		c(cfg)
	}
	c, err := gtf.New(store, cfg)
	f.must("gtf.New", err)
	f.Cleanup(func() {
		if err := stop(c); err != nil {
			f.Errorf("Stop: %v", err)
		}
	})
	return c
}

func stop(c *gtf.Client) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return c.Stop(ctx)
}

// start is client, started.
func (f *fixture) start(do function, changes ...change) *gtf.Client {
	f.Helper()
	c := f.client(f.store, do, changes...)
	f.must("Start", c.Start(f.Context()))
	return c
}

func queues(q map[string]int) change { return func(cfg *gtf.Config) { cfg.Queues = q } }
func slots(n int) change             { return queues(map[string]int{gtf.DefaultQueue: n}) }

// noted writes each attempt into the journal.
func (f *fixture) noted(do function) function {
	return func(ctx context.Context, in string) (string, error) {
		x := gtf.FromContext(ctx)
		f.journal.note(run{id: x.ID(), in: in, attempt: x.Attempt(), client: x.Client()})
		return do(ctx, in)
	}
}

// echo succeeds.
func echo(_ context.Context, in string) (string, error) { return in, nil }

// behind returns its input once the gate is open.
func behind(gate <-chan struct{}) function {
	return func(ctx context.Context, in string) (string, error) {
		select {
		case <-gate:
			return in, nil
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

// must ends the test if a step fails that the rest builds on.
func (f *fixture) must(what string, err error) {
	f.Helper()
	if err != nil {
		f.Fatalf("%s: %v", what, err)
	}
}

func (f *fixture) schedule(in string, opts *gtf.ScheduleOpts) handle {
	f.Helper()
	h, err := work.Schedule(f.Context(), f.planner, in, opts)
	f.must("Schedule", err)
	return h
}

// finish waits for the task's success.
func (f *fixture) finish(what string, h handle) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), patience)
	defer cancel()
	if _, err := h.Wait(ctx); err != nil {
		task, _ := f.store.Get(f.Context(), h.ID, gtf.Viewer{All: true})
		f.Fatalf("%s: Wait: %v; the task is %+v", what, err, task)
	}
}

// beyond schedules one more task and waits for its end: whatever was to be delivered before it in its queue has been.
func (f *fixture) beyond() {
	f.Helper()
	f.finish("a task behind the others", f.schedule("beyond", &gtf.ScheduleOpts{Priority: 9}))
}

func (f *fixture) get(id gtf.ID) *gtf.Task {
	f.Helper()
	task, err := f.store.Get(f.Context(), id, gtf.Viewer{All: true})
	f.must("Get", err)
	return task
}

func (f *fixture) status(what string, id gtf.ID, want gtf.Status) {
	f.Helper()
	if got := f.get(id).Status; got != want {
		f.Errorf("%s: the task is %s, want %s", what, got, want)
	}
}

// once tells whether tasks were run, each one time.
func (f *fixture) once(handles ...handle) {
	f.Helper()
	for _, h := range handles {
		if runs := f.journal.of(h.ID); len(runs) != 1 {
			f.Errorf("task %s was run %d times, want once", h.ID, len(runs))
		}
	}
}

func (f *fixture) never(what string, h handle) {
	f.Helper()
	if runs := f.journal.of(h.ID); len(runs) != 0 {
		f.Errorf("%s: the task was run %d times, want never", what, len(runs))
	}
}

// eventually looks again and again until the condition holds.
func (f *fixture) eventually(what string, condition func() bool) {
	f.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !condition() {
		select {
		case <-tick.C:
		case <-late:
			f.Fatalf("%s: not after %v", what, patience)
		}
	}
}

// noJobs waits until the engine has nothing left to deliver.
func (f *fixture) noJobs() {
	f.Helper()
	if f.engine != nil && f.opts.Jobs != nil {
		f.eventually("no job is left", func() bool { return f.opts.Jobs(f.T, f.engine) == 0 })
	}
}

func (f *fixture) needsEngine() {
	if f.engine == nil {
		f.Skip("the store's own queue has no jobs apart from its rows")
	}
}

// begin begins a transaction of the first kind there is.
func (f *fixture) begin() (tx gtf.Tx, end func(commit bool) error) {
	f.Helper()
	for _, kind := range slices.Sorted(maps.Keys(f.opts.Begin)) {
		return f.opts.Begin[kind](f.T, f.store)
	}
	f.Skip("Options.Begin is not set")
	return nil, nil
}

// enqueue hands jobs to the engine, in a transaction of their own.
func (f *fixture) enqueue(jobs ...gtf.Delivery) {
	f.Helper()
	tx, end := f.begin()
	f.must("Enqueue", f.engine.Enqueue(f.Context(), tx, jobs))
	f.must("commit", end(true))
}

// receive waits for a channel.
func receive[V any](f *fixture, from <-chan V, what string) V {
	f.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		f.Fatalf("%s: not after %v", what, patience)
		panic("not reached")
	}
}

// together runs n goroutines at once and waits for them.
func together(n int, do func(i int)) {
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-begin
			do(i)
		})
	}
	close(begin)
	wg.Wait()
}

// run is one attempt that began.
type run struct {
	id      gtf.ID
	in      string
	attempt int
	client  *gtf.Client
}

// journal lists the runs in their order.
type journal struct {
	mu   sync.Mutex
	runs []run
}

func (j *journal) note(r run) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.runs = append(j.runs, r)
}

func (j *journal) all() []run {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.runs)
}

func (j *journal) of(id gtf.ID) []run {
	return slices.DeleteFunc(j.all(), func(r run) bool { return r.id != id })
}
