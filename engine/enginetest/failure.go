package enginetest

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/globaltask/gtf"
)

// failureTests: what fails or is switched off loses nothing.
func failureTests(s *suite) {
	s.test("a claim that fails keeps the job", func(f *fixture) {
		flawed := &flawedStore{Store: f.store}
		flawed.fails.Store(3)
		c := f.client(flawed.whole(), echo)
		f.must("Start", c.Start(f.Context()))
		h := f.schedule("one", nil)
		f.finish("a task whose first claims failed", h)
		if left := flawed.fails.Load(); left > 0 {
			f.Errorf("the claim was to fail %d more times", left)
		}
		f.noJobs()
		f.once(h)
	})

	s.test("a client that is switched off leaves tasks to others", func(f *fixture) {
		off := f.start(echo, slots(2))
		off.SetEnabled(false)
		on := f.start(echo, slots(2))
		var handles []handle
		for range 8 {
			handles = append(handles, f.schedule("one", nil))
		}
		for _, h := range handles {
			f.finish("another client is on", h)
		}
		f.once(handles...)
		for _, r := range f.journal.all() {
			if r.client != on {
				f.Errorf("task %s was run by the client that is off", r.id)
			}
		}
		f.must("Stop", stop(on))
		last := f.schedule("last", nil)
		off.SetEnabled(true)
		f.finish("the client is on again", last)
		f.noJobs()
		f.once(last)
	})

	s.test("a lost job is enqueued again", func(f *fixture) {
		f.needsEngine()
		if f.opts.Lose == nil {
			f.Skip("Options.Lose is not set")
		}
		far := f.schedule("far", &gtf.ScheduleOpts{Priority: 1})
		lost := []handle{far, f.schedule("lost", nil), f.schedule("lost", &gtf.ScheduleOpts{MaxAttempts: 3})}
		f.opts.Lose(f.T, f.engine)
		f.start(echo)
		f.beyond()
		for _, h := range lost {
			f.status("its job is lost", h.ID, gtf.StatusPending)
		}
		f.requeue(len(lost))
		for _, h := range lost {
			f.finish("enqueued again", h)
		}
		f.noJobs()
		f.once(lost...)
		f.requeue(0)
	})

	s.test("a sweep over tasks that only wait makes no second run", func(f *fixture) {
		f.needsEngine()
		var handles []handle
		for i := range 5 {
			handles = append(handles, f.schedule(fmt.Sprint(i), nil))
		}
		later := f.schedule("later", &gtf.ScheduleOpts{DueAt: f.get(handles[0].ID).CreatedAt.AddDate(1, 0, 0)})
		f.requeue(len(handles))
		f.requeue(len(handles))
		f.start(echo)
		for _, h := range handles {
			f.finish("enqueued three times", h)
		}
		f.beyond()
		f.once(handles...)
		f.never("not due", later)
	})
}

// requeue sweeps, however short ago the last enqueue was.
func (f *fixture) requeue(want int) {
	f.Helper()
	store, ok := f.store.(gtf.EngineStore)
	if !ok {
		f.Fatalf("a %T is no gtf.EngineStore", f.store)
	}
	n, err := store.Requeue(f.Context(), 0, 100)
	f.must("Requeue", err)
	if n != want {
		f.Errorf("Requeue enqueued %d tasks, want %d", n, want)
	}
}

// flawedStore cannot claim at first, as if it could not be reached.
type flawedStore struct {
	gtf.Store
	fails atomic.Int64
}

// Claim fails, or claims.
func (s *flawedStore) Claim(ctx context.Context, p *gtf.ClaimParams) (*gtf.Claimed, error) {
	if s.fails.Add(-1) >= 0 {
		return nil, gtf.ErrUnavailable
	}
	return s.Store.Claim(ctx, p)
}

// Signals are those of the store.
func (s *flawedStore) Signals() gtf.Signals {
	if source, ok := s.Store.(gtf.SignalSource); ok {
		return source.Signals()
	}
	return &gtf.LocalSignals{}
}

// whole is the store with all that the one inside can do.
func (s *flawedStore) whole() gtf.Store {
	if inside, ok := s.Store.(gtf.EngineStore); ok {
		return struct {
			*flawedStore
			gtf.EngineStore
		}{s, inside}
	}
	return s
}
