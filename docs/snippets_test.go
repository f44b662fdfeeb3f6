package docs_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/gtftest"
	"github.com/globaltask/gtf/store/sqlitestore"
)

// What the pages show and no example has, so that it is compiled and run.

var (
	compress = gtf.Define[string, string]("file.compress", &gtf.DefineOpts[string]{Abortable: true, Scope: gtf.ScopeSystem})
	charge   = gtf.Define[order, string]("order.charge", &gtf.DefineOpts[order]{MaxAttempts: 5, Scope: gtf.ScopeSystem})
	monthly  = gtf.Define[[]string, []string]("report.monthly", &gtf.DefineOpts[[]string]{Abortable: true, Scope: gtf.ScopeSystem})
	page     = gtf.Define[string, string]("report.page", &gtf.DefineOpts[string]{
		Key: func(name string) string { return name }, Scope: gtf.ScopeShared,
	})
)

func runCompressor(ctx context.Context, file string) (string, error) {
	cmd := exec.CommandContext(ctx, "gzip", "--keep", "--force", file) // killed when ctx ends
	cmd.WaitDelay = 5 * time.Second                                    // then its output is given up, too
	if out, err := cmd.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx) // the program is not to blame
		}
		return "", fmt.Errorf("compress %s: %w: %s", file, err, out)
	}
	return file + ".gz", nil
}

type order struct {
	Number string `json:"number"`
	Cents  int    `json:"cents"`
}

// bank takes an idempotency key: what it has done under one, it does not do again.
type bank interface {
	Charge(ctx context.Context, key string, cents int) (receipt string, err error)
}

type cashier struct{ bank bank }

func (c *cashier) charge(ctx context.Context, in order) (string, error) {
	key := gtf.FromContext(ctx).ID().String() // the same in every attempt
	receipt, err := c.bank.Charge(ctx, key, in.Cents)
	if errors.Is(err, errRefused) {
		return "", gtf.NoRetry(err) // the next attempt would only hear the same
	}
	return receipt, err
}

var errRefused = errors.New("the bank refuses")

// binder runs other tasks inside its own.
type binder struct{ client *gtf.Client }

func (b *binder) bind(ctx context.Context, names []string) ([]string, error) {
	var files []string
	for i, name := range names {
		file, err := page.Run(ctx, b.client, name, nil) // joins whoever makes this page already
		if err != nil {
			return nil, fmt.Errorf("page %s: %w", name, err)
		}
		files = append(files, file)
		gtf.FromContext(ctx).Progress(i+1, len(names))
	}
	return files, nil
}

// tell says how a task ended, or that the wait did.
func tell[Out any](ctx context.Context, h *gtf.Handle[Out]) string {
	out, err := h.Wait(ctx)
	failed, isOutcome := errors.AsType[*gtf.TaskError](err)
	switch {
	case err == nil:
		return fmt.Sprint("done: ", out)
	case errors.Is(err, gtf.ErrAborted):
		return "somebody stopped it"
	case errors.Is(err, gtf.ErrTimedOut):
		return "it took too long"
	case isOutcome:
		return "it failed: " + failed.Reason
	default: // a *gtf.WaitError, gtf.ErrNotFound, or the store's error: it says nothing about the task
		return "the wait ended"
	}
}

// backup copies the database into a new file while others use it.
func backup(ctx context.Context, from, to string) error {
	db, err := sql.Open("sqlite", from) // the driver of sqlitestore
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", to)
	return errors.Join(err, db.Close())
}

func TestSnippets(t *testing.T) {
	t.Parallel()
	t.Run("a program ends with the context", func(t *testing.T) {
		t.Parallel()
		if _, err := exec.LookPath("gzip"); err != nil {
			t.Skip("gzip is missing")
		}
		file := filepath.Join(t.TempDir(), "text")
		if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
			t.Fatal(err)
		}
		client := gtftest.New(t, compress.Handler(runCompressor))
		h, err := compress.Schedule(t.Context(), client, file, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(gtftest.Wait(t, h)); err != nil {
			t.Error(err)
		}
	})

	t.Run("an idempotency key is the same in each attempt", func(t *testing.T) {
		t.Parallel()
		b := &fakeBank{busy: 1}
		client := gtftest.Start(t, &gtf.Config{
			Backoff:  gtf.Backoff{Base: time.Millisecond},
			Handlers: []gtf.Handler{charge.Handler((&cashier{bank: b}).charge)},
		})
		h, err := charge.Schedule(t.Context(), client, order{Number: "7", Cents: 100}, nil)
		if err != nil {
			t.Fatal(err)
		}
		gtftest.Wait(t, h)
		if len(b.keys) != 2 || b.keys[0] != b.keys[1] || b.keys[0] != h.ID.String() {
			t.Errorf("the bank saw the keys %q, want twice that of the task", b.keys)
		}
		refused, err := charge.Schedule(t.Context(), client, order{Number: "8", Cents: -1}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := tell(t.Context(), refused), "it failed: the bank refuses"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if len(b.keys) != 3 {
			t.Errorf("the bank was asked %d times, want no retry of what it refuses", len(b.keys))
		}
	})

	t.Run("a task may run others", func(t *testing.T) {
		t.Parallel()
		b := &binder{}
		b.client = gtftest.New(t, monthly.Handler(b.bind),
			page.Handler(func(_ context.Context, name string) (string, error) { return name + ".pdf", nil }))
		h, err := monthly.Schedule(t.Context(), b.client, []string{"sales", "costs"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := tell(t.Context(), h), "done: [sales.pdf costs.pdf]"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})

	t.Run("a backup has the tasks", func(t *testing.T) {
		t.Parallel()
		ctx, dir := t.Context(), t.TempDir()
		store, err := sqlitestore.Open(ctx, filepath.Join(dir, "gtf.db"), &sqlitestore.Options{Synchronous: "FULL"})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		client := gtftest.Client(t, store, nil)
		h, err := page.Schedule(ctx, client, "sales", nil)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, "copy.db")
		if err := backup(ctx, filepath.Join(dir, "gtf.db"), to); err != nil {
			t.Fatal(err)
		}
		copied, err := sqlitestore.Open(ctx, to, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer copied.Close()
		if _, err := gtftest.Client(t, copied, nil).Get(ctx, h.ID); err != nil {
			t.Errorf("the copy does not have the task: %v", err)
		}
	})
}

// fakeBank is busy a few times, and refuses amounts below zero.
type fakeBank struct {
	busy int
	keys []string
}

// Charge remembers the key.
func (b *fakeBank) Charge(_ context.Context, key string, cents int) (string, error) {
	b.keys = append(b.keys, key)
	if cents < 0 {
		return "", errRefused
	}
	if b.busy--; b.busy >= 0 {
		return "", errors.New("the bank is busy")
	}
	return "receipt", nil
}
