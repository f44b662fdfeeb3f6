package gtf_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/sqlitestore"
)

// The people of the tests. Ada and the guest have one id, on purpose.
var (
	ada   = gtf.Principal{Kind: gtf.KindUser, ID: "7", Name: "Ada Lovelace"}
	guest = gtf.Principal{Kind: gtf.KindGuest, ID: "7", Name: "Somebody"}
	grace = gtf.Principal{Kind: gtf.KindUser, ID: "8", Name: "Grace Hopper"}
	alan  = gtf.Principal{Kind: gtf.KindUser, ID: "9", Name: "Alan Turing"}
	root  = gtf.Principal{Kind: gtf.KindUser, ID: "1", Name: "Root", Admin: true}

	host = gtf.Actor{Host: true}
)

// One type of each scope, keyed by its input, with what their functions mostly do.
var (
	privateWork = gtf.Define[string, string]("test.private", &gtf.DefineOpts[string]{Key: itself})
	sharedWork  = gtf.Define[string, string]("test.shared", &gtf.DefineOpts[string]{Scope: gtf.ScopeShared, Key: itself})
	systemWork  = gtf.Define[string, string]("test.system", &gtf.DefineOpts[string]{Scope: gtf.ScopeSystem, Key: itself})
)

type workFunc = func(ctx context.Context, in string) (string, error)

func itself(in string) string { return in }

func echo(_ context.Context, in string) (string, error) { return in, nil }

// untilAborted can be aborted, and works until then.
func untilAborted(ctx context.Context, _ string) (string, error) {
	gtf.FromContext(ctx).OnAbort(func(context.Context) error { return nil })
	<-ctx.Done()
	return "", context.Cause(ctx)
}

// executes is a Config for the three types, all with one function.
func executes(fn workFunc) *gtf.Config {
	return &gtf.Config{Handlers: []gtf.Handler{privateWork.Handler(fn), sharedWork.Handler(fn), systemWork.Handler(fn)}}
}

// schedule submits for whoever ctx is.
func schedule[In, Out any](ctx context.Context, t testing.TB, c *gtf.Client, def *gtf.Definition[In, Out], in In, opts *gtf.ScheduleOpts) *gtf.Handle[Out] {
	t.Helper()
	h, err := def.Schedule(ctx, c, in, opts)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// open is a fresh store on a file. Inside a bubble it takes the bubble's t, so that it is closed inside.
func open(t testing.TB) *sqlitestore.Store {
	t.Helper()
	return openFile(t, filepath.Join(t.TempDir(), "gtf.db"))
}

// openFile is a store on a file that others may have open: what another process would have.
func openFile(t testing.TB, path string) *sqlitestore.Store {
	t.Helper()
	store, err := sqlitestore.Open(context.Background(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return store
}

// newClient is a client that is not started. It is stopped at the end, and logs nothing unless cfg says where.
func newClient(t testing.TB, store gtf.Store, cfg *gtf.Config) *gtf.Client {
	t.Helper()
	var own gtf.Config
	if cfg != nil {
		own = *cfg
	}
	if own.Logger == nil {
		own.Logger = slog.New(slog.DiscardHandler)
	}
	c, err := gtf.New(store, &own)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(context.Background()); err != nil {
			t.Errorf("stop the client: %v", err)
		}
	})
	return c
}

// startClient is a client that works on its queues.
func startClient(t testing.TB, store gtf.Store, cfg *gtf.Config) *gtf.Client {
	t.Helper()
	c := newClient(t, store, cfg)
	if err := c.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	return c
}

// bubble runs a test by the bubble's clock. Stores and clients are opened inside, with the t that it gives.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// as acts for the user with this id.
func as(ctx context.Context, id string) context.Context {
	return gtf.WithPrincipal(ctx, gtf.Principal{ID: id})
}

// asAdmin acts for a user who is an admin in this request.
func asAdmin(ctx context.Context, id string) context.Context {
	return gtf.WithPrincipal(ctx, gtf.Principal{ID: id, Admin: true})
}

// asOne acts for a principal; for nobody it is the host.
func asOne(ctx context.Context, p gtf.Principal) context.Context { return gtf.WithPrincipal(ctx, p) }

// must is for steps that the rest of a test builds on.
func must[V any](t testing.TB) func(v V, err error) V {
	return func(v V, err error) V {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// get reads a task as the host, who sees everything.
func get(t testing.TB, c *gtf.Client, id gtf.ID) *gtf.Task {
	t.Helper()
	return must[*gtf.Task](t)(c.Get(context.Background(), id))
}

// all lists up to 100 tasks as the host.
func all(t testing.TB, c *gtf.Client) []*gtf.Task {
	t.Helper()
	return must[*gtf.TaskPage](t)(c.List(context.Background(), &gtf.ListParams{PageSize: 100})).Tasks
}

// wantStatus looks at the row.
func wantStatus(t testing.TB, c *gtf.Client, id gtf.ID, want gtf.Status) {
	t.Helper()
	if got := get(t, c, id).Status; got != want {
		t.Errorf("the task is %s, want %s", got, want)
	}
}

// wantErr compares by errors.Is; nil is no error.
func wantErr(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

// wantTaskError tells whether err is the outcome of a task, with this status.
func wantTaskError(t testing.TB, err error, want gtf.Status) gtf.TaskError {
	t.Helper()
	var outcome *gtf.TaskError
	if !errors.As(err, &outcome) {
		t.Fatalf("got error %v, want a *TaskError of status %s", err, want)
	}
	if outcome.Status != want {
		t.Errorf("the outcome is %v, want status %s", outcome, want)
	}
	return *outcome
}

// wantProblems compares the fields that a validation error names, in any order.
func wantProblems(t testing.TB, err error, fields ...string) {
	t.Helper()
	var invalid *gtf.ValidationError
	if !errors.As(err, &invalid) {
		t.Errorf("got error %v, want a *ValidationError for %s", err, strings.Join(fields, ", "))
		return
	}
	var got []string
	for _, p := range invalid.Problems {
		got = append(got, p.Field)
	}
	slices.Sort(got)
	slices.Sort(fields)
	if !slices.Equal(got, fields) {
		t.Errorf("problems with %v, want %v: %v", got, fields, err)
	}
}

// subscribers are "kind/id", sorted.
func subscribers(task *gtf.Task) []string {
	names := make([]string, len(task.Subscribers))
	for i, s := range task.Subscribers {
		names[i] = string(s.Kind) + "/" + s.ID
	}
	slices.Sort(names)
	return names
}

// recorder is a store that notes what is submitted.
type recorder struct {
	gtf.Store
	mu   sync.Mutex
	subs []gtf.Submission
}

func (r *recorder) Submit(ctx context.Context, subs []*gtf.Submission) ([]gtf.Submitted, error) {
	r.mu.Lock()
	for _, s := range subs {
		r.subs = append(r.subs, *s)
	}
	r.mu.Unlock()
	return r.Store.Submit(ctx, subs)
}

// last is the last submission.
func (r *recorder) last(t testing.TB) gtf.Submission {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.subs) == 0 {
		t.Fatal("nothing was submitted")
	}
	return r.subs[len(r.subs)-1]
}

// together runs n goroutines at once and waits for them.
func together(n int, do func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			do(i)
		})
	}
	close(start)
	wg.Wait()
}
