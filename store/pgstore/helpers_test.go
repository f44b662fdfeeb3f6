package pgstore_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx of database/sql

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/pgstore"
)

// patience is when a test gives up on what has to happen.
const patience = 60 * time.Second

// The types of the tests. All are shared, so that a key is one task, and nobody needs to be named.
var (
	work = gtf.Define[string, string]("test.work", &gtf.DefineOpts[string]{
		Scope: gtf.ScopeShared, Key: itself, MaxAttempts: 100, Backoff: gtf.Backoff{Base: 50 * time.Millisecond, Max: 200 * time.Millisecond},
	})
	other = gtf.Define[string, string]("test.other", &gtf.DefineOpts[string]{Scope: gtf.ScopeShared, Key: itself})
)

func itself(in string) string { return in }

func echo(_ context.Context, in string) (string, error) { return in, nil }

var host = gtf.Viewer{All: true}

// does is a Config whose tasks all call fn.
func does(fn func(ctx context.Context, in string) (string, error)) *gtf.Config {
	return &gtf.Config{Handlers: []gtf.Handler{work.Handler(fn), other.Handler(fn)}}
}

// patiently is does for a worker that only signals can wake.
func patiently(fn func(ctx context.Context, in string) (string, error)) *gtf.Config {
	cfg := does(fn)
	cfg.ClaimInterval, cfg.ClaimPolling, cfg.LookInterval, cfg.LookPolling = time.Hour, time.Hour, time.Hour, time.Hour
	return cfg
}

// hurriedly is does with a heartbeat so short that a worker is soon lost.
func hurriedly(fn func(ctx context.Context, in string) (string, error)) *gtf.Config {
	cfg := does(fn)
	cfg.Heartbeat, cfg.FenceAfter, cfg.WorkerTimeout = 300*time.Millisecond, time.Second, 2*time.Second
	cfg.LookPolling, cfg.ClaimPolling, cfg.ClaimInterval, cfg.LookInterval = 200*time.Millisecond, 200*time.Millisecond, time.Second, time.Second
	return cfg
}

// newClient is one that is not started. It is stopped before the store of an earlier cleanup is closed.
func newClient(t *testing.T, store gtf.Store, cfg *gtf.Config) *gtf.Client {
	t.Helper()
	if cfg == nil {
		cfg = &gtf.Config{}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c, err := gtf.New(store, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := c.Stop(ctx); err != nil {
			t.Errorf("stop the client: %v", err)
		}
	})
	return c
}

func startClient(t *testing.T, store gtf.Store, cfg *gtf.Config) *gtf.Client {
	t.Helper()
	c := newClient(t, store, cfg)
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// openURL opens a store until the test ends, with the schema brought up to date.
func openURL(t *testing.T, url string, opts *pgstore.Options) *pgstore.Store {
	t.Helper()
	var o pgstore.Options
	if opts != nil {
		o = *opts
	}
	o.Migrate = true
	store, err := pgstore.Open(t.Context(), url, &o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, store) })
	return store
}

func closeStore(t *testing.T, store *pgstore.Store) {
	t.Helper()
	if err := store.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// connect opens a connection of the test's own.
func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func exec(t *testing.T, conn *pgx.Conn, query string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// count reads a number.
func count(t *testing.T, conn *pgx.Conn, query string, args ...any) int {
	t.Helper()
	var n int
	if err := conn.QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// beginPgx starts a transaction of a connection of its own.
func beginPgx(t *testing.T, url string) (tx gtf.Tx, commit, rollback func()) {
	t.Helper()
	own, err := connect(t, url).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return pgstore.Tx(own), func() { ended(t, own.Commit(t.Context())) }, func() { ended(t, own.Rollback(t.Context())) }
}

// beginSQL is the same by database/sql.
func beginSQL(t *testing.T, url string) (tx gtf.Tx, commit, rollback func()) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	own, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return pgstore.SQLTx(own), func() { ended(t, own.Commit()) }, func() { ended(t, own.Rollback()) }
}

// ended tells of a transaction that could not be ended. A connection that is gone has rolled back.
func ended(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, pgx.ErrTxCommitRollback) && !errors.Is(err, pgx.ErrTxClosed) && !errors.Is(err, sql.ErrTxDone) {
		t.Logf("end the transaction: %v", err)
	}
}

// eventually asks until the answer is yes.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	giveUp := time.After(patience)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-giveUp:
			t.Fatalf("after %v: not %s", patience, what)
		}
	}
}

// receive waits for an event.
func receive[V any](t *testing.T, from <-chan V, what string) (v V) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		t.Fatalf("after %v: not %s", patience, what)
	}
	return v
}

// holds waits for d and tells whether nothing came in that time.
func silent[V any](from <-chan V, d time.Duration) bool {
	select {
	case <-from:
		return false
	case <-time.After(d):
		return true
	}
}

// must is for steps that the rest of a test builds on.
func must[V any](t *testing.T) func(v V, err error) V {
	return func(v V, err error) V {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// within ends with the test, or when patience is over.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func schedule(t *testing.T, c *gtf.Client, in string, opts *gtf.ScheduleOpts) *gtf.Handle[string] {
	t.Helper()
	return must[*gtf.Handle[string]](t)(work.Schedule(within(t), c, in, opts))
}

// linked waits until signals of other processes arrive.
func linked(t *testing.T, c *gtf.Client) {
	t.Helper()
	eventually(t, "linked", func() bool { return c.LinkError() == nil })
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
