package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/globaltask/gtf"
)

func followTests(s *suite) {
	s.test("tells a transaction of the caller when it commits, whatever was committed and told meanwhile", func(f *fixture) {
		if s.opts.Begin == nil {
			f.Skip("Options.Begin is not given: the store cannot be reached by a transaction of the caller")
		}
		begun := f.changes(gtf.ChangesParams{}, host).Cursor
		joined := f.create(withKey("joined"))
		cursor := f.tells("a submit", begun, joined)

		c, sub := f.begin(), submission()
		f.submitTx(c, sub, submission(withKey("joined"), by(bob)))
		cursor = f.tells("what is not committed", cursor)
		for range 3 { // a poller that is far ahead by the time of the commit
			if !s.opts.OneWriter {
				cursor = f.tells("another submit", cursor, f.create(), f.create())
				cursor = f.tells("nothing", cursor)
			}
		}
		late := cursor
		if !s.opts.OneWriter {
			f.create()
			late = f.changes(gtf.ChangesParams{}, host).Cursor // of somebody who begins just now
		}
		c.commit()
		for name, since := range map[string]string{"who followed": cursor, "who began while it was open": late, "who knows the beginning": begun} {
			got, next := f.follow(since, gtf.ChangesParams{Limit: 1}, host)
			for _, id := range []gtf.ID{sub.ID, joined} {
				if got[id].Version != f.get(id).Version {
					f.Errorf("%s: was told version %d of task %s, want %d", name, got[id].Version, id, f.get(id).Version)
				}
			}
			f.tells("the commit", next)
		}
	})

	s.test("never tells a transaction that is rolled back", func(f *fixture) {
		if s.opts.Begin == nil {
			f.Skip("Options.Begin is not given: the store cannot be reached by a transaction of the caller")
		}
		cursor := f.changes(gtf.ChangesParams{}, host).Cursor
		c := f.begin()
		f.submitTx(c, submission())
		cursor = f.tells("what is not committed", cursor)
		c.rollback()
		cursor = f.tells("a rollback", cursor)
		f.tells("a submit", cursor, f.create())
	})

	s.test("tells the last version of every task to whoever follows while many write", func(f *fixture) {
		const writers, rounds = 6, 25
		seed := rand.Uint64()
		f.Logf("seed %d", seed)
		begun := f.changes(gtf.ChangesParams{}, host).Cursor
		var wg sync.WaitGroup
		for n := range writers {
			worker := f.worker()
			wg.Go(func() {
				w := &walk{fixture: f, rng: rand.New(rand.NewPCG(seed, uint64(n))), seen: map[gtf.ID]*gtf.Task{}}
				for range rounds {
					f.stir(w, worker)
				}
			})
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			wg.Wait()
		}()
		seen := map[gtf.ID]gtf.Change{}
		cursor := begun
		rng := rand.New(rand.NewPCG(seed, writers))
		for ended := false; !ended; {
			select {
			case <-done:
				ended = true // and now to the end
			default:
			}
			p := gtf.ChangesParams{After: cursor, Limit: 1 + rng.IntN(12)}
			for more := true; more; {
				got, err := f.Changes(f.Context(), &p, host)
				f.must("Changes", err)
				for _, c := range got.Tasks {
					if c.Version < seen[c.ID].Version {
						f.Errorf("task %s is told as of version %d after %d", c.ID, c.Version, seen[c.ID].Version)
					}
					seen[c.ID] = c
				}
				p.After = got.Cursor
				more = got.More
			}
			cursor = p.After
		}
		tasks := f.all()
		check(f, "tasks told", len(seen), len(tasks))
		for _, t := range tasks {
			if c := seen[t.ID]; c.Version != t.Version || c.Status != t.Status {
				f.Errorf("of task %s version %d (%s) was told last, it is at %d (%s)", t.ID, c.Version, c.Status, t.Version, t.Status)
			}
		}
	})
}

// stir does one of the things that change tasks, beside others that do the same.
func (f *fixture) stir(w *walk, worker string) {
	lenient := func(what string, err error) { // somebody else may hold the row
		if err != nil && !errors.Is(err, gtf.ErrLocked) {
			f.Errorf("%s: %v", what, err)
		}
	}
	switch w.rng.IntN(5) {
	case 0, 1:
		subs := make([]*gtf.Submission, 1+w.rng.IntN(4))
		for i := range subs {
			subs[i] = submission(withKey(fmt.Sprint(w.rng.IntN(12))), attempts(2), by(pick(w, []gtf.Principal{ada, bob, guest})))
		}
		_, err := f.Submit(f.Context(), subs)
		lenient("Submit", err)
	case 2:
		claimed, err := f.Claim(f.Context(), &gtf.ClaimParams{
			Worker: worker, Queues: []gtf.QueueSlots{{Queue: gtf.DefaultQueue, Free: 2}}, Types: []string{work},
		})
		lenient("Claim", err)
		if err == nil {
			for _, job := range claimed.Jobs {
				w.refs = append(w.refs, job.Ref)
			}
		}
	case 3:
		_, err := f.Update(f.Context(), []gtf.Update{{Ref: w.ref(), Progress: &gtf.Progress{Form: gtf.FormCount, Current: int64(w.rng.IntN(100))}}})
		lenient("Update", err)
	case 4:
		o := pick(w, []gtf.Outcome{succeeded(`1`), failed("x"), again(0)})
		_, err := f.Finish(f.Context(), []gtf.Finish{{Update: gtf.Update{Ref: w.ref()}, Running: o, Aborting: failed("aborted")}})
		lenient("Finish", err)
	}
}
