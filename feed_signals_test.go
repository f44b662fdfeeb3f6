package gtf_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf"
)

// overSQLite is a store whose changes are a ledger's, and all else is real.
type overSQLite struct {
	gtf.Store
	*ledger
}

func (o overSQLite) Changes(ctx context.Context, p *gtf.ChangesParams, v gtf.Viewer) (*gtf.Changes, error) {
	return o.ledger.Changes(ctx, p, v)
}

// watched is a client, and a function that fails if what it does wakes no feed of another process: one that hears what the
// wire brings, and hardly ever looks.
func watched(t *testing.T, cfg *gtf.Config) (c *gtf.Client, step func(name string, do func())) {
	t.Helper()
	store, between, reads := open(t), &wire{}, &ledger{}
	cfg.Signals = between
	c = newClient(t, store, cfg)
	other := newClient(t, overSQLite{store, reads}, &gtf.Config{Signals: between, LookInterval: 24 * time.Hour})
	follow(t.Context(), other, "")
	synctest.Wait()
	time.Sleep(time.Second)
	return c, func(name string, do func()) {
		t.Helper()
		before := len(reads.all())
		do()
		synctest.Wait()
		if len(reads.all()) == before {
			t.Errorf("%s: no feed is woken", name)
		}
		time.Sleep(time.Second)
	}
}

func TestFeedIsWoken(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T, c *gtf.Client) {
		t.Helper()
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("by each step of a scheduled task", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			report, end := make(chan struct{}), make(chan struct{})
			c, step := watched(t, executes(func(ctx context.Context, in string) (string, error) {
				<-report
				gtf.FromContext(ctx).Fraction(0.5)
				<-end
				return in, nil
			}))
			step("submitted", func() { schedule(as(t.Context(), "ada"), t, c, sharedWork, "key", nil) })
			step("joined", func() { schedule(as(t.Context(), "bob"), t, c, sharedWork, "key", nil) })
			step("begun", func() { start(t, c) })
			step("reported", func() { report <- struct{}{}; time.Sleep(time.Second) })
			step("finished", func() { end <- struct{}{} })
		})
	})
	t.Run("by each step of an inline task", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			end := make(chan struct{})
			c, step := watched(t, executes(func(context.Context, string) (string, error) { <-end; return "", nil }))
			step("begun", func() { must[*gtf.Handle[string]](t)(privateWork.Start(as(t.Context(), "ada"), c, "key", nil)) })
			step("finished", func() { end <- struct{}{} })
		})
	})
	t.Run("by each way to cancel", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			c, step := watched(t, executes(untilAborted))
			cancel := func(h *gtf.Handle[string], who string) {
				t.Helper()
				must[*gtf.Canceled](t)(c.Cancel(as(t.Context(), who), h.ID, nil))
			}
			h := schedule(as(t.Context(), "ada"), t, c, privateWork, "waiting", nil)
			time.Sleep(time.Second)
			step("cancelled before it began", func() { cancel(h, "ada") })
			start(t, c)
			h = schedule(as(t.Context(), "ada"), t, c, sharedWork, "key", nil)
			schedule(as(t.Context(), "bob"), t, c, sharedWork, "key", nil)
			time.Sleep(time.Second)
			step("left", func() { cancel(h, "bob") })
			step("aborted", func() { cancel(h, "ada") })
		})
	})
	t.Run("by each attempt that fails", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			end := make(chan error)
			c, step := watched(t, executes(func(context.Context, string) (string, error) { return "", <-end }))
			start(t, c)
			schedule(as(t.Context(), "ada"), t, c, privateWork, "key", &gtf.ScheduleOpts{MaxAttempts: 2})
			time.Sleep(time.Second)
			step("put back", func() { end <- errors.New("once") })
			time.Sleep(time.Minute)
			step("failed", func() { end <- errors.New("twice") })
		})
	})
	t.Run("by time that is over", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			stubborn := make(chan struct{})
			c, step := watched(t, executes(func(ctx context.Context, _ string) (string, error) {
				gtf.FromContext(ctx).OnAbort(func(context.Context) error { return nil })
				<-stubborn
				return "", ctx.Err()
			}))
			start(t, c)
			schedule(as(t.Context(), "ada"), t, c, privateWork, "key", &gtf.ScheduleOpts{Timeout: 10 * time.Second})
			time.Sleep(5 * time.Second)
			step("timed out", func() { time.Sleep(6 * time.Second) })
			step("ended", func() { close(stubborn) })
			schedule(as(t.Context(), "ada"), t, c, privateWork, "late", &gtf.ScheduleOpts{Queue: "nobodys", MaxQueueTime: time.Second})
			time.Sleep(time.Second / 2)
			step("expired in its queue", func() { time.Sleep(2 * time.Minute) })
		})
	})
}
