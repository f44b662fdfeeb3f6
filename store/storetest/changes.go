package storetest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/globaltask/gtf"
)

// changes reads once.
func (f *fixture) changes(p gtf.ChangesParams, v gtf.Viewer) *gtf.Changes {
	f.Helper()
	if p.Limit == 0 {
		p.Limit = gtf.MaxChanges
	}
	got, err := f.Changes(f.Context(), &p, v)
	f.must("Changes", err)
	if len(got.Tasks) > p.Limit {
		f.Errorf("%d changes, the limit is %d", len(got.Tasks), p.Limit)
	}
	if got.Cursor == "" || got.Reset {
		f.Fatalf("Changes since %q gave the cursor %q, reset %v", p.After, got.Cursor, got.Reset)
	}
	return got
}

// follow reads all there is since a cursor: of each task the last that was told.
func (f *fixture) follow(cursor string, p gtf.ChangesParams, v gtf.Viewer) (last map[gtf.ID]gtf.Change, next string) {
	f.Helper()
	last = map[gtf.ID]gtf.Change{}
	p.After = cursor
	for range 10_000 {
		got := f.changes(p, v)
		for _, c := range got.Tasks {
			last[c.ID] = c
		}
		p.After = got.Cursor
		if !got.More {
			return last, got.Cursor
		}
	}
	f.Fatalf("Changes gave 10,000 pages and still has more")
	return nil, ""
}

func sortedIDs(changes map[gtf.ID]gtf.Change) []gtf.ID {
	return slices.SortedFunc(maps.Keys(changes), compareIDs)
}

// tells compares the changes since a cursor with the tasks that have changed, and returns the cursor behind them.
func (f *fixture) tells(what, cursor string, want ...gtf.ID) string {
	f.Helper()
	got, next := f.follow(cursor, gtf.ChangesParams{}, host)
	slices.SortFunc(want, compareIDs)
	if !slices.Equal(sortedIDs(got), want) {
		f.Errorf("changes after %s: got %v, want %v", what, sortedIDs(got), want)
	}
	for id, c := range got {
		t := f.get(id)
		check(f, "change after "+what, c, gtf.Change{ID: id, Type: t.Type, Scope: t.Scope, Status: t.Status, Progress: t.Progress, Version: t.Version})
	}
	return next
}

