package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/globaltask/gtf"
)

func cancelTests(s *suite) {
	s.test("aborts a pending task at once and frees its key", func(f *fixture) {
		id := f.create(withKey("k"))
		f.pass(time.Minute)
		t := f.abort(id)
		check(f, "status", t.Status, gtf.StatusAborted)
		check(f, "aborted by", t.AbortedBy, bob)
		check(f, "dedup key", t.DedupKey, id.String())
		check(f, "attempt", t.Attempt, 0)
		check(f, "started at", t.StartedAt, time.Time{})
		check(f, "subscribers", people(t), []gtf.Principal{ada})
		f.near("asked after", t.AbortedAt.Sub(t.CreatedAt), time.Minute)
		f.near("ended after", t.EndedAt.Sub(t.CreatedAt), time.Minute)
		f.unchanged("Cancel returned", t)
		f.create(withKey("k"))
	})

	s.test("asks a running task to abort and keeps who and when", func(f *fixture) {
		worker := f.worker()
		job := f.running(worker, withKey("k"), abortable)
		f.pass(time.Minute)
		before := f.get(job.ID)
		t := f.abort(job.ID)
		check(f, "status", t.Status, gtf.StatusAborting)
		check(f, "abort reason", t.AbortReason, gtf.AbortByUser)
		check(f, "aborted by", t.AbortedBy, bob)
		check(f, "dedup key", t.DedupKey, dedup("k"))
		check(f, "ended at", t.EndedAt, time.Time{})
		f.near("asked after", t.AbortedAt.Sub(t.CreatedAt), time.Minute)
		check(f, "time zone", t.AbortedAt.Location(), time.UTC)
		if t.Version <= before.Version {
			f.Errorf("version %d after %d", t.Version, before.Version)
		}
		f.unchanged("Cancel returned", t)
		check(f, "held by the worker", f.held(worker), []gtf.Held{
			{Ref: job.Ref, Status: gtf.StatusAborting, AbortReason: gtf.AbortByUser},
		})
		f.pass(time.Minute)
		f.stopped(job.Ref)
		t = f.get(job.ID)
		check(f, "aborted by, at the end", t.AbortedBy, bob)
		f.near("asked after, at the end", t.AbortedAt.Sub(t.CreatedAt), time.Minute)
	})

	s.test("keeps the host as who aborted", func(f *fixture) {
		p := gtf.Principal{ID: gtf.HostName, Name: gtf.HostName}
		for _, id := range []gtf.ID{f.create(), f.running(f.worker(), abortable).ID} {
			t := f.deed(id, gtf.Deed{Kind: gtf.DeedAbort, By: p})
			check(f, "aborted by", t.AbortedBy, p)
			check(f, "aborted by, read again", f.get(id).AbortedBy, p)
		}
	})

	s.test("shows decide the task with its subscribers, once", func(f *fixture) {
		id := f.create(withKey("k"), fromClient("tab-1"))
		f.submit(submission(withKey("k"), by(bob)))
		want := f.get(id)
		calls := 0
		t, err := f.Cancel(f.Context(), id, func(t *gtf.Task) (gtf.Deed, error) {
			calls++
			check(f, "task that decide sees", t, want)
			return gtf.Deed{Kind: gtf.DeedNone}, nil
		})
		f.must("Cancel", err)
		check(f, "calls of decide", calls, 1)
		check(f, "task after no deed", t, want)
		f.unchanged("a cancel without a deed", want)
	})

	s.test("returns the error of decide and writes nothing", func(f *fixture) {
		job := f.running(f.worker(), abortable)
		before := f.get(job.ID)
		why := errors.New("not you")
		_, err := f.Cancel(f.Context(), job.ID, func(*gtf.Task) (gtf.Deed, error) {
			return gtf.Deed{Kind: gtf.DeedAbort, By: bob}, fmt.Errorf("decide: %w", why)
		})
		if !errors.Is(err, why) {
			f.Errorf("Cancel returned %v, want the error of decide", err)
		}
		f.unchanged("a refused cancel", before)
	})

	s.test("does not know a task that does not exist", func(f *fixture) {
		_, err := f.Cancel(f.Context(), gtf.NewID(), func(*gtf.Task) (gtf.Deed, error) {
			f.Error("decide was called")
			return gtf.Deed{}, nil
		})
		if !errors.Is(err, gtf.ErrNotFound) {
			f.Errorf("Cancel returned %v, want ErrNotFound", err)
		}
	})

	s.test("takes a subscriber off the task", func(f *fixture) {
		id := f.create(withKey("k"))
		f.submit(submission(withKey("k"), by(guest)), submission(withKey("k"), by(bob)))
		other := f.get(f.create())
		t := f.deed(id, gtf.Deed{Kind: gtf.DeedLeave, By: ada})
		f.unchanged("leaving another task", other)
		check(f, "subscribers", people(t), []gtf.Principal{bob, guest})
		check(f, "status", t.Status, gtf.StatusPending)
		check(f, "created by", t.CreatedBy, ada)
		check(f, "aborted by", t.AbortedBy, gtf.Principal{})
		f.unchanged("Cancel returned", t)
		if _, err := f.Get(f.Context(), id, viewer(ada)); !errors.Is(err, gtf.ErrNotFound) {
			f.Errorf("the creator who left still sees the task: %v", err)
		}
		f.submit(submission(withKey("k")))
		check(f, "subscribers after a new join", len(f.get(id).Subscribers), 3)
	})

	s.test("takes one client of a subscriber off the task", func(f *fixture) {
		id := f.create(withKey("k"), fromClient("tab-1"))
		f.submit(submission(withKey("k"), fromClient("tab-2")), submission(withKey("k"), fromClient("tab-1"), by(bob)))
		before, other := f.get(id), f.get(f.create(fromClient("tab-1")))
		t := f.deed(id, gtf.Deed{Kind: gtf.DeedDetach, By: ada, Client: "tab-1"})
		check(f, "clients of ada", clients(t, ada), []string{"tab-2"})
		check(f, "clients of bob", clients(t, bob), []string{"tab-1"})
		check(f, "subscribers", len(t.Subscribers), 2)
		check(f, "status", t.Status, before.Status)
		f.unchanged("Cancel returned", t)
		f.unchanged("detaching from another task", other)
	})

	s.test("never brings an ended task back", func(f *fixture) {
		worker := f.worker()
		for _, status := range []gtf.Status{gtf.StatusSuccess, gtf.StatusFailure, gtf.StatusAborted, gtf.StatusTimedOut} {
			job := f.running(worker, abortable)
			switch status {
			case gtf.StatusAborted:
				f.abort(job.ID)
				f.stopped(job.Ref)
			case gtf.StatusTimedOut:
				f.expire(job.Ref)
				f.stopped(job.Ref)
			default:
				f.finish(job.Ref, gtf.Outcome{Status: status})
			}
			before := f.get(job.ID)
			check(f, "status", before.Status, status)
			_, _ = f.Cancel(f.Context(), job.ID, func(*gtf.Task) (gtf.Deed, error) {
				return gtf.Deed{Kind: gtf.DeedAbort, By: bob}, nil
			})
			f.unchanged("an abort of a task that is "+string(status), before)
		}
	})

	s.test("decides about each of many who leave at once under the lock", func(f *fixture) {
		const n = 12
		id := f.create(withKey("k"), by(gtf.Principal{}))
		who := make([]gtf.Principal, n)
		for i := range who {
			who[i] = gtf.Principal{Kind: gtf.KindUser, ID: fmt.Sprint(i)}
			f.submit(submission(withKey("k"), by(who[i])))
		}
		var left, aborted atomic.Int64
		together(n, func(i int) {
			_, err := f.Cancel(f.Context(), id, func(t *gtf.Task) (gtf.Deed, error) {
				if len(t.Subscribers) > 1 {
					left.Add(1)
					return gtf.Deed{Kind: gtf.DeedLeave, By: who[i]}, nil
				}
				aborted.Add(1)
				return gtf.Deed{Kind: gtf.DeedAbort, By: who[i]}, nil
			})
			if err != nil {
				f.Errorf("Cancel by %d: %v", i, err)
			}
		})
		check(f, "who left", left.Load(), n-1)
		check(f, "who aborted", aborted.Load(), 1)
		t := f.get(id)
		check(f, "status", t.Status, gtf.StatusAborted)
		check(f, "subscribers", len(t.Subscribers), 1)
		if len(t.Subscribers) == 1 {
			check(f, "aborted by the last", t.AbortedBy.ID, t.Subscribers[0].ID)
		}
	})

	s.test("lets one of a claim and a cancel at once win", func(f *fixture) {
		worker := f.worker()
		for range 20 {
			id := f.create(inQueue("race"))
			var jobs []*gtf.Job
			var seen gtf.Status
			together(2, func(i int) {
				if i == 0 {
					c, err := f.Claim(f.Context(), &gtf.ClaimParams{
						Worker: worker, Types: []string{work}, Queues: []gtf.QueueSlots{{Queue: "race", Free: 1}},
					})
					if err != nil {
						f.Errorf("Claim: %v", err)
						return
					}
					jobs = c.Jobs
					return
				}
				_, _ = f.Cancel(f.Context(), id, func(t *gtf.Task) (gtf.Deed, error) {
					if seen = t.Status; seen != gtf.StatusPending {
						return gtf.Deed{}, gtf.ErrNotAbortable
					}
					return gtf.Deed{Kind: gtf.DeedAbort, By: bob}, nil
				})
			})
			switch {
			case len(jobs) == 0 && seen == gtf.StatusPending:
				f.status("cancelled first", id, gtf.StatusAborted)
			case len(jobs) == 1 && seen == gtf.StatusInProgress:
				f.status("claimed first", id, gtf.StatusInProgress)
			default:
				f.Errorf("the claim took %d tasks and the cancel saw %s", len(jobs), seen)
			}
		}
	})
}
