package storetest

import (
	"time"

	"github.com/globaltask/gtf"
)

func updateTests(s *suite) {
	s.test("replaces one form of progress by another", func(f *fixture) {
		job := f.running(f.worker())
		for _, p := range []gtf.Progress{
			{Form: gtf.FormTotal, Current: 9, Total: 60},
			{Form: gtf.FormFraction, Ratio: 0.25},
			{Form: gtf.FormCount, Current: 1 << 40},
			{Form: gtf.FormFraction, Ratio: 1},
			{Form: gtf.FormTotal, Current: 0, Total: 0},
			{Form: gtf.FormCount},
		} {
			check(f, "held", f.update(gtf.Update{Ref: job.Ref, Progress: &p}), true)
			check(f, "progress", f.get(job.ID).Progress, p)
		}
		f.status("after updates", job.ID, gtf.StatusInProgress)
	})

	s.test("writes each field and leaves the others alone", func(f *fixture) {
		job := f.running(f.worker())
		step := func(what string, u gtf.Update, apply func(t *gtf.Task)) {
			f.Helper()
			f.pass(time.Minute)
			want := f.get(job.ID)
			u.Ref = job.Ref
			check(f, what+": held", f.update(u), true)
			t := f.get(job.ID)
			if t.Version <= want.Version {
				f.Errorf("%s: version %d after %d", what, t.Version, want.Version)
			}
			f.near(what+": not changed for", t.ChangedAt.Sub(want.ChangedAt), time.Minute)
			want.ChangedAt, want.Version = t.ChangedAt, t.Version
			apply(want)
			check(f, what, t, want)
		}
		step("progress", gtf.Update{Progress: &gtf.Progress{Form: gtf.FormFraction, Ratio: 0.5}},
			func(t *gtf.Task) { t.Progress = gtf.Progress{Form: gtf.FormFraction, Ratio: 0.5} })
		step("payload", gtf.Update{Payload: raw(`{"z":1.0,"a":"<é>","z":2}`)},
			func(t *gtf.Task) { t.Payload = raw(`{"z":1.0,"a":"<é>","z":2}`) })
		step("abortable", gtf.Update{Abortable: true}, func(t *gtf.Task) { t.Abortable = true })
		step("warning", gtf.Update{TimeoutWarning: true}, func(t *gtf.Task) { t.TimeoutWarning = true })
		step("payload again", gtf.Update{Payload: raw(`{}`)}, func(t *gtf.Task) { t.Payload = raw(`{}`) })
		step("a log line", gtf.Update{Logs: []gtf.LogLine{{At: time.Unix(1000, 0).UTC(), Text: "x"}}},
			func(t *gtf.Task) { t.Logged.Lines = 1 })
	})

	s.test("writes while the task aborts", func(f *fixture) {
		job := f.running(f.worker(), abortable)
		f.abort(job.ID)
		check(f, "held", f.update(gtf.Update{Ref: job.Ref, Payload: raw(`{"a":1}`)}), true)
		t := f.get(job.ID)
		check(f, "payload", string(t.Payload), `{"a":1}`)
		check(f, "status", t.Status, gtf.StatusAborting)
		check(f, "abort reason", t.AbortReason, gtf.AbortByUser)
	})

	s.test("changes nothing with a claim that is over", func(f *fixture) {
		worker := f.worker()
		waiting := f.running(worker, attempts(2))
		f.finish(waiting.Ref, again(0))
		ended := f.running(worker)
		f.finish(ended.Ref, succeeded(`1`))
		retaken := f.running(worker, attempts(2))
		f.finish(retaken.Ref, again(0))
		f.reclaim(retaken.ID, worker)
		current := f.running(worker)
		for _, tt := range []struct {
			name string
			ref  gtf.Ref
		}{
			{"of a task that is pending again", waiting.Ref},
			{"of a task that has ended", ended.Ref},
			{"of an attempt before the current", retaken.Ref},
			{"that was never given", gtf.Ref{ID: current.ID, Claim: 2}},
			{"of a task that was never claimed", gtf.Ref{ID: f.create()}},
		} {
			before := f.get(tt.ref.ID)
			held := f.update(gtf.Update{
				Ref: tt.ref, Progress: &gtf.Progress{Form: gtf.FormCount, Current: 5}, Payload: raw(`{"late":true}`),
				Abortable: true, TimeoutWarning: true, Logs: []gtf.LogLine{{At: time.Unix(1000, 0).UTC(), Text: "late"}},
			})
			check(f, "claim "+tt.name+": held", held, false)
			f.unchanged("an update under a claim "+tt.name, before)
			check(f, "claim "+tt.name+": log lines", len(f.lines(tt.ref.ID, 0, 10)), 0)
		}
		check(f, "a task that does not exist", f.update(gtf.Update{Ref: gtf.Ref{ID: gtf.NewID(), Claim: 1}, Abortable: true}), false)
	})

	s.test("answers each member of a group", func(f *fixture) {
		worker := f.worker()
		var updates []gtf.Update
		var want []bool
		for i := range 40 {
			job := f.running(worker)
			u := gtf.Update{Ref: job.Ref, Progress: &gtf.Progress{Form: gtf.FormCount, Current: int64(i)}}
			if i%4 == 0 {
				u.Payload = raw(`{"a":1}`)
			}
			if i%3 == 0 {
				f.finish(job.Ref, succeeded(`1`))
			}
			updates, want = append(updates, u), append(want, i%3 != 0)
		}
		held, err := f.Update(f.Context(), updates)
		f.must("Update", err)
		check(f, "held", held, want)
		for i, u := range updates {
			t := f.get(u.ID)
			if want[i] {
				check(f, "progress", t.Progress, *u.Progress)
				check(f, "payload", string(t.Payload), string(u.Payload))
			} else {
				check(f, "progress of an ended task", t.Progress, gtf.Progress{})
			}
		}
	})
}
