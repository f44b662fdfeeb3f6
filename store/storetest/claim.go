package storetest

import (
	"bytes"
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/globaltask/gtf"
)

func claimTests(s *suite) {
	s.test("hands over all that an executor needs", func(f *fixture) {
		sub := submission(abortable, inScope(gtf.ScopePrivate), attempts(3), by(guest))
		sub.Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		sub.Timeout, sub.Backoff = 90*time.Second, gtf.Backoff{Base: 1500 * time.Millisecond, Max: 3 * time.Hour}
		f.submit(sub)
		worker := f.worker()
		f.pass(time.Minute)
		jobs := f.claim(worker, gtf.DefaultQueue, 5)
		if len(jobs) != 1 {
			f.Fatalf("Claim took %d tasks, want 1", len(jobs))
		}
		job := *jobs[0]
		f.near("waited", job.Waited, time.Minute)
		job.Waited = 0
		check(f, "payload", string(job.Payload), "")
		job.Payload = nil
		check(f, "job", job, gtf.Job{
			Ref: gtf.Ref{ID: sub.ID, Claim: 1}, Type: sub.Type, Key: sub.Key, Name: sub.Name, Scope: sub.Scope,
			Mode: sub.Mode, Queue: sub.Queue, MaxAttempts: 3, Backoff: sub.Backoff, Timeout: sub.Timeout,
			Abortable: true, Input: sub.Input, By: guest, Trace: sub.Trace,
		})
		t := f.get(sub.ID)
		check(f, "status", t.Status, gtf.StatusInProgress)
		check(f, "attempt", t.Attempt, 1)
		check(f, "worker", t.Worker, worker)
		f.near("started after", t.StartedAt.Sub(t.CreatedAt), time.Minute)
		f.near("changed after", t.ChangedAt.Sub(t.CreatedAt), time.Minute)
	})

	s.test("takes tasks by priority, due time and id", func(f *fixture) {
		for i := range 24 {
			f.create(func(s *gtf.Submission) {
				s.Priority = 9 - i%3*4
				s.Delay = time.Duration(4-i/3%4) * time.Minute // two of each
			})
		}
		f.pass(time.Hour)
		tasks := f.all()
		slices.SortFunc(tasks, func(a, b *gtf.Task) int {
			return cmp.Or(cmp.Compare(a.Priority, b.Priority), a.DueAt.Compare(b.DueAt), bytes.Compare(a.ID[:], b.ID[:]))
		})
		want := ids(tasks)
		worker := f.worker()
		for _, n := range []int{1, 7, 16} {
			var got []gtf.ID
			for _, job := range f.claim(worker, gtf.DefaultQueue, n) {
				got = append(got, job.ID)
			}
			check(f, "claimed", got, want[:n])
			want = want[n:]
		}
	})

	s.test("never takes more than the free slots of a queue", func(f *fixture) {
		for range 5 {
			for _, queue := range []string{"a", "b", "c", "d"} {
				f.create(inQueue(queue))
			}
		}
		claimed, err := f.Claim(f.Context(), &gtf.ClaimParams{
			Worker: f.worker(), Types: []string{work},
			Queues: []gtf.QueueSlots{{Queue: "a", Free: 2}, {Queue: "b", Free: 9}, {Queue: "c", Free: 0}},
		})
		f.must("Claim", err)
		taken := map[string]int{}
		for _, job := range claimed.Jobs {
			taken[job.Queue]++
		}
		check(f, "taken by queue", taken, map[string]int{"a": 2, "b": 5})
	})

	s.test("takes only the types that the worker has handlers for", func(f *fixture) {
		worker := f.worker()
		f.create(ofType("test.other"))
		mine := f.create()
		none, err := f.Claim(f.Context(), &gtf.ClaimParams{Worker: worker, Queues: []gtf.QueueSlots{{Queue: gtf.DefaultQueue, Free: 9}}})
		f.must("Claim", err)
		check(f, "taken without types", len(none.Jobs), 0)
		jobs := f.claim(worker, gtf.DefaultQueue, 9)
		if len(jobs) != 1 || jobs[0].ID != mine {
			f.Errorf("Claim took %d tasks, want only %s", len(jobs), mine)
		}
	})

	s.test("takes nothing twice and nothing that has ended", func(f *fixture) {
		worker := f.worker()
		f.create()
		check(f, "first claim", len(f.claim(worker, gtf.DefaultQueue, 9)), 1)
		f.abort(f.create())
		check(f, "second claim", len(f.claim(worker, gtf.DefaultQueue, 9)), 0)
	})

	s.test("never takes a sync task", func(f *fixture) {
		worker := f.worker()
		ref := f.runningSync(worker, attempts(3))
		check(f, "while it runs", len(f.claim(worker, gtf.DefaultQueue, 9)), 0)
		f.finish(ref, again(0))
		f.status("after its first attempt", ref.ID, gtf.StatusPending)
		check(f, "while it waits", len(f.claim(worker, gtf.DefaultQueue, 9)), 0)
	})

	s.test("leaves what is not due, and says when to come back", func(f *fixture) {
		worker := f.worker()
		claimed := func() *gtf.Claimed {
			f.Helper()
			c, err := f.Claim(f.Context(), &gtf.ClaimParams{
				Worker: worker, Types: []string{work}, Queues: []gtf.QueueSlots{{Queue: "a", Free: 9}, {Queue: "b", Free: 9}},
			})
			f.must("Claim", err)
			return c
		}
		check(f, "next of nothing", claimed().Next, 0)
		f.create(inQueue("b"), delayed(5*time.Minute))
		f.create(inQueue("a"), delayed(10*time.Minute))
		f.create(inQueue("a"), delayed(2*time.Minute), ofType("test.other"))
		f.create(inQueue("c"), delayed(2*time.Minute))
		ref := f.runningSync(worker, inQueue("a"), attempts(2))
		f.finish(ref, again(2*time.Minute))
		c := claimed()
		check(f, "taken before anything is due", len(c.Jobs), 0)
		f.near("next", c.Next, 5*time.Minute)
		f.pass(6 * time.Minute)
		c = claimed()
		check(f, "taken after six minutes", len(c.Jobs), 1)
		f.near("next after six minutes", c.Next, 4*time.Minute)
		f.pass(5 * time.Minute)
		c = claimed()
		check(f, "taken after eleven minutes", len(c.Jobs), 1)
		check(f, "next of nothing more", c.Next, 0)
	})

	s.test("counts the wait from when the task could be claimed", func(f *fixture) {
		worker := f.worker()
		id := f.create(delayed(2*time.Minute), attempts(2))
		f.pass(5 * time.Minute)
		job := f.reclaim(id, worker)
		f.near("waited since it was due", job.Waited, 3*time.Minute)
		f.pass(10 * time.Minute)
		f.finish(job.Ref, again(time.Minute))
		f.pass(5 * time.Minute)
		f.near("waited for the second attempt", f.reclaim(id, worker).Waited, 4*time.Minute)
		old := f.create(func(s *gtf.Submission) { s.DueAt = time.Now().Add(-time.Hour) })
		f.pass(time.Minute)
		f.near("waited since it was created", f.reclaim(old, worker).Waited, time.Minute)
	})

	s.test("raises the claim number with each attempt", func(f *fixture) {
		id := f.create(attempts(3))
		for n := range int64(3) {
			job := f.reclaim(id, f.worker())
			check(f, "claim", job.Claim, n+1)
			check(f, "attempt", f.get(id).Attempt, int(n+1))
			f.finish(job.Ref, again(0))
		}
	})

	s.test("gives no task to two workers that claim at once", func(f *fixture) {
		const n, workers = 60, 4
		for range n {
			f.create()
		}
		names := make([]string, workers)
		for i := range names {
			names[i] = f.worker()
		}
		var mu sync.Mutex
		taken := map[gtf.ID]string{}
		together(workers, func(i int) {
			for {
				c, err := f.Claim(f.Context(), &gtf.ClaimParams{
					Worker: names[i], Types: []string{work}, Queues: []gtf.QueueSlots{{Queue: gtf.DefaultQueue, Free: 7}},
				})
				if err != nil {
					f.Errorf("Claim: %v", err)
					return
				}
				if len(c.Jobs) > 7 {
					f.Errorf("Claim took %d tasks for 7 slots", len(c.Jobs))
				}
				mu.Lock()
				for _, job := range c.Jobs {
					if taken[job.ID] != "" || job.Claim != 1 {
						f.Errorf("task %s was given to %s and to %s under claim %d", job.ID, taken[job.ID], names[i], job.Claim)
					}
					taken[job.ID] = names[i]
				}
				mu.Unlock()
				if len(c.Jobs) == 0 {
					return
				}
			}
		})
		check(f, "tasks taken", len(taken), n)
		for _, t := range f.all() {
			check(f, "worker of a task", t.Worker, taken[t.ID])
		}
	})

	s.test("counts the backlog by queue and type", func(f *fixture) {
		f.create(inQueue("a"))
		f.pass(3 * time.Minute)
		f.create(inQueue("a"))
		f.create(inQueue("a"), delayed(time.Hour))
		f.create(inQueue("a"), ofType("test.other"), delayed(time.Minute))
		f.running(f.worker())
		f.abort(f.create(inQueue("a")))
		backlog, err := f.Backlog(f.Context())
		f.must("Backlog", err)
		slices.SortFunc(backlog, func(a, b gtf.Backlog) int { return cmp.Compare(a.Type, b.Type) })
		if len(backlog) != 2 {
			f.Fatalf("Backlog has %d rows, want 2: %+v", len(backlog), backlog)
		}
		f.near("the oldest that is not due", backlog[0].Oldest, 0)
		f.near("the oldest", backlog[1].Oldest, 3*time.Minute)
		backlog[0].Oldest, backlog[1].Oldest = 0, 0
		check(f, "backlog", backlog, []gtf.Backlog{
			{Queue: "a", Type: "test.other", Later: 1},
			{Queue: "a", Type: work, Due: 2, Later: 1},
		})
	})
}

