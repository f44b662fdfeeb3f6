package storetest

import (
	"time"

	"github.com/globaltask/gtf"
)

func (f *fixture) held(worker string) []gtf.Held {
	f.Helper()
	held, err := f.Held(f.Context(), worker)
	f.must("Held", err)
	return held
}

func (f *fixture) beat(worker string, running int) bool {
	f.Helper()
	alive, err := f.Beat(f.Context(), worker, running)
	f.must("Beat", err)
	return alive
}

// workers are the rows by id; a row that the store has removed is the zero Worker.
func (f *fixture) workers() map[string]gtf.Worker {
	f.Helper()
	list, err := f.Workers(f.Context())
	f.must("Workers", err)
	rows := map[string]gtf.Worker{}
	for i, w := range list {
		if i > 0 && list[i-1].Lost && !w.Lost {
			f.Errorf("worker %s lives and comes after one that is lost", w.ID)
		}
		rows[w.ID] = w
	}
	return rows
}

func (f *fixture) reap(silence time.Duration, limit int) []gtf.Transition {
	f.Helper()
	taken, err := f.Reap(f.Context(), silence, limit)
	f.must("Reap", err)
	return taken
}

func livingTests(s *suite) {
	s.test("keeps what a worker says of itself", func(f *fixture) {
		w := &gtf.Worker{
			ID: "one", Host: "host.example", PID: 4711, Version: "v1.2.3",
			Queues: map[string]int{"default": 10, "slow queue": 1}, Types: []string{"alpha", "beta"},
		}
		f.must("Register", f.Register(f.Context(), w))
		f.must("Register", f.Register(f.Context(), &gtf.Worker{ID: "two"}))
		f.pass(time.Minute)
		check(f, "beat", f.beat("one", 3), true)
		f.pass(20 * time.Second)
		rows := f.workers()
		check(f, "rows", len(rows), 2)
		got := rows["one"]
		f.near("silence", got.Silence, 20*time.Second)
		f.near("from start to beat", got.BeatAt.Sub(got.StartedAt), time.Minute)
		f.near("silence of a worker that never beat", rows["two"].Silence, 80*time.Second)
		check(f, "time zone", got.BeatAt.Location(), time.UTC)
		got.Silence, got.BeatAt, got.StartedAt = 0, time.Time{}, time.Time{}
		want := *w
		want.Running = 3
		check(f, "worker", got, want)
		check(f, "queues of a process that only runs inline", len(rows["two"].Queues), 0)
		check(f, "types of a process that only runs inline", len(rows["two"].Types), 0)
	})

	s.test("takes a second registration under the same id for a change", func(f *fixture) {
		f.must("Register", f.Register(f.Context(), &gtf.Worker{ID: "one", Host: "here"}))
		ref := f.runningSync("one")
		w := &gtf.Worker{ID: "one", Host: "here", Queues: map[string]int{"default": 2}, Types: []string{work}}
		f.must("second Register", f.Register(f.Context(), w)) // a process that ran inline now works on queues too
		rows := f.workers()
		check(f, "rows", len(rows), 1)
		check(f, "queues", rows["one"].Queues, w.Queues)
		check(f, "types", rows["one"].Types, w.Types)
		check(f, "held", len(f.held("one")), 1)
		f.status("after the second registration", ref.ID, gtf.StatusInProgress)
	})

	s.test("answers the beat of a worker that is lost or unknown with false", func(f *fixture) {
		worker, left := f.worker(), f.worker()
		check(f, "a living worker", f.beat(worker, 0), true)
		check(f, "an unknown worker", f.beat("nobody", 0), false)
		f.must("Leave", f.Leave(f.Context(), left))
		check(f, "a worker that left", f.beat(left, 0), false)
		f.must("Leave again", f.Leave(f.Context(), left))
		f.pass(time.Minute)
		check(f, "a silent worker that nobody has declared lost", f.beat(worker, 0), true)
		f.pass(time.Minute)
		f.reap(30*time.Second, 10)
		check(f, "a lost worker", f.beat(worker, 0), false)
		check(f, "a lost worker, again", f.beat(worker, 0), false)
		f.worker()
		row, listed := f.workers()[worker] // which asks that the living come first
		check(f, "shown as lost, if shown", row.Lost, listed)
		_, listed = f.workers()[left]
		check(f, "a worker that left is shown", listed, false)
	})

	s.test("lists what a worker holds", func(f *fixture) {
		worker, other := f.worker(), f.worker()
		running, aborting, late := f.running(worker), f.running(worker, abortable), f.running(worker, abortable)
		inline := f.runningSync(worker)
		f.abort(aborting.ID)
		f.expire(late.Ref)
		f.running(other)
		f.create()
		f.finish(f.running(worker).Ref, succeeded(`1`))
		f.finish(f.running(worker, attempts(2)).Ref, again(0))
		f.finish(f.runningSync(worker, attempts(2)), again(0))
		got := map[gtf.ID]gtf.Held{}
		for _, h := range f.held(worker) {
			got[h.ID] = h
		}
		check(f, "held", got, map[gtf.ID]gtf.Held{
			running.ID:  {Ref: running.Ref, Status: gtf.StatusInProgress},
			aborting.ID: {Ref: aborting.Ref, Status: gtf.StatusAborting, AbortReason: gtf.AbortByUser},
			late.ID:     {Ref: late.Ref, Status: gtf.StatusAborting, AbortReason: gtf.AbortByTimeout},
			inline.ID:   {Ref: inline, Status: gtf.StatusInProgress},
		})
		check(f, "held by an unknown worker", len(f.held("nobody")), 0)
	})

	s.test("does not change a task by a beat", func(f *fixture) {
		worker := f.worker()
		job := f.running(worker)
		f.pass(time.Minute)
		before := f.get(job.ID)
		f.beat(worker, 1)
		f.held(worker)
		f.unchanged("a beat", before)
	})
}
