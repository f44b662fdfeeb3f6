package storetest

import (
	"errors"
	"slices"

	"github.com/globaltask/gtf"
)

func typesTests(s *suite) {
	s.test("shows a viewer of some types nothing else, by any way of looking", func(f *fixture) {
		alpha := f.create(ofType("alpha"), inQueue("qa"))
		beta := f.create(ofType("beta"), inQueue("qb"), by(bob))
		foreign := f.create(ofType("alpha"), inQueue("qc"), by(guest))
		begin := f.changes(gtf.ChangesParams{}, host).Cursor
		for key, typ := range map[string]string{"x": "alpha", "y": "beta"} {
			f.submit(submission(withKey(key), ofType(typ), inQueue("q"+typ)), submission(withKey(key), ofType(typ), by(bob)))
		}
		of := func(v gtf.Viewer, types ...string) gtf.Viewer {
			v.Types = append([]string{}, types...)
			return v
		}
		tasks := f.all()
		for _, v := range []gtf.Viewer{
			host, of(host), of(host, "alpha"), of(host, "alpha", "beta", "none"), of(host, "none"),
			viewer(ada), of(viewer(ada)), of(viewer(ada), "alpha"), of(viewer(ada), "beta", "none"), of(viewer(guest), "beta"),
		} {
			var want []gtf.ID
			types, queues, changed := map[string]bool{}, map[string]bool{}, []gtf.ID{}
			for _, t := range tasks {
				sees := v.Sees(t)
				_, getErr := f.Get(f.Context(), t.ID, v)
				_, statusErr := f.Status(f.Context(), t.ID, v)
				_, logsErr := f.Logs(f.Context(), t.ID, v, 0, 10)
				for how, err := range map[string]error{"Get": getErr, "Status": statusErr, "Logs": logsErr} {
					if sees && err != nil || !sees && !errors.Is(err, gtf.ErrNotFound) {
						f.Errorf("%s by %+v of a task of type %s: %v, want it seen %v", how, v, t.Type, err, sees)
					}
				}
				if !sees {
					continue
				}
				want = append(want, t.ID)
				types[t.Type], queues[t.Queue] = true, true
				if t.ID != alpha && t.ID != beta && t.ID != foreign {
					changed = append(changed, t.ID)
				}
			}
			for _, order := range []gtf.OrderColumn{gtf.OrderCreated, gtf.OrderType} {
				page, err := f.List(f.Context(), &gtf.ListParams{Order: order, PageSize: 100}, v)
				f.must("List", err)
				got := ids(page.Tasks)
				slices.SortFunc(got, compareIDs)
				slices.SortFunc(want, compareIDs)
				if !slices.Equal(got, want) || page.Count != len(want) {
					f.Errorf("list by %s for %+v: got %d tasks, counted %d, want %d", order, v, len(got), page.Count, len(want))
				}
			}
			check(f, "types", len(f.distinct(gtf.DistinctParams{Column: gtf.FilterType}, v)), len(types))
			check(f, "queues", len(f.distinct(gtf.DistinctParams{Column: gtf.FilterQueue}, v)), len(queues))
			got, _ := f.follow(begin, gtf.ChangesParams{}, v)
			check(f, "changes", sortedIDs(got), slices.SortedFunc(slices.Values(changed), compareIDs))
		}
	})
}
