package storetest

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/globaltask/gtf"
)

func (f *fixture) prune(age time.Duration, limit int) int {
	f.Helper()
	n, err := f.Prune(f.Context(), age, limit)
	f.must("Prune", err)
	return n
}

func pruneTests(s *suite) {
	s.test("deletes what ended longer ago than the age, of any terminal status", func(f *fixture) {
		worker := f.worker()
		old := []gtf.ID{f.abort(f.create()).ID}
		for _, o := range []gtf.Outcome{succeeded(`1`), failed("x")} {
			job := f.running(worker)
			f.finish(job.Ref, o)
			old = append(old, job.ID)
		}
		late := f.running(worker, abortable)
		f.expire(late.Ref)
		f.stopped(late.Ref)
		old = append(old, late.ID)
		begun := f.running(worker) // created before the age, ended after
		f.pass(time.Hour)
		f.finish(begun.Ref, succeeded(`1`))
		f.pass(time.Hour)
		check(f, "deleted above all ages", f.prune(3*time.Hour, 100), 0)
		check(f, "deleted", f.prune(90*time.Minute, 100), len(old))
		for _, id := range old {
			if _, err := f.Get(f.Context(), id, host); !errors.Is(err, gtf.ErrNotFound) {
				f.Errorf("Get of a pruned task: %v, want ErrNotFound", err)
			}
		}
		f.status("ended later", begun.ID, gtf.StatusSuccess)
		looks, err := f.Look(f.Context(), old)
		f.must("Look", err)
		check(f, "looks at pruned tasks", len(looks), 0)
	})

	s.test("never deletes an active task", func(f *fixture) {
		worker := f.worker()
		aborting := f.running(worker, abortable)
		f.abort(aborting.ID)
		retried := f.running(worker, attempts(2))
		f.finish(retried.Ref, again(0))
		keep := []gtf.ID{f.create(), f.running(worker).ID, f.runningSync(worker).ID, aborting.ID, retried.ID}
		f.pass(1000 * time.Hour)
		check(f, "deleted", f.prune(time.Minute, 100), 0)
		check(f, "left", len(f.all()), len(keep))
	})

	s.test("deletes the oldest first, at most the limit", func(f *fixture) {
		worker := f.worker()
		var jobs []*gtf.Job
		for range 7 {
			jobs = append(jobs, f.running(worker))
		}
		for i := range jobs { // created in one order, ended in the other
			f.pass(time.Minute)
			f.finish(jobs[len(jobs)-1-i].Ref, succeeded(`1`))
		}
		f.pass(time.Hour)
		left := len(jobs)
		for _, want := range []int{3, 3, 1, 0} {
			check(f, "deleted", f.prune(time.Minute, 3), want)
			left -= want
			check(f, "tasks left", len(f.all()), left)
			for _, t := range f.all() {
				if t.EndedAt.After(f.get(jobs[0].ID).EndedAt) {
					f.Error("a task is left that ended after the last")
				}
			}
			if left > 0 {
				f.get(jobs[0].ID) // the last to end is the last to go
			}
		}
	})

	s.test("takes subscribers and log lines along", func(f *fixture) {
		sub := submission(withKey("k"))
		f.submit(sub, submission(withKey("k"), by(bob)))
		job := f.reclaim(sub.ID, f.worker())
		f.finishAs(gtf.Finish{Update: gtf.Update{Ref: job.Ref, Logs: logged(1, 3, 0)}, Running: succeeded(`1`)})
		f.pass(time.Hour)
		check(f, "deleted", f.prune(time.Minute, 10), 1)
		f.submit(sub) // the same id: what was left behind would show
		t := f.get(sub.ID)
		check(f, "subscribers", people(t), []gtf.Principal{ada})
		check(f, "log lines counted", t.Logged, gtf.LogStats{})
		check(f, "log lines", len(f.lines(sub.ID, 0, 10)), 0)
		check(f, "listed for who was subscribed", len(f.list(gtf.ListParams{Order: gtf.OrderCreated, PageSize: 5}, viewer(bob))), 0)
	})

	s.test("counts each task once if two prune at once", func(f *fixture) {
		worker := f.worker()
		const n = 30
		for range n {
			f.finish(f.running(worker).Ref, succeeded(`1`))
		}
		f.pass(time.Hour)
		var total atomic.Int64
		together(3, func(int) {
			for range 10 {
				n, err := f.Prune(f.Context(), time.Minute, 4)
				if err != nil {
					f.Errorf("Prune: %v", err)
				}
				total.Add(int64(n))
			}
		})
		check(f, "deleted", total.Load(), n)
		check(f, "left", len(f.all()), 0)
	})
}