func resumeTests(s *suite) {
	s.test("takes a waiting sync task for its own process, due or not", func(f *fixture) {
		worker := f.worker()
		ref := f.runningSync(worker, attempts(3), abortable, func(s *gtf.Submission) { s.Trace = "of the span" })
		f.update(gtf.Update{Ref: ref, Payload: raw(`{"a":1}`)})
		f.finish(ref, again(time.Hour))
		check(f, "worker while it waits", f.get(ref.ID).Worker, worker)
		job, err := f.Resume(f.Context(), ref.ID, worker)
		f.must("Resume", err)
		if job == nil {
			f.Fatal("Resume of a waiting task gave nothing")
		}
		check(f, "ref", job.Ref, gtf.Ref{ID: ref.ID, Claim: 2})
		check(f, "mode", job.Mode, gtf.ModeSync)
		check(f, "max attempts", job.MaxAttempts, 3)
		check(f, "abortable", job.Abortable, true)
		check(f, "input", string(job.Input), `{"n":1}`)
		check(f, "payload", string(job.Payload), `{"a":1}`)
		check(f, "by", job.By, ada)
		check(f, "trace", job.Trace, "of the span")
		t := f.get(ref.ID)
		check(f, "status", t.Status, gtf.StatusInProgress)
		check(f, "attempt", t.Attempt, 2)
		check(f, "started", t.StartedAt.IsZero(), false)
	})

	s.test("gives nothing that is not a waiting sync task of the worker", func(f *fixture) {
		worker, other := f.worker(), f.worker()
		waiting := f.runningSync(worker, attempts(2))
		f.finish(waiting, again(0))
		cancelled := f.runningSync(worker, attempts(2))
		f.finish(cancelled, again(0))
		f.abort(cancelled.ID)
		for _, tt := range []struct {
			name   string
			id     gtf.ID
			worker string
		}{
			{"a task of another worker", waiting.ID, other},
			{"a running task", f.runningSync(worker).ID, worker},
			{"a cancelled task", cancelled.ID, worker},
			{"an async task", f.create(), worker},
			{"a task that does not exist", gtf.NewID(), worker},
		} {
			var before *gtf.Task
			if tt.id != (gtf.ID{}) && tt.name != "a task that does not exist" {
				before = f.get(tt.id)
			}
			job, err := f.Resume(f.Context(), tt.id, tt.worker)
			if job != nil || err != nil {
				f.Errorf("Resume of %s gave %+v, %v; want nothing", tt.name, job, err)
			}
			if before != nil {
				f.unchanged("Resume of "+tt.name, before)
			}
		}
	})
}
