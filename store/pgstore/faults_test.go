package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/dbtest"
	"github.com/globaltask/gtf/internal/servers"
	"github.com/globaltask/gtf/store/pgstore"
)

// once checks that every task of a schema has ended in success, and how many there are.
func once(t *testing.T, conn *pgx.Conn, schema string, tasks int) {
	t.Helper()
	for what, want := range map[string]int{
		"true":                  tasks,
		"status = 'success'":    tasks,
		"result IS NULL":        0,
		"dedup_key <> id::text": 0,
		"ended_at IS NULL":      0,
	} {
		if n := count(t, conn, "SELECT count(*) FROM "+schema+".tasks WHERE "+what); n != want {
			t.Errorf("%d tasks with %s, want %d", n, what, want)
		}
	}
	if n := count(t, conn, "SELECT count(*) - count(DISTINCT key) FROM "+schema+".tasks"); n != 0 {
		t.Errorf("%d keys have more than one task", n)
	}
}

func TestLostAnswers(t *testing.T) {
	t.Parallel()
	direct := dbtest.Postgres(t)

	t.Run("of submits leave at most one task of a key", func(t *testing.T) {
		t.Parallel()
		proxy, through := dbtest.Proxy(t, direct)
		opts := &pgstore.Options{Schema: "lost_submits", StatementTimeout: time.Second}
		store := openURL(t, through+andOption(through)+"pool_max_conns=1", opts) // which has all statements prepared, soon
		startClient(t, openURL(t, direct, opts), hurriedly(echo))
		cfg := hurriedly(echo)
		cfg.Signals = &gtf.LocalSignals{} // nothing but submits goes through the proxy
		c := newClient(t, store, cfg)
		const n = 10
		together(n, func(i int) {
			_, _ = work.Schedule(within(t), c, fmt.Sprint("before ", i), nil)
		})
		proxy.CutReplies()
		together(n, func(i int) {
			if _, err := work.Schedule(within(t), c, fmt.Sprint(i), nil); !errors.Is(err, gtf.ErrUnavailable) {
				t.Errorf("Schedule whose answer is lost gives %v, want ErrUnavailable", err)
			}
		})
		proxy.Heal()
		proxy.Reset()
		conn := connect(t, direct)
		eventually(t, "all ended", func() bool {
			return count(t, conn, "SELECT count(*) FROM lost_submits.tasks WHERE ended_at IS NULL") == 0
		})
		stored := count(t, conn, "SELECT count(*) FROM lost_submits.tasks")
		if stored <= n || stored > 2*n {
			t.Errorf("%d tasks are stored, want %d and some of the submits whose answer was lost", stored, n)
		}
		once(t, conn, "lost_submits", stored)
	})

	t.Run("of claims and finishes strand nothing and double nothing", func(t *testing.T) {
		t.Parallel()
		proxy, through := dbtest.Proxy(t, direct)
		opts := &pgstore.Options{Schema: "lost_outcomes", StatementTimeout: time.Second}
		worker := startClient(t, openURL(t, through, opts), hurriedly(func(ctx context.Context, in string) (string, error) {
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
			}
			return in, nil
		}))
		linked(t, worker)
		web := newClient(t, openURL(t, direct, opts), hurriedly(echo))
		const rounds, each = 6, 8
		var handles []*gtf.Handle[string]
		for round := range rounds {
			for i := range each {
				handles = append(handles, schedule(t, web, fmt.Sprint(round, " ", i), nil))
			}
			<-time.After(time.Duration(round*9) * time.Millisecond) // cut in the midst of claims, or of finishes
			proxy.CutReplies()
			<-time.After(150 * time.Millisecond)
			proxy.Reset() // what was done is done, and nobody is told
			proxy.Heal()
		}
		for _, h := range handles {
			must[string](t)(h.Wait(within(t)))
		}
		once(t, connect(t, direct), "lost_outcomes", rounds*each)
	})

	t.Run("of inline runs are found out", func(t *testing.T) {
		t.Parallel()
		proxy, through := dbtest.Proxy(t, direct)
		opts := &pgstore.Options{Schema: "lost_runs", StatementTimeout: time.Second}
		begun, gate := make(chan struct{}, 1), make(chan struct{})
		c := newClient(t, openURL(t, through, opts), hurriedly(func(_ context.Context, in string) (string, error) {
			begun <- struct{}{}
			<-gate
			return in, nil
		}))
		answer := make(chan error, 1)
		go func() {
			_, err := work.Run(within(t), c, "key", nil)
			answer <- err
		}()
		receive(t, begun, "begun")
		proxy.CutReplies()
		close(gate) // its outcome is stored, and the answer is lost
		<-time.After(200 * time.Millisecond)
		proxy.Reset()
		proxy.Heal()
		if err := receive(t, answer, "answered"); err != nil {
			t.Errorf("Run: %v", err)
		}
		once(t, connect(t, direct), "lost_runs", 1)
	})
}

