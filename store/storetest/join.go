package storetest

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/globaltask/gtf"
)

func joinTests(s *suite) {
	s.test("joins the active task with the same key and ignores the rest", func(f *fixture) {
		id := f.create(withKey("k"))
		before := f.get(id)
		second := submission(withKey("k"), by(bob), delayed(time.Hour), attempts(9), abortable, inQueue("other"))
		second.Name, second.Priority, second.Input, second.Timeout = "another name", 1, raw(`{"n":2}`), time.Hour
		check(f, "answer", f.submit(second)[0], gtf.Submitted{ID: id})

		t := f.get(id)
		check(f, "dedupe count", t.DedupeCount, 1)
		check(f, "subscribers", people(t), []gtf.Principal{ada, bob})
		if _, err := f.Get(f.Context(), second.ID, host); err == nil {
			f.Error("the id of the second submit exists")
		}
		job := f.reclaim(id, f.worker())
		check(f, "input", string(job.Input), `{"n":1}`)
		before.DedupeCount, before.Subscribers, before.Version, before.ChangedAt = t.DedupeCount, t.Subscribers, t.Version, t.ChangedAt
		check(f, "everything else", t, before)
	})

	s.test("subscribes each principal once", func(f *fixture) {
		id := f.create(withKey("k"))
		f.pass(time.Minute)
		for _, p := range []gtf.Principal{ada, bob, guest, bob, {}, ada} {
			f.submit(submission(withKey("k"), by(p)))
		}
		t := f.get(id)
		check(f, "subscribers", people(t), []gtf.Principal{ada, bob, guest})
		check(f, "dedupe count", t.DedupeCount, 6)
		for _, s := range t.Subscribers {
			since := time.Minute
			if s.Kind == ada.Kind && s.ID == ada.ID {
				since = 0
			}
			f.near("subscribed after", s.Since.Sub(t.CreatedAt), since)
			check(f, "clients of "+s.Name, len(s.Clients), 0)
		}
	})

	s.test("keeps each client of a subscriber once", func(f *fixture) {
		id := f.create(withKey("k"), fromClient("tab-1"))
		for _, tab := range []string{"tab-2", "tab-1", "tab-2", ""} {
			f.submit(submission(withKey("k"), fromClient(tab)))
		}
		f.submit(submission(withKey("k"), fromClient("tab-9"), by(bob)))
		check(f, "clients of ada", clients(f.get(id), ada), []string{"tab-1", "tab-2"})
		check(f, "clients of bob", clients(f.get(id), bob), []string{"tab-9"})

		f.create(withKey("plain"))
		f.submit(submission(withKey("plain"), fromClient("tab-1"))) // the policy of the task that is there counts
		for _, t := range f.all() {
			if t.Key == "plain" {
				check(f, "clients where they do not count", clients(t, ada), nil)
			}
		}
	})

	s.test("joins a task that runs, and one that aborts", func(f *fixture) {
		job := f.running(f.worker(), withKey("k"), abortable)
		check(f, "while it runs", f.submit(submission(withKey("k")))[0], gtf.Submitted{ID: job.ID})
		f.status("after the first join", job.ID, gtf.StatusInProgress)
		f.abort(job.ID)
		check(f, "while it aborts", f.submit(submission(withKey("k"), by(bob)))[0], gtf.Submitted{ID: job.ID})
		f.status("after the second join", job.ID, gtf.StatusAborting)
	})

	s.test("joins across modes", func(f *fixture) {
		worker := f.worker()
		running := f.runningSync(worker, withKey("k"))
		check(f, "async joins sync", f.submit(submission(withKey("k")))[0], gtf.Submitted{ID: running.ID})
		waiting := f.create(withKey("l"))
		check(f, "sync joins async", f.submit(submission(withKey("l"), syncOn(worker)))[0], gtf.Submitted{ID: waiting})
		f.status("an async task joined by Run", waiting, gtf.StatusPending)
	})

	s.test("creates anew once the task has ended, in whatever way", func(f *fixture) {
		worker := f.worker()
		ends := map[gtf.Status]func() gtf.ID{
			gtf.StatusSuccess: func() gtf.ID {
				job := f.running(worker, withKey("k"))
				f.finish(job.Ref, succeeded(`1`))
				return job.ID
			},
			gtf.StatusFailure: func() gtf.ID {
				job := f.running(worker, withKey("k"))
				f.finish(job.Ref, failed("no"))
				return job.ID
			},
			gtf.StatusAborted: func() gtf.ID {
				id := f.create(withKey("k"))
				f.abort(id)
				return id
			},
			gtf.StatusTimedOut: func() gtf.ID {
				job := f.running(worker, withKey("k"), abortable)
				f.expire(job.Ref)
				f.stopped(job.Ref)
				return job.ID
			},
		}
		for status, end := range ends {
			id := end()
			f.status("ended", id, status)
			check(f, "dedup key of a task that is "+string(status), f.get(id).DedupKey, id.String())
			before := f.get(id)
			next := f.create(withKey("k"))
			f.unchanged("a new task with the key of one that is "+string(status), before)
			f.abort(next)
		}
	})

	s.test("makes one task of 100 submits of one key at once", func(f *fixture) {
		const n = 100
		var created atomic.Int64
		var answers [n]gtf.ID
		together(n, func(i int) {
			p := gtf.Principal{Kind: gtf.KindUser, ID: gtf.NewID().String(), Name: "one of many"}
			done, err := f.Submit(f.Context(), []*gtf.Submission{submission(withKey("k"), by(p))})
			if err != nil || len(done) != 1 {
				f.Errorf("Submit %d: %v, %d answers", i, err, len(done))
				return
			}
			if answers[i] = done[0].ID; done[0].Created {
				created.Add(1)
			}
		})
		check(f, "created", created.Load(), 1)
		tasks := f.all()
		if len(tasks) != 1 {
			f.Fatalf("there are %d tasks, want 1", len(tasks))
		}
		check(f, "subscribers", len(tasks[0].Subscribers), n)
		check(f, "dedupe count", tasks[0].DedupeCount, n-1)
		for i, id := range answers {
			if id != tasks[0].ID {
				f.Fatalf("submit %d was told task %s, want %s", i, id, tasks[0].ID)
			}
		}
	})

	s.test("makes one task per key of batches in opposite order at once", func(f *fixture) {
		keys := []string{"a", "b", "c", "d", "e", "f"}
		const n = 16
		together(n, func(i int) {
			order := slices.Clone(keys)
			if i%2 == 1 {
				slices.Reverse(order)
			}
			subs := make([]*gtf.Submission, len(order))
			for j, key := range order {
				subs[j] = submission(withKey(key))
			}
			if _, err := f.Submit(f.Context(), subs); err != nil {
				f.Errorf("batch %d: %v", i, err)
			}
		})
		tasks := f.all()
		check(f, "tasks", len(tasks), len(keys))
		for _, t := range tasks {
			check(f, "dedupe count of "+t.Key, t.DedupeCount, n-1)
		}
	})

	s.test("folds equal keys inside one batch", func(f *fixture) {
		a, b, c, other := submission(withKey("k")), submission(withKey("k"), by(bob)), submission(withKey("k"), by(guest)), submission()
		done := f.submit(a, other, b, c)
		check(f, "answers", done, []gtf.Submitted{{ID: a.ID, Created: true}, {ID: other.ID, Created: true}, {ID: a.ID}, {ID: a.ID}})
		t := f.get(a.ID)
		check(f, "dedupe count", t.DedupeCount, 2)
		check(f, "subscribers", people(t), []gtf.Principal{ada, bob, guest})
		check(f, "created by", t.CreatedBy, ada)
	})
}

// people are the subscribers of a task in the order of their kinds and ids: users before guests.
func people(t *gtf.Task) []gtf.Principal {
	list := make([]gtf.Principal, 0, len(t.Subscribers))
	for _, s := range t.Subscribers {
		list = append(list, gtf.Principal{Kind: s.Kind, ID: s.ID, Name: s.Name})
	}
	slices.SortFunc(list, func(a, b gtf.Principal) int {
		if a.Kind != b.Kind {
			return strings.Compare(string(b.Kind), string(a.Kind))
		}
		return strings.Compare(a.ID, b.ID)
	})
	return list
}

func clients(t *gtf.Task, p gtf.Principal) []string {
	for _, s := range t.Subscribers {
		if s.Kind == p.Kind && s.ID == p.ID {
			return slices.Sorted(slices.Values(s.Clients))
		}
	}
	return nil
}
