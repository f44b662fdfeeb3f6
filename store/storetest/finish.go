package storetest

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/globaltask/gtf"
)

func finishTests(s *suite) {
	success, failure, byReason := succeeded(`{"z":1.0,"a":[1, 2]}`), failed("broken"), gtf.Outcome{Error: "stopped"}
	failure.ErrorType, failure.Stack = "*fs.PathError", "goroutine 1 [running]"
	for _, tt := range []struct {
		name              string
		before            func(f *fixture, job *gtf.Job) // nil: the row stays in_progress
		running, aborting gtf.Outcome
		want              gtf.Status
		outcome           gtf.Outcome
	}{
		{"a success while it runs", nil, success, failure, gtf.StatusSuccess, success},
		{"a failure while it runs", nil, failure, success, gtf.StatusFailure, failure},
		{"a success while it aborts", aborts, failure, success, gtf.StatusSuccess, success},
		{"a failure while it aborts", aborts, success, failure, gtf.StatusFailure, failure},
		{"aborted by a person", aborts, success, byReason, gtf.StatusAborted, byReason},
		{"timed out", expires, success, byReason, gtf.StatusTimedOut, byReason},
		{"aborted, never another attempt", aborts, again(0), byReason, gtf.StatusAborted, byReason},
		{"aborted: the first reason stays", abortsThenExpires, success, byReason, gtf.StatusAborted, byReason},
	} {
		s.test("stores "+tt.name, func(f *fixture) {
			worker := f.worker()
			job := f.running(worker, withKey("k"), abortable, attempts(2))
			f.pass(time.Minute)
			if tt.before != nil {
				tt.before(f, job)
			}
			f.update(gtf.Update{Ref: job.Ref, Payload: raw(`{"old":1}`), Progress: &gtf.Progress{Form: gtf.FormCount, Current: 1}})
			before := f.get(job.ID)
			f.pass(2 * time.Minute)
			done := f.finishAs(gtf.Finish{
				Update: gtf.Update{
					Ref: job.Ref, Progress: &gtf.Progress{Form: gtf.FormFraction, Ratio: 0.75}, Payload: raw(`{"last":true}`),
					Logs: logged(1, 1, 0), TimeoutWarning: true,
				},
				Running: tt.running, Aborting: tt.aborting,
			})
			check(f, "answer", done, gtf.Finished{Held: true, Status: tt.want})
			t := f.get(job.ID)
			check(f, "status", t.Status, tt.want)
			if !before.Status.CanBecome(t.Status) {
				f.Errorf("the task went from %s to %s, which the table forbids", before.Status, t.Status)
			}
			check(f, "error", t.Error, tt.outcome.Error)
			check(f, "error type", t.ErrorType, tt.outcome.ErrorType)
			check(f, "stack", t.Stack, tt.outcome.Stack)
			check(f, "result, to the letter", string(t.Result), string(tt.outcome.Result))
			check(f, "progress", t.Progress, gtf.Progress{Form: gtf.FormFraction, Ratio: 0.75})
			check(f, "payload", string(t.Payload), `{"last":true}`)
			check(f, "log lines", t.Logged.Lines, 1)
			check(f, "timeout warning", t.TimeoutWarning, true)
			check(f, "dedup key", t.DedupKey, job.ID.String())
			check(f, "worker", t.Worker, worker)
			check(f, "attempt", t.Attempt, 1)
			check(f, "attempts that did not end it", len(t.Attempts), 0)
			check(f, "abort reason", t.AbortReason, before.AbortReason)
			check(f, "aborted by", t.AbortedBy, before.AbortedBy)
			f.near("duration", t.EndedAt.Sub(t.StartedAt), 3*time.Minute)
			f.near("not changed since", t.EndedAt.Sub(t.ChangedAt), 0)
			check(f, "time zone", t.EndedAt.Location(), time.UTC)
			if t.Version <= before.Version {
				f.Errorf("version %d after %d", t.Version, before.Version)
			}
			look := f.look(job.ID)
			check(f, "status seen by waiters", look.Status, tt.want)
			check(f, "result seen by waiters", string(look.Result), string(tt.outcome.Result))
			check(f, "held by the worker", len(f.held(worker)), 0)
			f.create(withKey("k"))
		})
	}

	s.test("keeps progress and payload that it does not bring", func(f *fixture) {
		job := f.running(f.worker())
		p := gtf.Progress{Form: gtf.FormTotal, Current: 1, Total: 3}
		f.update(gtf.Update{Ref: job.Ref, Progress: &p, Payload: raw(`{"a":1}`), Abortable: true})
		f.finish(job.Ref, failed("x"))
		t := f.get(job.ID)
		check(f, "progress", t.Progress, p)
		check(f, "payload", string(t.Payload), `{"a":1}`)
		check(f, "abortable", t.Abortable, true)
	})

	s.test("changes nothing with a claim that is over", func(f *fixture) {
		worker := f.worker()
		waiting := f.running(worker, attempts(3))
		f.finish(waiting.Ref, again(time.Hour))
		retaken := f.running(worker, attempts(3))
		f.finish(retaken.Ref, again(0))
		f.reclaim(retaken.ID, worker)
		old := map[string]gtf.Ref{
			"of a task that is pending again":      waiting.Ref,
			"of an attempt before the current":     retaken.Ref,
			"that was never given":                 {ID: f.running(worker).ID, Claim: 2},
			"of a task that was never claimed":     {ID: f.create()},
			"of a task that was cancelled pending": {ID: f.abort(f.create()).ID},
		}
		for _, end := range []gtf.Outcome{succeeded(`1`), failed("x")} {
			job := f.running(worker)
			f.finish(job.Ref, end)
			old["of a task that is "+string(end.Status)] = job.Ref
		}
		for _, stop := range []func(*fixture, *gtf.Job){aborts, expires} {
			job := f.running(worker, abortable)
			stop(f, job)
			status := f.stopped(job.Ref).Status
			old["of a task that is "+string(status)] = job.Ref
		}
		for name, ref := range old {
			before := f.get(ref.ID)
			for _, o := range []gtf.Outcome{succeeded(`"late"`), failed("late"), again(0)} {
				aborting := o
				if o.Status == gtf.StatusPending {
					aborting = gtf.Outcome{}
				}
				done := f.finishAs(gtf.Finish{
					Update:  gtf.Update{Ref: ref, Payload: raw(`{"late":true}`), Logs: logged(1, 1, 0), Abortable: true},
					Running: o, Aborting: aborting,
				})
				check(f, "claim "+name+": held", done.Held, false)
				f.unchanged(fmt.Sprintf("a finish as %q under a claim %s", o.Status, name), before)
			}
		}
		check(f, "a task that does not exist", f.finish(gtf.Ref{ID: gtf.NewID(), Claim: 1}, succeeded(`1`)).Held, false)
	})

	s.test("answers each member of a group", func(f *fixture) {
		worker := f.worker()
		var fins []gtf.Finish
		var want []gtf.Finished
		for i := range 40 {
			job := f.running(worker, abortable, attempts(2))
			fin := gtf.Finish{Update: gtf.Update{Ref: job.Ref}, Running: succeeded(fmt.Sprint(i)), Aborting: gtf.Outcome{}}
			end := gtf.Finished{Held: true, Status: gtf.StatusSuccess}
			switch i % 5 {
			case 1:
				f.abort(job.ID)
				end.Status = gtf.StatusAborted
			case 2:
				f.finish(job.Ref, succeeded(fmt.Sprint(i)))
				end = gtf.Finished{}
			case 3:
				fin.Running = again(0)
				end.Status = gtf.StatusPending
			case 4:
				f.expire(job.Ref)
				end.Status = gtf.StatusTimedOut
			}
			fins, want = append(fins, fin), append(want, end)
		}
		done, err := f.Finish(f.Context(), fins)
		f.must("Finish", err)
		if len(done) != len(want) {
			f.Fatalf("Finish of %d answered %d", len(want), len(done))
		}
		for i := range done {
			check(f, fmt.Sprintf("answer %d: held", i), done[i].Held, want[i].Held)
			if done[i].Held {
				check(f, fmt.Sprintf("answer %d", i), done[i], want[i])
				f.status(fmt.Sprintf("task %d", i), fins[i].ID, want[i].Status)
			}
			if t := f.get(fins[i].ID); t.Status == gtf.StatusSuccess {
				check(f, "result", string(t.Result), fmt.Sprint(i))
			}
		}
	})

	s.test("lets one of many finishes at once win", func(f *fixture) {
		job := f.running(f.worker(), attempts(2))
		var won atomic.Int64
		together(20, func(i int) {
			o := []gtf.Outcome{succeeded(`1`), failed("x"), again(0), succeeded(`2`)}[i%4]
			done, err := f.Finish(f.Context(), []gtf.Finish{{Update: gtf.Update{Ref: job.Ref}, Running: o, Aborting: gtf.Outcome{}}})
			if err != nil {
				f.Errorf("Finish %d: %v", i, err)
			} else if done[0].Held {
				won.Add(1)
			}
		})
		check(f, "finishes that held", won.Load(), 1)
	})

	s.test("agrees with an abort that comes at the same time", func(f *fixture) {
		worker := f.worker()
		for range 20 {
			job := f.running(worker, abortable)
			var done []gtf.Finished
			var err error
			seen := gtf.Status("")
			together(2, func(i int) {
				if i == 0 {
					done, err = f.Finish(f.Context(), []gtf.Finish{{Update: gtf.Update{Ref: job.Ref}, Running: succeeded(`1`)}})
					return
				}
				_, _ = f.Cancel(f.Context(), job.ID, func(t *gtf.Task) (gtf.Deed, error) {
					seen = t.Status
					if t.Status.Terminal() {
						return gtf.Deed{}, gtf.ErrFinished
					}
					return gtf.Deed{Kind: gtf.DeedAbort, By: bob}, nil
				})
			})
			f.must("Finish", err)
			want := map[gtf.Status]gtf.Status{gtf.StatusInProgress: gtf.StatusAborted, gtf.StatusSuccess: gtf.StatusSuccess}[seen]
			check(f, "answer after an abort that saw "+string(seen), done[0], gtf.Finished{Held: true, Status: want})
			f.status("after an abort that saw "+string(seen), job.ID, want)
		}
	})
}

func aborts(f *fixture, job *gtf.Job)  { f.abort(job.ID) }
func expires(f *fixture, job *gtf.Job) { f.expire(job.Ref) }
func abortsThenExpires(f *fixture, job *gtf.Job) {
	f.abort(job.ID)
	check(f, "Expire after an abort", f.expire(job.Ref), false)
}