func TestCutOff(t *testing.T) {
	t.Parallel()
	direct := dbtest.Postgres(t)
	proxy, through := dbtest.Proxy(t, direct)
	opts := &pgstore.Options{StatementTimeout: time.Second}
	begun, causes := make(chan struct{}, 10), make(chan error, 10)
	cut := startClient(t, openURL(t, through, opts), hurriedly(func(ctx context.Context, _ string) (string, error) {
		begun <- struct{}{}
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return "late", nil
	}))
	linked(t, cut)
	web := newClient(t, openURL(t, direct, opts), hurriedly(echo))
	h := schedule(t, web, "key", nil)
	receive(t, begun, "begun")

	proxy.Cut()
	began := time.Now()
	if err := receive(t, causes, "ended"); !errors.Is(err, gtf.ErrFenced) {
		t.Errorf("the execution's context ended with %v, want ErrFenced", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("that took %v, more than the worker timeout", took)
	}
	startClient(t, openURL(t, direct, opts), hurriedly(func(_ context.Context, in string) (string, error) { return "in time", nil }))
	if got := must[string](t)(h.Wait(within(t))); got != "in time" {
		t.Errorf("the output is %q, want that of the other worker", got)
	}
	task := must[*gtf.Task](t)(web.Get(t.Context(), h.ID))
	proxy.Heal()
	eventually(t, "back under another id", func() bool {
		living := 0
		for _, w := range must[[]gtf.Worker](t)(web.Workers(t.Context())) {
			if !w.Lost && w.ID != task.Worker {
				living++
			}
		}
		return living > 0
	})
	if now := must[*gtf.Task](t)(web.Get(t.Context(), h.ID)); now.Version != task.Version || string(now.Result) != `"in time"` {
		t.Errorf("the late result has changed the task: %s, version %d after %d", now.Result, now.Version, task.Version)
	}
	if len(task.Attempts) != 1 || task.Attempt != 2 {
		t.Errorf("the task shows %d earlier attempts, number %d", len(task.Attempts), task.Attempt)
	}
}

func TestRestartInTheMiddle(t *testing.T) {
	t.Parallel()
	server := dbtest.OwnPostgres(t, nil)
	store := func() *pgstore.Store {
		return openURL(t, server.URL(), &pgstore.Options{StatementTimeout: 2 * time.Second})
	}
	fn := func(ctx context.Context, in string) (string, error) {
		select {
		case <-time.After(30 * time.Millisecond):
		case <-ctx.Done():
		}
		return in, nil
	}
	workers := [2]*gtf.Client{startClient(t, store(), hurriedly(fn)), startClient(t, store(), hurriedly(fn))}
	web := newClient(t, store(), hurriedly(fn))
	linked(t, workers[0])
	linked(t, workers[1])

	const n = 200
	items := make([]gtf.Item[string], n)
	for i := range items {
		items[i] = gtf.Item[string]{In: fmt.Sprint(i)}
	}
	handles := must[[]*gtf.Handle[string]](t)(work.ScheduleMany(within(t), web, items))
	var waiters sync.WaitGroup
	for i, h := range handles[:20] {
		waiters.Go(func() {
			if got, err := h.Wait(within(t)); err != nil || got != fmt.Sprint(i) {
				t.Errorf("Wait %d: %q, %v", i, got, err)
			}
		})
	}
	waiters.Go(func() {
		last := gtf.Status("")
		for task, err := range handles[n-1].Watch(within(t)) {
			if err != nil {
				t.Errorf("Watch: %v", err)
				return
			}
			last = task.Status
		}
		if last != gtf.StatusSuccess {
			t.Errorf("Watch ended with a task that is %q", last)
		}
	})
	running, release := make(chan struct{}), make(chan struct{})
	inline := newClient(t, store(), hurriedly(func(_ context.Context, in string) (string, error) {
		close(running)
		<-release
		return in, nil
	}))
	waiters.Go(func() {
		if got, err := other.Run(within(t), inline, "inline", nil); err != nil || got != "inline" {
			t.Errorf("Run: %q, %v", got, err)
		}
	})
	receive(t, running, "running inline")
	conn := must[*pgx.Conn](t)(pgx.Connect(t.Context(), server.URL()))
	eventually(t, "in the middle", func() bool { return count(t, conn, "SELECT count(*) FROM gtf.tasks WHERE status = 'success'") > 20 })
	_ = conn.Close(t.Context())
	if err := server.Restart(t.Context(), servers.Immediate); err != nil {
		t.Fatal(err)
	}
	close(release)
	waiters.Wait()
	for _, h := range handles {
		must[string](t)(h.Wait(within(t)))
	}
	once(t, connect(t, server.URL()), "gtf", n+1)
}