func changesTests(s *suite) {
	s.test("begins now, and gives nothing as long as nothing changes", func(f *fixture) {
		empty := f.changes(gtf.ChangesParams{}, host)
		check(f, "changes of an empty store", len(empty.Tasks), 0)
		f.variety()
		begun := f.changes(gtf.ChangesParams{}, host)
		check(f, "changes without a cursor", len(begun.Tasks), 0)
		check(f, "more without a cursor", begun.More, false)
		cursor := begun.Cursor
		for range 3 {
			cursor = f.tells("nothing", cursor)
			f.pass(time.Hour)
		}
		id := f.create()
		cursor = f.tells("a submit", cursor, id)
		f.tells("nothing more", cursor)
		got, _ := f.follow(empty.Cursor, gtf.ChangesParams{}, host)
		check(f, "changes since the beginning", len(got), len(f.all()))
	})

	s.test("tells every change of a task, whoever makes it, and no heartbeat (S12.4)", func(f *fixture) {
		worker, lost := f.worker(), f.worker()
		cursor := f.changes(gtf.ChangesParams{}, host).Cursor
		var job *gtf.Job
		var inline gtf.Ref
		var id, late gtf.ID
		for _, step := range []struct {
			what string
			do   func() []gtf.ID
		}{
			{"a submit", func() []gtf.ID {
				id = f.create(withKey("k"), attempts(3), fromClient("tab-1"))
				return []gtf.ID{id}
			}},
			{"a join", func() []gtf.ID { f.submit(submission(withKey("k"), by(bob))); return []gtf.ID{id} }},
			{"a join of the same principal", func() []gtf.ID { f.submit(submission(withKey("k"), by(bob))); return []gtf.ID{id} }},
			{"a claim", func() []gtf.ID { job = f.reclaim(id, worker); return []gtf.ID{id} }},
			{"progress", func() []gtf.ID {
				f.update(gtf.Update{Ref: job.Ref, Progress: &gtf.Progress{Form: gtf.FormTotal, Current: 2, Total: 5}})
				return []gtf.ID{id}
			}},
			{"a payload", func() []gtf.ID { f.update(gtf.Update{Ref: job.Ref, Payload: raw(`{"a":1}`)}); return []gtf.ID{id} }},
			{"an abort handler", func() []gtf.ID { f.update(gtf.Update{Ref: job.Ref, Abortable: true}); return []gtf.ID{id} }},
			{"a report without the right", func() []gtf.ID {
				f.update(gtf.Update{Ref: gtf.Ref{ID: id, Claim: 7}, Payload: raw(`{}`)})
				return nil
			}},
			{"a beat", func() []gtf.ID { f.beat(worker, 1); f.held(worker); return nil }},
			{"a beat an hour later", func() []gtf.ID { f.pass(time.Hour); f.beat(worker, 1); f.beat(lost, 0); return nil }},
			{"looks", func() []gtf.ID { f.get(id); f.look(id); f.lines(id, 0, 1); return nil }},
			{"a subscriber who leaves", func() []gtf.ID { f.deed(id, gtf.Deed{Kind: gtf.DeedLeave, By: bob}); return []gtf.ID{id} }},
			{"a client that detaches", func() []gtf.ID {
				f.deed(id, gtf.Deed{Kind: gtf.DeedDetach, By: ada, Client: "tab-1"})
				return []gtf.ID{id}
			}},
			{"a retry", func() []gtf.ID { f.finish(job.Ref, again(0)); return []gtf.ID{id} }},
			{"the next claim", func() []gtf.ID { job = f.reclaim(id, worker); return []gtf.ID{id} }},
			{"the time limit", func() []gtf.ID { f.expire(job.Ref); return []gtf.ID{id} }},
			{"the end of an abort", func() []gtf.ID { f.stopped(job.Ref); return []gtf.ID{id} }},
			{"a sync task", func() []gtf.ID { inline = f.runningSync(lost, attempts(2), abortable); return []gtf.ID{inline.ID} }},
			{"its retry", func() []gtf.ID { f.finish(inline, again(0)); return []gtf.ID{inline.ID} }},
			{"its next attempt", func() []gtf.ID {
				_, err := f.Resume(f.Context(), inline.ID, lost)
				f.must("Resume", err)
				return []gtf.ID{inline.ID}
			}},
			{"a cancel", func() []gtf.ID { f.abort(inline.ID); return []gtf.ID{inline.ID} }},
			{"a task in its queue", func() []gtf.ID { late = f.create(queueTime(time.Minute)); return []gtf.ID{late} }},
			{"time", func() []gtf.ID { f.pass(time.Hour); f.beat(worker, 0); return nil }},
			{"the reaper", func() []gtf.ID { f.reap(silence, 10); return []gtf.ID{inline.ID} }},
			{"the end of its queue time", func() []gtf.ID { f.expireQueued(10); return []gtf.ID{late} }},
			{"a cancel of a pending task", func() []gtf.ID { id = f.create(); f.abort(id); return []gtf.ID{id} }},
			{"a success", func() []gtf.ID {
				job = f.running(worker)
				f.finish(job.Ref, succeeded(`1`))
				return []gtf.ID{job.ID}
			}},
		} {
			cursor = f.tells(step.what, cursor, step.do()...)
		}
		f.tells("all of it, from the last cursor", cursor)
	})

	s.test("gives a part at a time, without loss, of one transaction too", func(f *fixture) {
		begun := f.changes(gtf.ChangesParams{}, host).Cursor
		subs := make([]*gtf.Submission, 50)
		for i := range subs {
			subs[i] = submission()
		}
		f.submit(subs...)
		for range 7 {
			f.create()
		}
		for _, limit := range []int{1, 7, 50, 57, 58, gtf.MaxChanges} {
			got, next := f.follow(begun, gtf.ChangesParams{Limit: limit}, host)
			check(f, fmt.Sprintf("changes by %d", limit), len(got), 57)
			f.tells("them", next)
		}
		part := f.changes(gtf.ChangesParams{After: begun, Limit: 10}, host)
		check(f, "more", part.More, true)
		again, _ := f.follow(begun, gtf.ChangesParams{}, host)
		rest, _ := f.follow(part.Cursor, gtf.ChangesParams{}, host)
		for _, c := range part.Tasks {
			delete(again, c.ID)
		}
		for id := range again {
			if _, ok := rest[id]; !ok {
				f.Errorf("the change of task %s is neither in the first part nor behind it", id)
			}
		}
	})

	s.test("leaves a place in the middle good while tasks go on changing", func(f *fixture) {
		worker := f.worker()
		begun := f.changes(gtf.ChangesParams{}, host).Cursor
		var all []gtf.ID
		for range 12 {
			all = append(all, f.create())
		}
		part := f.changes(gtf.ChangesParams{After: begun, Limit: 5}, host)
		for _, job := range f.claim(worker, gtf.DefaultQueue, 4) { // some of those told already, to be told again
			f.finish(job.Ref, succeeded(`1`))
		}
		f.abort(f.create())
		last := map[gtf.ID]gtf.Change{}
		for _, c := range part.Tasks {
			last[c.ID] = c
		}
		rest, _ := f.follow(part.Cursor, gtf.ChangesParams{Limit: 3}, host)
		maps.Copy(last, rest)
		for _, id := range all {
			t := f.get(id)
			check(f, "last version told", last[id].Version, t.Version)
			check(f, "last status told", last[id].Status, t.Status)
		}
	})

	s.test("reads subscribers only if it is asked to", func(f *fixture) {
		begun := f.changes(gtf.ChangesParams{}, host).Cursor
		id := f.create(withKey("k"))
		f.submit(submission(withKey("k"), by(guest)), submission(withKey("k"), by(bob)))
		nobodys := f.create(by(gtf.Principal{}))
		plain, _ := f.follow(begun, gtf.ChangesParams{}, host)
		full, _ := f.follow(begun, gtf.ChangesParams{Subscribers: true}, host)
		check(f, "subscribers, not asked for", len(plain[id].Subscribers), 0)
		var got []gtf.Principal
		for _, s := range full[id].Subscribers {
			got = append(got, gtf.Principal{Kind: s.Kind, ID: s.ID})
		}
		for _, p := range []gtf.Principal{ada, guest, bob} {
			if !slices.Contains(got, gtf.Principal{Kind: p.Kind, ID: p.ID}) {
				f.Errorf("subscribers are %v, want %s %s among them", got, p.Kind, p.ID)
			}
		}
		check(f, "number of subscribers", len(got), 3)
		check(f, "subscribers of nobody's task", len(full[nobodys].Subscribers), 0)
		mine, _ := f.follow(begun, gtf.ChangesParams{Subscribers: true}, viewer(bob))
		check(f, "subscribers, for one of them", len(mine[id].Subscribers), 3)
	})

	s.test("tells those of some types", func(f *fixture) {
		begun := f.changes(gtf.ChangesParams{}, host).Cursor
		alpha, beta := f.create(ofType("alpha")), f.create(ofType("beta"), by(bob))
		for _, tt := range []struct {
			types []string
			v     gtf.Viewer
			want  []gtf.ID
		}{
			{nil, host, []gtf.ID{alpha, beta}},
			{[]string{"alpha"}, host, []gtf.ID{alpha}},
			{[]string{"alpha", "beta", "none"}, host, []gtf.ID{alpha, beta}},
			{[]string{"none"}, host, nil},
			{[]string{"beta"}, viewer(bob), []gtf.ID{beta}},
			{[]string{"alpha"}, viewer(bob), nil},
			{[]string{"beta"}, gtf.Viewer{All: true, Types: []string{"alpha"}}, nil},
		} {
			got, next := f.follow(begun, gtf.ChangesParams{Types: tt.types}, tt.v)
			check(f, fmt.Sprintf("changes of types %v", tt.types), sortedIDs(got), slices.SortedFunc(slices.Values(tt.want), compareIDs))
			rest, _ := f.follow(next, gtf.ChangesParams{Types: tt.types}, tt.v)
			check(f, fmt.Sprintf("changes of types %v, behind them", tt.types), len(rest), 0)
		}
	})

	s.test("moves the cursor past what the viewer does not see", func(f *fixture) {
		begun := f.changes(gtf.ChangesParams{}, viewer(bob)).Cursor
		for range 30 {
			f.create()
		}
		id := f.create(by(bob))
		got, next := f.follow(begun, gtf.ChangesParams{Limit: 3}, viewer(bob))
		check(f, "changes", sortedIDs(got), []gtf.ID{id})
		check(f, "changes behind them", len(f.changes(gtf.ChangesParams{After: next, Limit: 3}, viewer(bob)).Tasks), 0)
	})

	s.test("tells a viewer exactly what they see (S10.2)", func(f *fixture) {
		seed := rand.Uint64()
		f.Logf("seed %d", seed)
		rng := rand.New(rand.NewPCG(seed, 0))
		crowd := []gtf.Principal{ada, bob, guest, {Kind: gtf.KindGuest, ID: "8", Name: "Guest 8"}, {}}
		viewers := []gtf.Viewer{host, {}, {All: true, Types: []string{"alpha"}}, {All: true, Types: []string{}}}
		for _, p := range crowd[:4] {
			viewers = append(viewers, viewer(p), gtf.Viewer{Kind: p.Kind, ID: p.ID, Types: []string{"beta", "gamma"}})
		}
		cursor := f.changes(gtf.ChangesParams{}, host).Cursor
		var all []gtf.ID
		for range 12 {
			for range 1 + rng.IntN(6) {
				sub := submission(
					by(crowd[rng.IntN(len(crowd))]), ofType([]string{"alpha", "beta", "gamma"}[rng.IntN(3)]),
					inScope(gtf.Scopes()[rng.IntN(3)]), withKey(fmt.Sprint(rng.IntN(9))),
				)
				if done := f.submit(sub)[0]; done.Created {
					all = append(all, done.ID)
				}
				if rng.IntN(3) == 0 {
					id := all[rng.IntN(len(all))]
					kind := []gtf.DeedKind{gtf.DeedAbort, gtf.DeedLeave, gtf.DeedLeave}[rng.IntN(3)]
					_, err := f.Cancel(f.Context(), id, func(t *gtf.Task) (gtf.Deed, error) {
						if t.Status.Terminal() && kind == gtf.DeedAbort {
							return gtf.Deed{}, nil
						}
						return gtf.Deed{Kind: kind, By: crowd[rng.IntN(4)]}, nil
					})
					f.must("Cancel", err)
				}
			}
			everything, next := f.follow(cursor, gtf.ChangesParams{Subscribers: true}, host)
			for _, v := range viewers {
				got, _ := f.follow(cursor, gtf.ChangesParams{Subscribers: true, Limit: 1 + rng.IntN(5)}, v)
				var want []gtf.ID
				for id, c := range everything {
					if v.SeesChange(&c) {
						want = append(want, id)
					}
					_, err := f.Get(f.Context(), id, v)
					if (err == nil) != v.SeesChange(&c) {
						f.Errorf("Get by %+v of a task whose change they see %v: %v", v, v.SeesChange(&c), err)
					}
				}
				slices.SortFunc(want, compareIDs)
				if !slices.Equal(sortedIDs(got), want) {
					f.Errorf("changes for %+v: got %v, want %v", v, sortedIDs(got), want)
				}
			}
			cursor = next
		}
	})

	s.test("refuses a text that is no cursor, naming it", func(f *fixture) {
		f.create()
		f.create()
		page, err := f.List(f.Context(), &gtf.ListParams{Order: gtf.OrderCreated, PageSize: 1}, host)
		f.must("List", err)
		good := f.changes(gtf.ChangesParams{}, host).Cursor
		for _, bad := range []string{"nonsense", "0", "-1", "'; --", good[:len(good)/2], good + "x", "x" + good, page.Next} {
			_, err := f.Changes(f.Context(), &gtf.ChangesParams{After: bad, Limit: 10}, host)
			var invalid *gtf.ValidationError
			if !errors.As(err, &invalid) || len(invalid.Problems) != 1 || invalid.Problems[0].Field != "cursor" {
				f.Errorf("Changes since %q gives %v, want a *ValidationError that names cursor", bad, err)
			}
		}
	})

	s.test("goes on behind tasks that were pruned", func(f *fixture) {
		begun := f.changes(gtf.ChangesParams{}, host).Cursor
		f.abort(f.create())
		f.pass(time.Hour)
		n, err := f.Prune(f.Context(), time.Minute, 10)
		f.must("Prune", err)
		check(f, "pruned", n, 1)
		cursor := f.tells("a task that is gone", begun)
		f.tells("a submit", cursor, f.create())
	})
}
