package storetest

import (
	"fmt"
	"time"

	"github.com/globaltask/gtf"
)

func (f *fixture) expireQueued(limit int) []gtf.Transition {
	f.Helper()
	taken, err := f.ExpireQueued(f.Context(), limit)
	f.must("ExpireQueued", err)
	return taken
}

func queueTimeTests(s *suite) {
	s.test("ends a task that waited too long for its first claim", func(f *fixture) {
		id := f.create(queueTime(10*time.Minute), withKey("k"), inQueue("slow"))
		f.pass(9 * time.Minute)
		check(f, "taken before", len(f.expireQueued(10)), 0)
		f.pass(2 * time.Minute)
		check(f, "taken", f.expireQueued(10), []gtf.Transition{
			{ID: id, Type: work, Queue: "slow", From: gtf.StatusPending, To: gtf.StatusTimedOut},
		})
		t := f.get(id)
		check(f, "status", t.Status, gtf.StatusTimedOut)
		check(f, "attempt", t.Attempt, 0)
		check(f, "started at", t.StartedAt, time.Time{})
		check(f, "dedup key", t.DedupKey, id.String())
		f.near("ended after", t.EndedAt.Sub(t.CreatedAt), 11*time.Minute)
		check(f, "taken again", len(f.expireQueued(10)), 0)
		check(f, "claimed", len(f.claim(f.worker(), "slow", 1)), 0)
		f.create(withKey("k"))
	})

	s.test("counts from when the task could first be claimed", func(f *fixture) {
		due := f.create(queueTime(10*time.Minute), delayed(time.Hour))
		old := f.create(queueTime(10*time.Minute), func(s *gtf.Submission) { s.DueAt = time.Now().Add(-time.Hour) })
		check(f, "taken at once", len(f.expireQueued(10)), 0)
		f.pass(5 * time.Minute)
		check(f, "taken within its time, though it was due long before", len(f.expireQueued(10)), 0)
		f.pass(6 * time.Minute)
		check(f, "taken after its time", len(f.expireQueued(10)), 1)
		f.status("due long before", old, gtf.StatusTimedOut)
		f.pass(58 * time.Minute) // 69 in all
		check(f, "taken within its time after it was due", len(f.expireQueued(10)), 0)
		f.pass(2 * time.Minute)
		check(f, "taken after its time since it was due", len(f.expireQueued(10)), 1)
		f.status("due later", due, gtf.StatusTimedOut)
	})

	s.test("leaves what was started, what has ended and what has no limit", func(f *fixture) {
		worker := f.worker()
		limit := queueTime(time.Minute)
		retried := f.running(worker, limit, attempts(2))
		f.finish(retried.Ref, again(0))
		keep := []gtf.ID{
			f.create(), f.running(worker, limit).ID, f.runningSync(worker, limit).ID, retried.ID, f.abort(f.create(limit)).ID,
		}
		f.pass(time.Hour)
		var before []*gtf.Task
		for _, id := range keep {
			before = append(before, f.get(id))
		}
		check(f, "taken", len(f.expireQueued(10)), 0)
		for _, t := range before {
			f.unchanged("a pass over the queues", t)
		}
	})

	s.test("takes at most the limit, and the rest later", func(f *fixture) {
		for range 5 {
			f.create(queueTime(time.Minute))
		}
		f.pass(time.Hour)
		for pass, want := range []int{2, 2, 1, 0} {
			check(f, fmt.Sprintf("taken by pass %d", pass+1), len(f.expireQueued(2)), want)
		}
	})
}
