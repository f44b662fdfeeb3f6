package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/globaltask/gtf"
)

// RunSubmitTx tests SubmitTx alone, for a store that takes more than one kind of transaction. opts.Begin must be given.
func RunSubmitTx(t *testing.T, open func(t *testing.T) gtf.Store, opts *Options) {
	submitTxTests(&suite{t, open, opts})
}

// caller is a transaction of the caller's.
type caller struct {
	tx               gtf.Tx
	commit, rollback func()
}

// begin starts one, to be ended by the test.
func (f *fixture) begin() caller {
	f.Helper()
	tx, commit, rollback := f.beginTx(f.T, f.Store)
	return caller{tx, commit, rollback}
}

// submitTx submits in a transaction that nothing else is in the way of.
func (f *fixture) submitTx(c caller, subs ...*gtf.Submission) []gtf.Submitted {
	f.Helper()
	done, err := f.SubmitTx(f.Context(), c.tx, subs)
	f.must("SubmitTx", err)
	if len(done) != len(subs) {
		f.Fatalf("SubmitTx of %d answered %d", len(subs), len(done))
	}
	return done
}

// untilFree submits until no other transaction holds the key, as clients do.
func (f *fixture) untilFree(sub *gtf.Submission) <-chan gtf.Submitted {
	answer := make(chan gtf.Submitted, 1)
	go func() {
		defer close(answer)
		for {
			done, err := f.Submit(f.Context(), []*gtf.Submission{sub})
			if err == nil {
				answer <- done[0]
				return
			}
			if !errors.Is(err, gtf.ErrLocked) {
				f.Errorf("Submit of a key that another transaction holds: %v, want ErrLocked or to wait", err)
				return
			}
		}
	}()
	return answer
}

// stillWaits looks for a moment whether an answer comes that must not come yet.
func (f *fixture) stillWaits(answer <-chan gtf.Submitted) {
	f.Helper()
	select {
	case got := <-answer:
		f.Fatalf("Submit of a key that another transaction holds answered %+v before its end", got)
	case <-time.After(400 * time.Millisecond): // longer than a lock timeout
	}
}

// foreignTx is a transaction that no store has made.
type foreignTx struct{}

func (foreignTx) Unwrap() any { return nil }

