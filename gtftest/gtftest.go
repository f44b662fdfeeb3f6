// Package gtftest helps to test applications that use gtf.
//
// [New] is a client that works, on a store of its own, until the test ends. Inside a testing/synctest bubble everything
// runs by the bubble's clock: a task that is due in an hour, or runs into its time limit, costs no time. Call New inside
// the bubble and with the bubble's t, so that the client stops there too.
//
// What waits has no limit of its own: a task that never ends is ended by go test -timeout.
package gtftest

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/sqlitestore"
)

// New is a started client with these handlers on a fresh store, stopped when the test ends. Tasks that still run then are
// interrupted at once. What it logs appears if the test fails.
func New(t testing.TB, handlers ...gtf.Handler) *gtf.Client {
	t.Helper()
	return Start(t, &gtf.Config{Handlers: handlers})
}

// Start is New with other settings. The zero Grace is none here, and the zero Logger writes to the test's output.
func Start(t testing.TB, cfg *gtf.Config) *gtf.Client {
	t.Helper()
	c := Client(t, NewStore(t), cfg)
	if err := c.Start(t.Context()); err != nil {
		t.Fatalf("start the client: %v", err)
	}
	return c
}

// Client is a client that is not started: it schedules, watches and runs inline. It is stopped when the test ends. Several
// clients on one store are what several processes would be.
func Client(t testing.TB, store gtf.Store, cfg *gtf.Config) *gtf.Client {
	t.Helper()
	var own gtf.Config
	if cfg != nil {
		own = *cfg
	}
	if own.Grace == 0 {
		own.Grace = gtf.None
	}
	if own.Logger == nil {
		own.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	c, err := gtf.New(store, &own)
	if err != nil {
		t.Fatalf("make the client: %v", err)
	}
	t.Cleanup(func() {
		if err := c.Stop(context.Background()); err != nil {
			t.Errorf("stop the client: %v", err)
		}
	})
	return c
}

// NewStore is a fresh SQLite store in a file, closed when the test ends.
func NewStore(t testing.TB) gtf.Store {
	t.Helper()
	store, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "gtf.db"), nil)
	if err != nil {
		t.Fatalf("open a store: %v", err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return store
}

// Wait returns the output of a task that must succeed; otherwise the test ends with its error.
func Wait[Out any](t testing.TB, h *gtf.Handle[Out]) Out {
	t.Helper()
	out, err := h.Wait(t.Context())
	if err != nil {
		t.Fatalf("wait: %v", err)
	}
	return out
}

// WaitStatus returns the task once it has the status. It is for statuses that last: one that the task passes quickly may
// not be noticed. A task that ends in another status ends the test.
func WaitStatus(t testing.TB, c *gtf.Client, id gtf.ID, want gtf.Status) *gtf.Task {
	t.Helper()
	last := gtf.Status("")
	for task, err := range c.Attach(id).Watch(t.Context()) {
		if err != nil {
			t.Fatalf("watch task %s: %v", id, err)
		}
		if task.Status == want {
			return task
		}
		last = task.Status
	}
	t.Fatalf("task %s ended as %s and was not seen as %s", id, last, want)
	return nil
}
