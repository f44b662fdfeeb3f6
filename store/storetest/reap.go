package storetest

import (
	"fmt"
	"sync"
	"time"

	"github.com/globaltask/gtf"
)

const silence = 30 * time.Second

func reapTests(s *suite) {
	for _, tt := range []struct {
		name  string
		task  func(f *fixture, worker string) gtf.Ref
		from  gtf.Status
		to    gtf.Status
		error string
	}{
		{"fails a running task", func(f *fixture, w string) gtf.Ref {
			return f.running(w, withKey("k")).Ref
		}, gtf.StatusInProgress, gtf.StatusFailure, "worker lost"},
		{"puts back a running task with attempts left", func(f *fixture, w string) gtf.Ref {
			return f.running(w, withKey("k"), attempts(2)).Ref
		}, gtf.StatusInProgress, gtf.StatusPending, ""},
		{"fails a task in its last attempt", func(f *fixture, w string) gtf.Ref {
			job := f.running(w, withKey("k"), attempts(2))
			f.finish(job.Ref, again(0))
			return f.reclaim(job.ID, w).Ref
		}, gtf.StatusInProgress, gtf.StatusFailure, "worker lost"},
		{"fails an aborting task, with attempts left too", func(f *fixture, w string) gtf.Ref {
			job := f.running(w, withKey("k"), attempts(2), abortable)
			f.abort(job.ID)
			return job.Ref
		}, gtf.StatusAborting, gtf.StatusFailure, "worker lost while aborting"},
		{"fails a task that its time limit aborts", func(f *fixture, w string) gtf.Ref {
			job := f.running(w, withKey("k"), abortable)
			f.expire(job.Ref)
			return job.Ref
		}, gtf.StatusAborting, gtf.StatusFailure, "worker lost while aborting"},
		{"fails a sync task, with attempts left too", func(f *fixture, w string) gtf.Ref {
			return f.runningSync(w, withKey("k"), attempts(2))
		}, gtf.StatusInProgress, gtf.StatusFailure, "worker lost"},
		{"fails a sync task that waits for its next attempt", func(f *fixture, w string) gtf.Ref {
			ref := f.runningSync(w, withKey("k"), attempts(2))
			f.finish(ref, again(0))
			return ref
		}, gtf.StatusPending, gtf.StatusFailure, "worker lost"},
	} {
		s.test(tt.name+" of a lost worker", func(f *fixture) {
			worker := f.worker()
			ref := tt.task(f, worker)
			f.update(gtf.Update{Ref: ref, Payload: raw(`{"a":1}`), Progress: &gtf.Progress{Form: gtf.FormCount, Current: 1}})
			f.pass(25 * time.Second)
			check(f, "taken before the silence is long enough", len(f.reap(silence+f.slack, 10)), 0)
			before := f.get(ref.ID)
			f.pass(time.Minute)
			taken := f.reap(silence, 10)
			check(f, "taken", taken, []gtf.Transition{
				{ID: ref.ID, Type: before.Type, Queue: before.Queue, From: tt.from, To: tt.to, Worker: worker},
			})
			t := f.get(ref.ID)
			check(f, "status", t.Status, tt.to)
			check(f, "payload", string(t.Payload), string(before.Payload))
			if t.Version <= before.Version {
				f.Errorf("version %d after %d", t.Version, before.Version)
			}
			if tt.to == gtf.StatusPending {
				return
			}
			check(f, "error", t.Error, tt.error)
			check(f, "dedup key", t.DedupKey, ref.ID.String())
			f.near("ended after", t.EndedAt.Sub(t.CreatedAt), 85*time.Second)
			check(f, "late finish held", f.finish(ref, succeeded(`1`)).Held, false)
			check(f, "late update held", f.update(gtf.Update{Ref: ref, Abortable: true}), false)
			check(f, "late expiry won", f.expire(ref), false)
			f.unchanged("late writes of the lost worker", t)
			check(f, "taken by the next pass", len(f.reap(silence, 10)), 0)
			f.create(withKey("k"))
		})
	}

	s.test("puts a task back as a retry does", func(f *fixture) {
		worker := f.worker()
		job := f.running(worker, attempts(2), func(s *gtf.Submission) {
			s.Backoff = gtf.Backoff{Base: time.Minute, Max: time.Minute}
		})
		f.update(gtf.Update{
			Ref: job.Ref, Abortable: true, Payload: raw(`{"a":1}`), Progress: &gtf.Progress{Form: gtf.FormCount, Current: 1},
		})
		f.pass(2 * time.Minute)
		started := f.get(job.ID).StartedAt
		check(f, "taken", len(f.reap(silence, 10)), 1)
		t := f.get(job.ID)
		check(f, "started at", t.StartedAt, time.Time{})
		check(f, "ended at", t.EndedAt, time.Time{})
		check(f, "progress", t.Progress, gtf.Progress{})
		check(f, "payload", string(t.Payload), `{"a":1}`)
		check(f, "abortable", t.Abortable, false)
		if len(t.Attempts) != 1 {
			f.Fatalf("there are %d attempts, want 1", len(t.Attempts))
		}
		a := t.Attempts[0]
		check(f, "worker of the attempt", a.Worker, worker)
		check(f, "error of the attempt", a.Error, "worker lost")
		f.near("start of the attempt", a.StartedAt.Sub(started), 0)
		f.near("length of the attempt", a.EndedAt.Sub(a.StartedAt), 2*time.Minute)
		check(f, "late finish held", f.finish(job.Ref, succeeded(`1`)).Held, false)
		check(f, "late retry held", f.finish(job.Ref, again(0)).Held, false)
		f.unchanged("late writes of the lost worker", t)
		f.pass(time.Minute + f.slack)
		check(f, "next claim", f.reclaim(job.ID, f.worker()).Claim, 2)
		check(f, "late finish held, during the next attempt", f.finish(job.Ref, succeeded(`1`)).Held, false)
		f.status("the next attempt", job.ID, gtf.StatusInProgress)
	})

	s.test("leaves the tasks of living workers and those of nobody", func(f *fixture) {
		alive, lost := f.worker(), f.worker()
		keep := []gtf.ID{
			f.create(), f.create(delayed(time.Hour)), f.running(alive).ID, f.running(alive, attempts(2)).ID, f.runningSync(alive).ID,
		}
		waiting := f.runningSync(alive, attempts(2))
		f.finish(waiting, again(0))
		moved := f.running(lost, attempts(3)) // was the lost worker's, and is nobody's or another's now
		f.finish(moved.Ref, again(0))
		back := f.running(lost, attempts(2))
		f.finish(back.Ref, again(0))
		done := f.running(lost)
		f.finish(done.Ref, succeeded(`1`))
		f.reclaim(moved.ID, alive)
		keep = append(keep, waiting.ID, moved.ID, back.ID, done.ID)
		f.pass(time.Minute)
		f.beat(alive, 3)
		var before []*gtf.Task
		for _, id := range keep {
			before = append(before, f.get(id))
		}
		check(f, "taken", f.reap(silence, 10), nil)
		for _, t := range before {
			f.unchanged("a pass of the reaper", t)
		}
		check(f, "beat of the living worker", f.beat(alive, 3), true)
	})

	s.test("takes the tasks of workers that left or never were", func(f *fixture) {
		worker := f.worker()
		left, unknown := f.running(worker), f.runningSync("nobody")
		f.must("Leave", f.Leave(f.Context(), worker))
		f.reap(silence, 10)
		f.status("its worker left", left.ID, gtf.StatusFailure)
		f.status("its worker never was", unknown.ID, gtf.StatusFailure)
	})

	s.test("finds a claim that slipped in late at the next pass", func(f *fixture) {
		worker := f.worker()
		id := f.create()
		f.pass(time.Minute)
		check(f, "taken at first", len(f.reap(silence, 10)), 0)
		if len(f.claim(worker, gtf.DefaultQueue, 1)) == 0 {
			return // the store refuses a lost worker, which is as good
		}
		check(f, "taken by the next pass", len(f.reap(silence, 10)), 1)
		f.status("claimed by a lost worker", id, gtf.StatusFailure)
	})

	s.test("takes at most the limit, and the rest later", func(f *fixture) {
		worker := f.worker()
		for range 7 {
			f.running(worker)
		}
		f.pass(time.Minute)
		for pass, want := range []int{3, 3, 1, 0} {
			check(f, fmt.Sprintf("taken by pass %d", pass+1), len(f.reap(silence, 3)), want)
		}
	})

	s.test("gives each task to one of two reapers at once", func(f *fixture) {
		worker := f.worker()
		const n = 40
		for i := range n {
			f.running(worker, attempts(1+i%2))
		}
		f.pass(time.Minute)
		var mu sync.Mutex
		taken := map[gtf.ID]int{}
		together(4, func(int) {
			for range 10 {
				list, err := f.Reap(f.Context(), silence, 7)
				if err != nil {
					f.Errorf("Reap: %v", err)
				}
				mu.Lock()
				for _, t := range list {
					taken[t.ID]++
				}
				mu.Unlock()
			}
		})
		check(f, "tasks taken", len(taken), n)
		for id, times := range taken {
			check(f, "task "+id.String()+" was taken", times, 1)
		}
		for _, t := range f.all() {
			check(f, "worker's attempts", len(t.Attempts), t.MaxAttempts-1)
		}
	})
}
