package enginetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/globaltask/gtf"
)

// runTests: every task runs, once for each attempt.
func runTests(s *suite) {
	s.test("a task is run once, and its job is gone", func(f *fixture) {
		f.start(echo)
		h := f.schedule("one", nil)
		f.finish("a scheduled task", h)
		f.noJobs()
		f.once(h)
	})

	s.test("a task that waited for a worker is run", func(f *fixture) {
		h := f.schedule("one", nil)
		f.start(echo)
		f.finish("a task scheduled before the start", h)
		f.noJobs()
		f.once(h)
	})

	s.test("hundreds of tasks are run once each by two clients", func(f *fixture) {
		const callers, each, many = 8, 25, 200
		a, b := f.start(echo), f.start(echo)
		var mu sync.Mutex
		var handles []handle
		add := func(more ...handle) {
			mu.Lock()
			defer mu.Unlock()
			handles = append(handles, more...)
		}
		together(callers, func(i int) {
			from := []*gtf.Client{a, b, f.planner}[i%3]
			for n := range each {
				h, err := work.Schedule(f.Context(), from, fmt.Sprint(i, n), nil)
				if err != nil {
					f.Errorf("Schedule: %v", err)
					return
				}
				add(h)
			}
		})
		more, err := work.ScheduleMany(f.Context(), a, make([]gtf.Item[string], many))
		f.must("ScheduleMany", err)
		add(more...)
		if len(handles) != callers*each+many {
			f.Fatalf("%d tasks were scheduled, want %d", len(handles), callers*each+many)
		}
		for _, h := range handles {
			f.finish("one of many", h)
		}
		f.noJobs()
		f.once(handles...)
	})

	s.test("a failing task is delivered again until it succeeds", func(f *fixture) {
		f.start(func(ctx context.Context, in string) (string, error) {
			if gtf.FromContext(ctx).Attempt() < 4 {
				return "", errors.New("not yet")
			}
			return in, nil
		})
		h := f.schedule("stubborn", &gtf.ScheduleOpts{MaxAttempts: 5})
		f.finish("a task that fails three times", h)
		f.noJobs()
		var attempts []int
		for _, r := range f.journal.of(h.ID) {
			attempts = append(attempts, r.attempt)
		}
		if !slices.Equal(attempts, []int{1, 2, 3, 4}) {
			f.Errorf("the attempts were %v, want 1 to 4", attempts)
		}
	})

	s.test("a task that fails for good is not delivered again", func(f *fixture) {
		f.start(func(context.Context, string) (string, error) { return "", errors.New("no") })
		h := f.schedule("hopeless", &gtf.ScheduleOpts{MaxAttempts: 2})
		ctx, cancel := context.WithTimeout(f.Context(), patience)
		defer cancel()
		if _, err := h.Wait(ctx); !errors.Is(err, gtf.ErrFailed) {
			f.Errorf("Wait returned %v, want ErrFailed", err)
		}
		f.noJobs()
		if runs := f.journal.of(h.ID); len(runs) != 2 {
			f.Errorf("the task was run %d times, want 2", len(runs))
		}
	})

	s.test("a task is not run before it is due, and one due far away stays", func(f *fixture) {
		const delay = 1500 * time.Millisecond
		const slack = 50 * time.Millisecond // between the clocks of two processes
		var mu sync.Mutex
		began := map[string]time.Time{}
		f.start(func(_ context.Context, in string) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			began[in] = time.Now()
			return in, nil
		})
		far := f.schedule("far", &gtf.ScheduleOpts{Delay: time.Hour})
		further := f.schedule("further", &gtf.ScheduleOpts{DueAt: time.Now().Add(240 * time.Hour)})
		before := time.Now()
		later := f.schedule("later", &gtf.ScheduleOpts{Delay: delay})
		at := f.schedule("at", &gtf.ScheduleOpts{DueAt: before.Add(delay)})
		past := f.schedule("past", &gtf.ScheduleOpts{DueAt: before.Add(-time.Hour)})
		for _, h := range []handle{later, at, past} {
			f.finish("a task that became due", h)
		}
		for _, in := range []string{"later", "at"} {
			if waited := began[in].Sub(before); waited < delay-slack {
				f.Errorf("%q was run after %v, want not before %v", in, waited, delay)
			}
		}
		f.beyond()
		for _, h := range []handle{far, further} {
			f.status("due far away", h.ID, gtf.StatusPending)
			f.never("due far away", h)
		}
		f.once(later, at, past)
	})
}