func submitTxTests(s *suite) {
	if s.opts.Begin == nil {
		s.t.Skip("Options.Begin is not given: the store cannot be reached by a transaction of the caller")
	}

	s.test("creates when the transaction commits, and not before", func(f *fixture) {
		c, sub := f.begin(), submission(withKey("k"), abortable, attempts(3))
		check(f, "answer", f.submitTx(c, sub)[0], gtf.Submitted{ID: sub.ID, Created: true})
		if _, err := f.Get(f.Context(), sub.ID, host); !errors.Is(err, gtf.ErrNotFound) {
			f.Errorf("before the commit Get gives %v, want ErrNotFound", err)
		}
		c.commit()
		t := f.get(sub.ID)
		check(f, "status", t.Status, gtf.StatusPending)
		check(f, "created by", t.CreatedBy, ada)
		check(f, "subscribers", people(t), []gtf.Principal{ada})
		check(f, "dedup key", t.DedupKey, sub.DedupKey)
		f.near("from creation to due", t.DueAt.Sub(t.CreatedAt), 0)
		job := f.reclaim(sub.ID, f.worker())
		check(f, "input", string(job.Input), `{"n":1}`)
		check(f, "the key is busy", f.submit(submission(withKey("k"), by(bob)))[0], gtf.Submitted{ID: sub.ID})
	})

	s.test("creates nothing when the transaction is rolled back", func(f *fixture) {
		c, sub := f.begin(), submission(withKey("k"))
		f.submitTx(c, sub)
		c.rollback()
		check(f, "tasks", len(f.all()), 0)
		check(f, "the key is free", f.submit(sub)[0], gtf.Submitted{ID: sub.ID, Created: true})
		check(f, "subscribers", people(f.get(sub.ID)), []gtf.Principal{ada})
	})

	s.test("joins the active task with the same key when the transaction commits", func(f *fixture) {
		id := f.create(withKey("k"))
		before := f.get(id)
		c := f.begin()
		check(f, "answer", f.submitTx(c, submission(withKey("k"), by(bob)))[0], gtf.Submitted{ID: id})
		f.unchanged("a join that is not committed", before)
		c.rollback()
		f.unchanged("a join that was rolled back", before)

		c = f.begin()
		f.submitTx(c, submission(withKey("k"), by(bob)))
		c.commit()
		t := f.get(id)
		check(f, "dedupe count", t.DedupeCount, 1)
		check(f, "subscribers", people(t), []gtf.Principal{ada, bob})
	})

	s.test("joins what the transaction itself has created", func(f *fixture) {
		c, sub := f.begin(), submission(withKey("k"))
		f.submitTx(c, sub)
		check(f, "second answer", f.submitTx(c, submission(withKey("k"), by(bob)))[0], gtf.Submitted{ID: sub.ID})
		c.commit()
		check(f, "tasks", len(f.all()), 1)
		check(f, "subscribers", people(f.get(sub.ID)), []gtf.Principal{ada, bob})
	})

	s.test("folds equal keys and answers in order", func(f *fixture) {
		known := f.create(withKey("known"))
		c, a, b := f.begin(), submission(withKey("k"), fromClient("tab-1")), submission()
		done := f.submitTx(c, a, submission(withKey("known")), b, submission(withKey("k"), fromClient("tab-2")))
		check(f, "answers", done, []gtf.Submitted{{ID: a.ID, Created: true}, {ID: known}, {ID: b.ID, Created: true}, {ID: a.ID}})
		c.commit()
		check(f, "clients", clients(f.get(a.ID), ada), []string{"tab-1", "tab-2"})
		check(f, "tasks", len(f.all()), 3)
	})

	s.test("makes another submit of the key wait, which then joins", func(f *fixture) {
		c, sub := f.begin(), submission(withKey("k"))
		f.submitTx(c, sub)
		answer := f.untilFree(submission(withKey("k"), by(bob)))
		f.stillWaits(answer)
		c.commit()
		check(f, "answer after the commit", <-answer, gtf.Submitted{ID: sub.ID})
		check(f, "tasks", len(f.all()), 1)
		check(f, "subscribers", people(f.get(sub.ID)), []gtf.Principal{ada, bob})
	})

	s.test("makes another submit of the key wait, which creates after a rollback", func(f *fixture) {
		c, sub := f.begin(), submission(withKey("k"), by(bob))
		f.submitTx(c, submission(withKey("k")))
		answer := f.untilFree(sub)
		f.stillWaits(answer)
		c.rollback()
		check(f, "answer after the rollback", <-answer, gtf.Submitted{ID: sub.ID, Created: true})
		check(f, "tasks", ids(f.all()), []gtf.ID{sub.ID})
		check(f, "subscribers", people(f.get(sub.ID)), []gtf.Principal{bob})
	})

	s.test("of a key that another caller's transaction holds waits no longer than its context", func(f *fixture) {
		first, sub := f.begin(), submission(withKey("k"))
		f.submitTx(first, sub)
		second := f.begin()
		ctx, cancel := context.WithTimeout(f.Context(), 300*time.Millisecond)
		defer cancel()
		if done, err := f.SubmitTx(ctx, second.tx, []*gtf.Submission{submission(withKey("k"))}); err == nil {
			f.Errorf("SubmitTx answered %+v while another transaction held the key", done)
		}
		second.rollback()
		first.commit()
		check(f, "tasks", ids(f.all()), []gtf.ID{sub.ID})
		check(f, "dedupe count", f.get(sub.ID).DedupeCount, 0)
	})

	s.test("refuses a transaction of another store, naming tx", func(f *fixture) {
		for name, tx := range map[string]gtf.Tx{"a foreign one": foreignTx{}, "none": nil} {
			_, err := f.SubmitTx(f.Context(), tx, []*gtf.Submission{submission()})
			var invalid *gtf.ValidationError
			if !errors.As(err, &invalid) || !slices.ContainsFunc(invalid.Problems, func(p gtf.Problem) bool { return p.Field == "tx" }) {
				f.Errorf("%s: %v, want a *ValidationError that names tx", name, err)
			}
		}
		check(f, "tasks", len(f.all()), 0)
	})

	s.test("leaves nothing of a batch that failed, even if the transaction goes on", func(f *fixture) {
		known := f.create()
		c, earlier, good, twin, later := f.begin(), submission(), submission(), submission(), submission()
		f.submitTx(c, earlier)
		twin.ID = known // an id that exists, under another key: cannot be stored
		if _, err := f.SubmitTx(f.Context(), c.tx, []*gtf.Submission{good, twin}); err == nil {
			f.Fatal("SubmitTx of an id that exists under another key gave no error")
		}
		want := []gtf.ID{known}
		if _, err := f.SubmitTx(f.Context(), c.tx, []*gtf.Submission{later}); err == nil { // the database lets it go on
			want = append(want, earlier.ID, later.ID)
		}
		c.commit()
		got := ids(f.all())
		slices.SortFunc(got, compareIDs)
		slices.SortFunc(want, compareIDs)
		check(f, "tasks", got, want)
	})

	s.test("keeps none of its arguments", func(f *fixture) {
		c, sub := f.begin(), submission()
		f.submitTx(c, sub)
		copy(sub.Input, `[0,0,0]`)
		c.commit()
		check(f, "input", string(f.reclaim(sub.ID, f.worker()).Input), `{"n":1}`)
	})
}

func compareIDs(a, b gtf.ID) int { return slices.Compare(a[:], b[:]) }
