package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/globaltask/gtf"
)

func submitTests(s *suite) {
	s.test("creates a pending task with all that the submission says", func(f *fixture) {
		sub := submission(abortable, inScope(gtf.ScopePrivate), delayed(2*time.Minute), attempts(4), fromClient("tab-1"))
		sub.Name, sub.Queue, sub.Priority, sub.Timeout = "Export of Ünïcode", "slow", 3, 90*time.Second
		f.submit(sub)
		t := f.get(sub.ID)
		check(f, "type", t.Type, work)
		check(f, "key", t.Key, sub.Key)
		check(f, "name", t.Name, sub.Name)
		check(f, "scope", t.Scope, gtf.ScopePrivate)
		check(f, "status", t.Status, gtf.StatusPending)
		check(f, "mode", t.Mode, gtf.ModeAsync)
		check(f, "queue", t.Queue, "slow")
		check(f, "priority", t.Priority, 3)
		check(f, "timeout", t.Timeout, 90*time.Second)
		check(f, "max attempts", t.MaxAttempts, 4)
		check(f, "attempt", t.Attempt, 0)
		check(f, "abortable", t.Abortable, true)
		check(f, "per client", t.PerClient, true)
		check(f, "dedupe count", t.DedupeCount, 0)
		check(f, "dedup key", t.DedupKey, sub.DedupKey)
		check(f, "created by", t.CreatedBy, ada)
		check(f, "worker", t.Worker, "")
		check(f, "progress", t.Progress, gtf.Progress{})
		check(f, "payload", string(t.Payload), "")
		check(f, "result", string(t.Result), "")
		check(f, "started at", t.StartedAt, time.Time{})
		check(f, "ended at", t.EndedAt, time.Time{})
		f.near("from creation to due", t.DueAt.Sub(t.CreatedAt), 2*time.Minute)
		f.near("from creation to change", t.ChangedAt.Sub(t.CreatedAt), 0)
		for name, at := range map[string]time.Time{"created": t.CreatedAt, "changed": t.ChangedAt, "due": t.DueAt} {
			check(f, "time zone of "+name, at.Location(), time.UTC)
		}
	})

	s.test("takes the due time of the caller", func(f *fixture) {
		at := time.Now().Add(time.Hour).Truncate(time.Second)
		t := f.get(f.create(func(s *gtf.Submission) { s.DueAt = at }))
		if !t.DueAt.Equal(at) {
			f.Errorf("due at %v, want %v", t.DueAt, at)
		}
	})

	s.test("subscribes nobody where nobody is named", func(f *fixture) {
		t := f.get(f.create(by(gtf.Principal{})))
		check(f, "subscribers", len(t.Subscribers), 0)
		check(f, "created by", t.CreatedBy, gtf.Principal{})
	})

	s.test("keeps none of its arguments", func(f *fixture) {
		sub := submission()
		sub.Input = raw(`{"b":1.0,  "a":[1,2],"a":3}`)
		want := string(sub.Input)
		f.submit(sub)
		copy(sub.Input, `{"overwritten`)
		job := f.reclaim(sub.ID, f.worker())
		check(f, "input, to the letter", string(job.Input), want)
	})

	s.test("inserts a sync task in progress under its first claim", func(f *fixture) {
		worker := f.worker()
		ref := f.runningSync(worker, abortable)
		t := f.get(ref.ID)
		check(f, "status", t.Status, gtf.StatusInProgress)
		check(f, "mode", t.Mode, gtf.ModeSync)
		check(f, "attempt", t.Attempt, 1)
		check(f, "worker", t.Worker, worker)
		check(f, "abortable", t.Abortable, true)
		f.near("from creation to start", t.StartedAt.Sub(t.CreatedAt), 0)
		if t.StartedAt.IsZero() {
			f.Error("started at is zero")
		}
		check(f, "update under claim 1 held", f.update(gtf.Update{Ref: ref, Abortable: true}), true)
	})

	s.test("writes a batch whole or not at all", func(f *fixture) {
		known := f.create()
		f.create(withKey("busy"))
		first, join, twin := submission(), submission(withKey("busy"), by(bob)), submission()
		twin.ID = known // an id that exists, under another key: cannot be stored
		if _, err := f.Submit(f.Context(), []*gtf.Submission{first, join, twin}); err == nil {
			f.Fatal("Submit of an id that exists under another key gave no error")
		}
		for _, t := range f.all() {
			if t.ID == first.ID {
				f.Error("a failed batch has left a task behind")
			}
			check(f, "dedupe count after a failed batch", t.DedupeCount, 0)
			check(f, "subscribers after a failed batch", len(t.Subscribers), 1)
		}
		check(f, "tasks", len(f.all()), 2)
		check(f, "the key of a failed batch can be used", f.submit(first)[0], gtf.Submitted{ID: first.ID, Created: true})
	})

	s.test("has written nothing if it returns an error", func(f *fixture) {
		ctx, cancel := context.WithCancel(f.Context())
		cancel() // a store may still do its work
		want := 0
		for range 10 {
			if _, err := f.Submit(ctx, []*gtf.Submission{submission()}); err == nil {
				want++
			}
			check(f, "tasks", len(f.all()), want)
		}
	})

	s.test("answers a large batch in its order", func(f *fixture) {
		const n = 1500
		subs := make([]*gtf.Submission, n)
		for i := range subs {
			subs[i] = submission(withKey(fmt.Sprint(i % (n / 3)))) // three of each key
		}
		created := map[gtf.ID]bool{}
		for i, done := range f.submit(subs...) {
			want := gtf.Submitted{ID: subs[i%(n/3)].ID, Created: i < n/3}
			if done != want {
				f.Fatalf("answer %d is %+v, want %+v", i, done, want)
			}
			created[done.ID] = true
		}
		check(f, "tasks", len(created), n/3)
		check(f, "dedupe count", f.get(subs[7].ID).DedupeCount, 2)
	})

	s.test("gives each change of a task a higher version", func(f *fixture) {
		worker := f.worker()
		job := f.running(worker)
		other := f.create(withKey("other"))
		last := map[gtf.ID]int64{job.ID: f.get(job.ID).Version, other: f.get(other).Version}
		grown := func(what string, id gtf.ID) {
			f.Helper()
			now := f.get(id).Version
			if now <= last[id] {
				f.Errorf("version after %s is %d, want more than %d", what, now, last[id])
			}
			last[id] = now
		}
		f.update(gtf.Update{Ref: job.Ref, Progress: &gtf.Progress{Form: gtf.FormCount, Current: 1}})
		grown("an update", job.ID)
		f.submit(submission(withKey("other"), by(bob)))
		grown("a join", other)
		f.claim(worker, gtf.DefaultQueue, 1)
		grown("a claim", other)
		f.abort(other)
		grown("an abort", other)
		f.finish(job.Ref, succeeded(`1`))
		grown("a finish", job.ID)
	})

	s.test("stops counting at MaxCount", func(f *fixture) {
		if testing.Short() {
			f.Skip("stores ten thousand tasks")
		}
		subs := make([]*gtf.Submission, gtf.MaxCount+1)
		for i := range subs {
			subs[i] = submission(ofType(fmt.Sprintf("t%d", i/gtf.MaxCount)), by(gtf.Principal{}))
		}
		f.submit(subs...)
		for _, tt := range []struct {
			name   string
			types  []string
			count  int
			capped bool
		}{
			{"all", nil, gtf.MaxCount, true},
			{"exactly MaxCount", []string{"t0"}, gtf.MaxCount, false},
			{"one", []string{"t1"}, 1, false},
		} {
			page, err := f.List(f.Context(), &gtf.ListParams{Order: gtf.OrderCreated, PageSize: 1, Types: tt.types}, host)
			f.must("List", err)
			check(f, tt.name+": count", page.Count, tt.count)
			check(f, tt.name+": capped", page.Capped, tt.capped)
		}
	})
}
