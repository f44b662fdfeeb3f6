package enginetest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/globaltask/gtf"
)

// txTests: a task of a caller's transaction and its job exist if and only if that commits.
func txTests(s *suite) {
	if len(s.opts.Begin) == 0 {
		s.t.Skip("Options.Begin is not set")
	}
	for kind, begin := range s.opts.Begin {
		s.t.Run(kind, func(t *testing.T) {
			t.Parallel()
			inner := &suite{t, s.open, s.opts}
			inner.txTestsOf(begin)
		})
	}
}

func (s *suite) txTestsOf(begin func(t *testing.T, s gtf.Store) (gtf.Tx, func(commit bool) error)) {
	s.test("a rollback leaves neither task nor job", func(f *fixture) {
		tx, end := begin(f.T, f.store)
		h := f.schedule("undone", &gtf.ScheduleOpts{Tx: tx})
		f.must("rollback", end(false))
		if _, err := f.store.Get(f.Context(), h.ID, gtf.Viewer{All: true}); !errors.Is(err, gtf.ErrNotFound) {
			f.Errorf("Get of a task that was rolled back: got error %v, want ErrNotFound", err)
		}
		f.noJobs()
		f.start(echo)
		f.beyond()
		f.never("rolled back", h)
	})

	s.test("a commit lets the task run, and nothing before it", func(f *fixture) {
		var committed atomic.Bool
		f.start(func(_ context.Context, in string) (string, error) {
			if !committed.Load() {
				return "", errors.New("begun before the commit")
			}
			return in, nil
		})
		tx, end := begin(f.T, f.store)
		h := f.schedule("done", &gtf.ScheduleOpts{Tx: tx})
		later, err := work.ScheduleMany(f.Context(), f.planner, []gtf.Item[string]{
			{In: "a", Opts: &gtf.ScheduleOpts{Tx: tx, Queue: "nobody's"}}, {In: "b", Opts: &gtf.ScheduleOpts{Tx: tx, Priority: 1}},
		})
		f.must("ScheduleMany", err)
		committed.Store(true)
		f.must("commit", end(true))
		h.Announce(f.Context())
		f.finish("committed", h)
		f.finish("committed", later[1])
		f.once(h, later[1])
		f.status("its queue has no worker", later[0].ID, gtf.StatusPending)
	})

	s.test("a join makes no second job", func(f *fixture) {
		first := f.schedule("one", &gtf.ScheduleOpts{Key: "the same"})
		tx, end := begin(f.T, f.store)
		if h := f.schedule("two", &gtf.ScheduleOpts{Key: "the same", Tx: tx}); !h.Joined {
			f.Errorf("Schedule of the key created a task, want it to join")
		}
		f.must("commit", end(true))
		if f.engine != nil && f.opts.Jobs != nil {
			if n := f.opts.Jobs(f.T, f.engine); n != 1 {
				f.Errorf("there are %d jobs, want 1", n)
			}
		}
		f.start(echo)
		f.finish("joined", first)
		f.once(first)
	})
}
