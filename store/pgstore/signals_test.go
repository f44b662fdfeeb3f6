package pgstore_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/dbtest"
	"github.com/globaltask/gtf/internal/servers"
	"github.com/globaltask/gtf/store/pgstore"
)

// ear is a listener that remembers.
type ear struct {
	mu     sync.Mutex
	heard  []gtf.Signal
	links  []error
	cancel context.CancelFunc
	over   chan struct{}
}

func (e *ear) Signal(s gtf.Signal) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, s)
}

func (e *ear) Link(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.links = append(e.links, err)
}

// changes are what was said of the link so far.
func (e *ear) changes() []error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.links)
}

func (e *ear) has(s gtf.Signal) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Contains(e.heard, s)
}

// listen begins to, until the test ends.
func listen(t *testing.T, store *pgstore.Store) *ear {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	e := &ear{cancel: cancel, over: make(chan struct{})}
	go func() {
		defer close(e.over)
		store.Signals().Listen(ctx, e)
	}()
	t.Cleanup(func() { e.stop(t) })
	return e
}

// stop tells how long it took.
func (e *ear) stop(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	e.cancel()
	receive(t, e.over, "returned from Listen")
	return time.Since(began)
}

// linked waits until signals arrive, after at least n changes before.
func (e *ear) linked(t *testing.T, n int) {
	t.Helper()
	eventually(t, "linked", func() bool {
		links := e.changes()
		return len(links) > n && links[len(links)-1] == nil
	})
}

// unlinked waits until it is said that they do not.
func (e *ear) unlinked(t *testing.T, n int) {
	t.Helper()
	eventually(t, "unlinked", func() bool {
		links := e.changes()
		return len(links) > n && links[n] != nil
	})
}

// hears sends a signal until it arrives.
func (e *ear) hears(t *testing.T, from *pgstore.Store) {
	t.Helper()
	s := gtf.Signal{Kind: gtf.SignalChanged, ID: gtf.NewID()}
	eventually(t, "heard", func() bool {
		if err := from.Signals().Publish(within(t), []gtf.Signal{s}); err != nil {
			t.Errorf("Publish: %v", err)
		}
		return e.has(s)
	})
}

// listeners counts the connections that listen on the database of conn, and kills them if asked.
const (
	listeners     = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'LISTEN %'"
	killListeners = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'LISTEN %'"
)

func TestListen(t *testing.T) {
	t.Parallel()
	t.Run("tells when its connection is killed, and hears again", func(t *testing.T) {
		t.Parallel()
		url := dbtest.Postgres(t)
		store := openURL(t, url, nil)
		e := listen(t, store)
		e.linked(t, 0)
		conn := connect(t, url)
		for round := range 3 {
			if n := count(t, conn, killListeners); n != 1 {
				t.Fatalf("round %d: %d connections listen, want 1", round, n)
			}
			e.unlinked(t, 2*round+1)
			e.linked(t, 2*round+2)
			e.hears(t, store)
		}
		for i, err := range e.changes() {
			if (err == nil) != (i%2 == 0) {
				t.Errorf("change %d of the link is %v: it was said already", i, err)
			}
		}
	})

	t.Run("leaves no connection behind", func(t *testing.T) {
		t.Parallel()
		url := dbtest.Postgres(t)
		store, conn := openURL(t, url, nil), connect(t, url)
		for range 5 {
			e := listen(t, store)
			e.linked(t, 0)
			e.stop(t)
		}
		eventually(t, "without listeners", func() bool { return count(t, conn, listeners) == 0 })
	})

	t.Run("wakes everybody for what it does not understand", func(t *testing.T) {
		t.Parallel()
		url := dbtest.Postgres(t)
		e := listen(t, openURL(t, url, &pgstore.Options{ChannelPrefix: "My \"odd\" prefix:"}))
		e.linked(t, 0)
		conn := connect(t, url)
		for _, garbage := range []string{"", "hello", "{", "\x01", strings.Repeat("x", 7000)} {
			e.mu.Lock()
			e.heard = nil
			e.mu.Unlock()
			exec(t, conn, "SELECT pg_notify($1, $2)", "My \"odd\" prefix:gtf", garbage)
			eventually(t, "woken by "+garbage, func() bool { return e.has(gtf.Signal{Kind: gtf.SignalAny}) })
		}
		if links := e.changes(); len(links) != 1 {
			t.Errorf("the link has changed: %v", links)
		}
	})

	t.Run("goes by the listen URL", func(t *testing.T) {
		t.Parallel()
		url := dbtest.Postgres(t)
		proxy, through := dbtest.Proxy(t, url)
		e := listen(t, openURL(t, url, &pgstore.Options{ListenURL: through}))
		e.linked(t, 0)
		direct := openURL(t, url, nil)
		e.hears(t, direct)
		proxy.Reset()
		e.unlinked(t, 1)
		e.linked(t, 2)
		e.hears(t, direct)
	})

	t.Run("notices a connection that is dead and silent", func(t *testing.T) {
		t.Parallel()
		url := dbtest.Postgres(t)
		proxy, through := dbtest.Proxy(t, url)
		store := openURL(t, url, &pgstore.Options{ListenURL: through})
		store.TestAfter(300 * time.Millisecond)
		e := listen(t, store)
		e.linked(t, 0)
		if !silent(e.over, time.Second) || len(e.changes()) != 1 {
			t.Errorf("silence alone has changed the link: %v", e.changes())
		}
		proxy.Cut()
		e.unlinked(t, 1)
		proxy.Heal()
		e.linked(t, 2)
		e.hears(t, store)
	})

	t.Run("returns promptly, whatever the server does", func(t *testing.T) {
		t.Parallel()
		url := dbtest.Postgres(t)
		proxy, through := dbtest.Proxy(t, url)
		store := openURL(t, url, &pgstore.Options{ListenURL: through})
		e := listen(t, store)
		e.linked(t, 0)
		proxy.Cut()
		if took := e.stop(t); took > 3*time.Second {
			t.Errorf("with a network that is cut it took %v", took)
		}
		e = listen(t, store) // is accepted, and gets no answer
		if !silent(e.over, 300*time.Millisecond) {
			t.Error("Listen returned by itself")
		}
		if took := e.stop(t); took > 3*time.Second {
			t.Errorf("while it connects it took %v", took)
		}
	})
}

func TestServerThatComesAndGoes(t *testing.T) {
	t.Parallel()
	server := dbtest.OwnPostgres(t, nil)
	store := openURL(t, server.URL(), nil)
	e := listen(t, store)
	e.linked(t, 0)

	if err := server.Restart(t.Context(), servers.Fast); err != nil {
		t.Fatal(err)
	}
	e.unlinked(t, 1)
	e.linked(t, 2)
	e.hears(t, store)

	if err := server.Restart(t.Context(), servers.Immediate); err != nil {
		t.Fatal(err)
	}
	e.linked(t, 4)
	e.hears(t, store)

	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	if took := e.stop(t); took > 3*time.Second {
		t.Errorf("with a server that hangs, Listen took %v to return", took)
	}
	if err := server.Continue(); err != nil {
		t.Fatal(err)
	}
}
