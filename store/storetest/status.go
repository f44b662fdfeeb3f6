package storetest

import (
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"time"

	"github.com/globaltask/gtf"
)

func statusTests(s *suite) {
	s.test("never takes a step outside the table, whatever is asked in whatever order", func(f *fixture) {
		seed := rand.Uint64()
		f.Logf("seed %d", seed)
		w := &walk{fixture: f, rng: rand.New(rand.NewPCG(seed, 0)), seen: map[gtf.ID]*gtf.Task{}}
		w.workers = []string{f.worker(), f.worker()}
		steps := map[[2]gtf.Status]int{}
		for n := 0; n < 200 || len(steps) < 6 && n < 2000; n++ { // a walk by chance may take a while to get around
			what := w.step()
			w.verify(what, steps)
			if f.Failed() {
				return
			}
		}
		if len(steps) < 6 {
			f.Errorf("the walk took only the steps %v: it proves little", steps)
		}
	})
}

// walk asks a store for anything, sensible or not, and knows every right to write that was ever given.
type walk struct {
	*fixture
	rng     *rand.Rand
	workers []string
	refs    []gtf.Ref
	seen    map[gtf.ID]*gtf.Task
}

func pick[V any](w *walk, from []V) V { return from[w.rng.IntN(len(from))] }

func (w *walk) ref() gtf.Ref {
	if len(w.refs) == 0 {
		return gtf.Ref{ID: gtf.NewID(), Claim: 1}
	}
	recent := w.refs[max(0, len(w.refs)-12):]
	ref := pick(w, recent)
	if w.rng.IntN(10) == 0 {
		ref.Claim += int64(w.rng.IntN(3)) - 1
	}
	return ref
}

func (w *walk) id() gtf.ID {
	if len(w.seen) == 0 {
		return gtf.NewID()
	}
	list := slices.SortedFunc(maps.Keys(w.seen), func(a, b gtf.ID) int { return slices.Compare(a[:], b[:]) })
	return pick(w, list[max(0, len(list)-12):])
}

// step does one thing and says which.
func (w *walk) step() string {
	outcomes := []gtf.Outcome{succeeded(`1`), failed("x"), succeeded(`2`)}
	switch w.rng.IntN(14) {
	case 0, 1:
		w.submit(submission(withKey(string('a'+rune(w.rng.IntN(6)))), attempts(1+w.rng.IntN(3)), by(pick(w, []gtf.Principal{ada, bob})),
			func(s *gtf.Submission) { s.MaxQueueTime = time.Duration(w.rng.IntN(2)) * time.Hour }))
		return "Submit"
	case 2:
		worker := pick(w, w.workers)
		s := submission(syncOn(worker), withKey(string('a'+rune(w.rng.IntN(6)))), attempts(1+w.rng.IntN(3)))
		if done := w.submit(s)[0]; done.Created {
			w.refs = append(w.refs, gtf.Ref{ID: done.ID, Claim: 1})
		}
		return "Submit of a sync task"
	case 3, 4, 5:
		for _, job := range w.claim(pick(w, w.workers), gtf.DefaultQueue, 1+w.rng.IntN(2)) {
			w.refs = append(w.refs, job.Ref)
		}
		return "Claim"
	case 6:
		job, err := w.Resume(w.Context(), w.id(), pick(w, w.workers))
		w.must("Resume", err)
		if job != nil {
			w.refs = append(w.refs, job.Ref)
		}
		return "Resume"
	case 7:
		w.update(gtf.Update{Ref: w.ref(), Abortable: true, Payload: raw(`{"a":1}`), Logs: logged(1, 1, 0)})
		return "Update"
	case 8, 9:
		o := pick(w, append(outcomes, again(time.Duration(w.rng.IntN(2))*time.Minute)))
		aborting := pick(w, append(outcomes, gtf.Outcome{}, gtf.Outcome{}))
		w.finishAs(gtf.Finish{Update: gtf.Update{Ref: w.ref()}, Running: o, Aborting: aborting})
		return "Finish as " + string(o.Status)
	case 10:
		w.expire(w.ref())
		return "Expire"
	case 11:
		_, _ = w.Cancel(w.Context(), w.id(), func(t *gtf.Task) (gtf.Deed, error) {
			if t.Status.Terminal() {
				return gtf.Deed{}, gtf.ErrFinished
			}
			return gtf.Deed{Kind: pick(w, []gtf.DeedKind{gtf.DeedAbort, gtf.DeedAbort, gtf.DeedLeave, gtf.DeedNone}), By: bob}, nil
		})
		return "Cancel"
	case 12:
		w.pass(20 * time.Minute)
		w.expireQueued(5)
		return "ExpireQueued"
	}
	w.pass(time.Minute)
	w.beat(w.workers[0], 1)
	w.reap(silence, 5)
	if !w.beat(w.workers[1], 1) {
		w.workers[1] = w.worker()
	}
	return "Reap"
}

// verify compares every task with what it was before the step.
func (w *walk) verify(what string, steps map[[2]gtf.Status]int) {
	w.Helper()
	busy := map[string]gtf.ID{}
	for _, t := range w.all() {
		before, known := w.seen[t.ID]
		switch {
		case !known:
			if t.Status != gtf.StatusPending && t.Status != gtf.StatusInProgress {
				w.Errorf("%s made a task that is %s", what, t.Status)
			}
		case before.Status != t.Status:
			steps[[2]gtf.Status{before.Status, t.Status}]++
			if !before.Status.CanBecome(t.Status) {
				w.Errorf("%s took task %s from %s to %s", what, t.ID, before.Status, t.Status)
			}
			if t.Version <= before.Version {
				w.Errorf("%s changed the status and left the version at %d", what, t.Version)
			}
		case t.Version == before.Version && !same(before, t), t.Status.Terminal() && !same(before, t):
			w.Errorf("%s changed a task that is %s, version %d\nfrom %+v\nto   %+v", what, t.Status, t.Version, before, t)
		}
		if t.Status.Terminal() != (t.DedupKey == t.ID.String()) || t.Status.Terminal() == t.EndedAt.IsZero() {
			w.Errorf("after %s a task is %s with dedup key %s, ended at %v", what, t.Status, t.DedupKey, t.EndedAt)
		}
		if t.Status == gtf.StatusPending != t.StartedAt.IsZero() && t.Attempt > 0 && t.Status.Active() {
			w.Errorf("after %s a task is %s and started at %v", what, t.Status, t.StartedAt)
		}
		if other, twice := busy[t.Key]; twice && t.Status.Active() {
			w.Errorf("after %s tasks %s and %s are active under one key", what, other, t.ID)
		} else if t.Status.Active() {
			busy[t.Key] = t.ID
		}
		w.seen[t.ID] = t
	}
}

// same compares without the instants, which a store with a real clock may have moved.
func same(a, b *gtf.Task) bool {
	x, y := *a, *b
	for _, t := range []*gtf.Task{&x, &y} {
		t.CreatedAt, t.ChangedAt, t.StartedAt, t.EndedAt, t.DueAt, t.AbortedAt = time.Time{}, time.Time{}, time.Time{}, time.Time{}, time.Time{}, time.Time{}
		t.Subscribers, t.Attempts = slices.Clone(t.Subscribers), slices.Clone(t.Attempts)
		for i := range t.Subscribers {
			t.Subscribers[i].Since = time.Time{}
		}
		for i := range t.Attempts {
			t.Attempts[i].StartedAt, t.Attempts[i].EndedAt = time.Time{}, time.Time{}
		}
	}
	return reflect.DeepEqual(x, y)
}
