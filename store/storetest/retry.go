package storetest

import (
	"time"

	"github.com/globaltask/gtf"
)

func retryTests(s *suite) {
	for _, declared := range []bool{false, true} {
		name := "puts a task back as it was declared"
		if declared {
			name += ", abortable"
		}
		s.test(name, func(f *fixture) {
			worker := f.worker()
			job := f.running(worker, attempts(3), withKey("k"), func(s *gtf.Submission) { s.Abortable = declared })
			f.pass(time.Minute)
			f.update(gtf.Update{Ref: job.Ref, Abortable: true, Progress: &gtf.Progress{Form: gtf.FormCount, Current: 4}})
			f.pass(time.Minute)
			started := f.get(job.ID)
			done := f.finishAs(gtf.Finish{
				Update:  gtf.Update{Ref: job.Ref, Payload: raw(`{"step":2}`), Logs: logged(1, 1, 0)},
				Running: again(5 * time.Minute), Aborting: gtf.Outcome{},
			})
			check(f, "answer", done, gtf.Finished{Held: true, Status: gtf.StatusPending})
			t := f.get(job.ID)
			check(f, "status", t.Status, gtf.StatusPending)
			check(f, "started at", t.StartedAt, time.Time{})
			check(f, "ended at", t.EndedAt, time.Time{})
			check(f, "progress", t.Progress, gtf.Progress{})
			check(f, "payload", string(t.Payload), `{"step":2}`)
			check(f, "abortable", t.Abortable, declared)
			check(f, "result", string(t.Result), "")
			check(f, "log lines", t.Logged.Lines, 1)
			check(f, "attempt", t.Attempt, 1)
			check(f, "dedup key", t.DedupKey, dedup("k"))
			f.near("due after", t.DueAt.Sub(t.ChangedAt), 5*time.Minute)
			if len(t.Attempts) != 1 {
				f.Fatalf("there are %d attempts, want 1", len(t.Attempts))
			}
			a := t.Attempts[0]
			check(f, "worker of the attempt", a.Worker, worker)
			check(f, "error of the attempt", a.Error, "not yet")
			f.near("start of the attempt", a.StartedAt.Sub(started.StartedAt), 0)
			f.near("length of the attempt", a.EndedAt.Sub(a.StartedAt), 2*time.Minute)
			check(f, "time zone of the start", a.StartedAt.Location(), time.UTC)
			check(f, "time zone of the end", a.EndedAt.Location(), time.UTC)
			check(f, "held by the worker", len(f.held(worker)), 0)
			check(f, "join", f.submit(submission(withKey("k")))[0], gtf.Submitted{ID: job.ID})
		})
	}

	s.test("hands the payload to the next attempt and keeps the story of each", func(f *fixture) {
		id := f.create(attempts(3))
		for n := range 2 {
			job := f.reclaim(id, f.worker())
			f.pass(time.Minute)
			f.finishAs(gtf.Finish{Update: gtf.Update{Ref: job.Ref, Payload: raw(`{"n":` + string('1'+rune(n)) + `}`)}, Running: again(0)})
		}
		job := f.reclaim(id, f.worker())
		check(f, "payload", string(job.Payload), `{"n":2}`)
		f.finish(job.Ref, succeeded(`1`))
		t := f.get(id)
		check(f, "error of a success after failed attempts", t.Error, "")
		check(f, "error type of a success after failed attempts", t.ErrorType, "")
		check(f, "attempt", t.Attempt, 3)
		if len(t.Attempts) != 2 {
			f.Fatalf("there are %d attempts before the last, want 2", len(t.Attempts))
		}
		if !t.Attempts[0].EndedAt.Before(t.Attempts[1].EndedAt) {
			f.Errorf("attempts are not oldest first: %+v", t.Attempts)
		}
	})

	s.test("lets a waiting task be cancelled", func(f *fixture) {
		job := f.running(f.worker(), attempts(2), withKey("k"))
		f.finish(job.Ref, again(time.Hour))
		f.abort(job.ID)
		f.status("cancelled between attempts", job.ID, gtf.StatusAborted)
		f.create(withKey("k"))
	})
}

func expireTests(s *suite) {
	s.test("moves a running task to aborting, once", func(f *fixture) {
		job := f.running(f.worker(), abortable, withKey("k"))
		f.pass(time.Minute)
		before := f.get(job.ID)
		check(f, "first Expire", f.expire(job.Ref), true)
		t := f.get(job.ID)
		check(f, "status", t.Status, gtf.StatusAborting)
		check(f, "abort reason", t.AbortReason, gtf.AbortByTimeout)
		check(f, "aborted by", t.AbortedBy, gtf.Principal{})
		check(f, "dedup key", t.DedupKey, dedup("k"))
		if t.Version <= before.Version {
			f.Errorf("version %d after %d", t.Version, before.Version)
		}
		f.near("changed after", t.ChangedAt.Sub(t.StartedAt), time.Minute)
		check(f, "second Expire", f.expire(job.Ref), false)
		f.unchanged("a second Expire", t)
		check(f, "seen by the worker", f.look(job.ID).AbortReason, gtf.AbortByTimeout)
	})

	s.test("changes nothing else", func(f *fixture) {
		worker := f.worker()
		waiting := f.running(worker, attempts(2))
		f.finish(waiting.Ref, again(0))
		ended := f.running(worker)
		f.finish(ended.Ref, succeeded(`1`))
		aborting := f.running(worker, abortable)
		f.abort(aborting.ID)
		for name, ref := range map[string]gtf.Ref{
			"a pending task":              waiting.Ref,
			"a finished task":             ended.Ref,
			"an aborting task":            aborting.Ref,
			"a task under another claim":  {ID: f.running(worker, abortable).ID, Claim: 2},
			"a task that was not claimed": {ID: f.create()},
		} {
			before := f.get(ref.ID)
			check(f, "Expire of "+name, f.expire(ref), false)
			f.unchanged("Expire of "+name, before)
		}
		check(f, "Expire of a task that does not exist", f.expire(gtf.Ref{ID: gtf.NewID(), Claim: 1}), false)
	})
}
