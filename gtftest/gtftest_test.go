package gtftest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/gtftest"
)

var retried = gtf.Define[int, int]("test.retried", &gtf.DefineOpts[int]{Scope: gtf.ScopeSystem, MaxAttempts: 3})

func succeedsAt(attempt int) gtf.Handler {
	return retried.Handler(func(ctx context.Context, in int) (int, error) {
		if n := gtf.FromContext(ctx).Attempt(); n < attempt {
			return 0, errors.New("not yet")
		}
		return 2 * in, nil
	})
}

func TestRecorder(t *testing.T) {
	t.Parallel()
	t.Run("tells the transitions of a task in its order", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rec := &gtftest.Recorder{}
			c := gtftest.Start(t, &gtf.Config{Handlers: []gtf.Handler{succeedsAt(3)}, Observer: rec})
			h, err := retried.Schedule(t.Context(), c, 21, &gtf.ScheduleOpts{Delay: 10 * time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			if got := gtftest.Wait(t, h); got != 42 {
				t.Errorf("output %d, want 42", got)
			}
			const pending, running = gtf.StatusPending, gtf.StatusInProgress
			want := []gtf.Status{pending, running, pending, running, pending, running, gtf.StatusSuccess}
			if got := rec.Await(t, h.ID, gtf.StatusSuccess); !slices.Equal(got, want) {
				t.Errorf("transitions %v, want %v", got, want)
			}
			if got := len(rec.Events(gtf.EventStarted)); got != 3 {
				t.Errorf("%d executions began, want 3", got)
			}
			if got := rec.Transitions(gtf.NewID()); got != nil {
				t.Errorf("transitions of another task: %v, want none", got)
			}
		})
	})

	t.Run("puts transitions in order that were told in another", func(t *testing.T) {
		t.Parallel()
		steps := []gtf.Status{"", gtf.StatusPending, gtf.StatusInProgress, gtf.StatusPending, gtf.StatusInProgress, gtf.StatusAborting, gtf.StatusAborted}
		rec := &gtftest.Recorder{}
		id := gtf.NewID()
		for i := len(steps) - 1; i > 0; i-- {
			rec.Observe(gtf.Event{Kind: gtf.EventTransition, ID: id, From: steps[i-1], Status: steps[i]})
		}
		if got := rec.Transitions(id); !slices.Equal(got, steps[1:]) {
			t.Errorf("transitions %v, want %v", got, steps[1:])
		}
	})

	t.Run("wakes all that wait", func(t *testing.T) {
		t.Parallel()
		rec := &gtftest.Recorder{}
		id := gtf.NewID()
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { rec.Await(t, id, gtf.StatusSuccess) })
			wg.Go(func() { rec.Observe(gtf.Event{Kind: gtf.EventTransition, ID: gtf.NewID(), Status: gtf.StatusSuccess}) })
		}
		rec.Observe(gtf.Event{Kind: gtf.EventTransition, ID: id, Status: gtf.StatusSuccess})
		wg.Wait()
	})
}

var waiting = gtf.Define[struct{}, struct{}]("test.waiting", &gtf.DefineOpts[struct{}]{Scope: gtf.ScopeSystem, Abortable: true})

func waits(ctx context.Context, _ struct{}) (struct{}, error) {
	<-ctx.Done()
	return struct{}{}, context.Cause(ctx)
}

func TestWaitStatus(t *testing.T) {
	t.Parallel()
	t.Run("returns the task in that status", func(t *testing.T) {
		t.Parallel()
		c := gtftest.New(t, waiting.Handler(waits))
		h, err := waiting.Schedule(t.Context(), c, struct{}{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		gtftest.WaitStatus(t, c, h.ID, gtf.StatusInProgress)
		if _, err := h.Cancel(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if task := gtftest.WaitStatus(t, c, h.ID, gtf.StatusAborted); task.AbortedBy.Name != gtf.HostName {
			t.Errorf("aborted by %q, want the host", task.AbortedBy.Name)
		}
	})

	t.Run("notices at once that a task has started", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c := gtftest.New(t, waiting.Handler(waits))
			began := time.Now()
			h, err := waiting.Schedule(t.Context(), c, struct{}{}, &gtf.ScheduleOpts{Delay: 70 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			task := gtftest.WaitStatus(t, c, h.ID, gtf.StatusInProgress)
			if took := time.Since(task.StartedAt); took > time.Second {
				t.Errorf("noticed %v after the start, %v after the submit", took, time.Since(began))
			}
		})
	})
}

func TestNew(t *testing.T) {
	t.Parallel()
	t.Run("interrupts what still runs when the test ends", func(t *testing.T) {
		t.Parallel()
		var cause error
		t.Run("test of an application", func(t *testing.T) {
			c := gtftest.New(t, waiting.Handler(func(ctx context.Context, _ struct{}) (struct{}, error) {
				<-ctx.Done()
				cause = context.Cause(ctx)
				return struct{}{}, cause
			}))
			h, err := waiting.Schedule(t.Context(), c, struct{}{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			gtftest.WaitStatus(t, c, h.ID, gtf.StatusInProgress)
		})
		if !errors.Is(cause, gtf.ErrShutdown) {
			t.Errorf("the function ended for %v, want ErrShutdown", cause)
		}
	})

	t.Run("gives each test a store of its own", func(t *testing.T) {
		t.Parallel()
		one, two := gtftest.New(t, succeedsAt(1)), gtftest.New(t, succeedsAt(1))
		h, err := retried.Schedule(t.Context(), one, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := two.Get(t.Context(), h.ID); !errors.Is(err, gtf.ErrNotFound) {
			t.Errorf("Get of another store's task: %v, want ErrNotFound", err)
		}
	})

	t.Run("shares a store between clients that are given one", func(t *testing.T) {
		t.Parallel()
		store := gtftest.NewStore(t)
		web := gtftest.Client(t, store, nil)
		worker := gtftest.Client(t, store, &gtf.Config{Handlers: []gtf.Handler{succeedsAt(1)}})
		if err := worker.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		h, err := retried.Schedule(t.Context(), web, 4, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := gtftest.Wait(t, h); got != 8 {
			t.Errorf("output %d, want 8", got)
		}
	})
}
