package storetest

import (
	"errors"

	"github.com/globaltask/gtf"
)

// look reads one.
func (f *fixture) look(id gtf.ID) gtf.Look {
	f.Helper()
	looks, err := f.Look(f.Context(), []gtf.ID{id})
	f.must("Look", err)
	if len(looks) != 1 {
		f.Fatalf("Look at task %s gave %d answers", id, len(looks))
	}
	return looks[0]
}

func getTests(s *suite) {
	s.test("shows a task to its subscribers, a system task to none of them", func(f *fixture) {
		create := func(scope gtf.Scope) gtf.ID {
			key := "k" + string(scope)
			id := f.create(inScope(scope), withKey(key))
			f.submit(submission(inScope(scope), withKey(key), by(guest)))
			return id
		}
		private, shared, system := create(gtf.ScopePrivate), create(gtf.ScopeShared), create(gtf.ScopeSystem)
		nobodys := f.create(by(gtf.Principal{}))
		other := gtf.Principal{Kind: gtf.KindGuest, ID: "8"}
		for _, tt := range []struct {
			name string
			v    gtf.Viewer
			want []gtf.ID
		}{
			{"the host", host, []gtf.ID{private, shared, system, nobodys}},
			{"an admin, whoever it is", gtf.Viewer{All: true, Kind: bob.Kind, ID: bob.ID}, []gtf.ID{private, shared, system, nobodys}},
			{"a subscribed user", viewer(ada), []gtf.ID{private, shared}},
			{"a subscribed guest", viewer(guest), []gtf.ID{private, shared}},
			{"another user", viewer(bob), nil},
			{"another guest", viewer(other), nil},
			{"nobody", gtf.Viewer{}, nil},
		} {
			visible := map[gtf.ID]bool{}
			for _, id := range tt.want {
				visible[id] = true
			}
			for _, id := range []gtf.ID{private, shared, system, nobodys} {
				t, err := f.Get(f.Context(), id, tt.v)
				if visible[id] && (err != nil || t.ID != id) || !visible[id] && !errors.Is(err, gtf.ErrNotFound) {
					f.Errorf("Get by %s of a %s task: %v, want it visible %v", tt.name, f.get(id).Scope, err, visible[id])
				}
				task := f.get(id)
				check(f, tt.name+": seen in Go", tt.v.Sees(task), visible[id])
				status, err := f.Status(f.Context(), id, tt.v)
				if visible[id] && (err != nil || status != task.Status) || !visible[id] && !errors.Is(err, gtf.ErrNotFound) {
					f.Errorf("Status by %s of a %s task: %q, %v, want it visible %v", tt.name, task.Scope, status, err, visible[id])
				}
			}
			listed := map[gtf.ID]bool{}
			page, err := f.List(f.Context(), &gtf.ListParams{Order: gtf.OrderCreated, PageSize: 100}, tt.v)
			f.must("List", err)
			for _, t := range page.Tasks {
				listed[t.ID] = true
			}
			check(f, "listed for "+tt.name, listed, visible)
			check(f, "counted for "+tt.name, page.Count, len(visible))
		}
	})

	s.test("does not know a task that does not exist", func(f *fixture) {
		if _, err := f.Get(f.Context(), gtf.NewID(), host); !errors.Is(err, gtf.ErrNotFound) {
			f.Errorf("Get returned %v, want ErrNotFound", err)
		}
		if _, err := f.Status(f.Context(), gtf.NewID(), host); !errors.Is(err, gtf.ErrNotFound) {
			f.Errorf("Status returned %v, want ErrNotFound", err)
		}
	})

	s.test("reads every status alone", func(f *fixture) {
		f.variety()
		f.abort(f.create())
		seen := map[gtf.Status]bool{}
		for _, t := range f.all() {
			status, err := f.Status(f.Context(), t.ID, host)
			f.must("Status", err)
			check(f, "status", status, t.Status)
			seen[status] = true
		}
		check(f, "statuses", len(seen), len(gtf.Statuses()))
	})

	s.test("says what the store is", func(f *fixture) {
		info, err := f.Info(f.Context())
		f.must("Info", err)
		if info.Kind == "" || info.Version == "" {
			f.Errorf("Info is %+v, want at least kind and version", info)
		}
	})
}

func lookTests(s *suite) {
	s.test("reads what waiters need and leaves out what does not exist", func(f *fixture) {
		worker := f.worker()
		pending := f.create()
		running := f.running(worker, abortable, attempts(2))
		f.abort(running.ID)
		done, broken := f.running(worker), f.running(worker)
		f.finish(done.Ref, succeeded(`{"z":1.0,  "a":2}`))
		f.finish(broken.Ref, failed("why"))
		asked := []gtf.ID{gtf.NewID(), pending, running.ID, gtf.NewID(), done.ID, broken.ID}
		looks, err := f.Look(f.Context(), asked)
		f.must("Look", err)
		got := map[gtf.ID]gtf.Look{}
		for _, l := range looks {
			check(f, "version", l.Version, f.get(l.ID).Version)
			l.Version = 0
			if string(l.Result) == "" {
				l.Result = nil
			}
			got[l.ID] = l
		}
		check(f, "answers", len(looks), 4)
		check(f, "looks", got, map[gtf.ID]gtf.Look{
			pending:    {Ref: gtf.Ref{ID: pending}, Type: work, Status: gtf.StatusPending},
			running.ID: {Ref: running.Ref, Type: work, Status: gtf.StatusAborting, AbortReason: gtf.AbortByUser},
			done.ID:    {Ref: done.Ref, Type: work, Status: gtf.StatusSuccess, Result: raw(`{"z":1.0,  "a":2}`)},
			broken.ID:  {Ref: broken.Ref, Type: work, Status: gtf.StatusFailure, Error: "why"},
		})
	})

	s.test("reads many at once, and none", func(f *fixture) {
		const n = 500
		subs := make([]*gtf.Submission, n)
		asked := make([]gtf.ID, n)
		for i := range subs {
			subs[i] = submission()
			asked[i] = subs[i].ID
		}
		f.submit(subs...)
		looks, err := f.Look(f.Context(), asked)
		f.must("Look", err)
		check(f, "answers", len(looks), n)
		looks, err = f.Look(f.Context(), nil)
		f.must("Look at nothing", err)
		check(f, "answers to nothing", len(looks), 0)
	})
}
