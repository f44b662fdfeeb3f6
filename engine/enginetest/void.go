package enginetest

import "github.com/globaltask/gtf"

// voidTests: jobs without work behind them are dropped.
func voidTests(s *suite) {
	s.test("a cancelled pending task is never run", func(f *fixture) {
		h := f.schedule("unwanted", nil)
		_, err := h.Cancel(f.Context(), nil)
		f.must("Cancel", err)
		f.status("cancelled", h.ID, gtf.StatusAborted)
		f.start(echo)
		f.beyond()
		f.noJobs()
		f.never("cancelled", h)
		f.status("cancelled", h.ID, gtf.StatusAborted)
	})

	s.test("a join makes no second run", func(f *fixture) {
		opts := &gtf.ScheduleOpts{Key: "the same"}
		first := f.schedule("one", opts)
		for range 5 {
			if h := f.schedule("another", opts); !h.Joined || h.ID != first.ID {
				f.Fatalf("Schedule of the key created task %s, want it to join %s", h.ID, first.ID)
			}
		}
		f.start(echo)
		f.finish("a task that was joined", first)
		f.beyond()
		f.noJobs()
		f.once(first)
	})

	s.test("a job whose task is over or gone is dropped", func(f *fixture) {
		f.needsEngine()
		f.start(echo)
		gone := f.schedule("gone", nil)
		f.finish("a task", gone)
		f.eventually("the task is pruned", func() bool {
			n, err := f.store.Prune(f.Context(), 0, 10)
			f.must("Prune", err)
			return n == 1
		})
		done := f.schedule("done", nil)
		f.finish("a task", done)
		f.enqueue(
			gtf.Delivery{ID: done.ID, Queue: gtf.DefaultQueue, Priority: 5},
			gtf.Delivery{ID: gone.ID, Queue: gtf.DefaultQueue, Priority: 5},
			gtf.Delivery{ID: gtf.NewID(), Queue: gtf.DefaultQueue, Priority: 1},
		)
		f.beyond()
		f.noJobs()
		f.once(done, gone)
		f.status("delivered again", done.ID, gtf.StatusSuccess)
	})

	s.test("a job too many makes no second run", func(f *fixture) {
		f.needsEngine()
		h := f.schedule("one", nil)
		for range 4 {
			f.enqueue(gtf.Delivery{ID: h.ID, Queue: gtf.DefaultQueue, Priority: 5})
		}
		f.start(echo)
		f.finish("a task with five jobs", h)
		f.beyond()
		f.noJobs()
		f.once(h)
	})
}
