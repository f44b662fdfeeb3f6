package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/globaltask/gtf"
)

func windowTests(s *suite) {
	s.test("skips to an offset, and goes on from there by cursor", func(f *fixture) {
		f.variety()
		for _, v := range []gtf.Viewer{host, viewer(bob)} {
			for _, order := range []gtf.OrderColumn{gtf.OrderCreated, gtf.OrderStatus, gtf.OrderEnded} {
				whole := ids(f.list(gtf.ListParams{Order: order, Descending: true, PageSize: 100}, v))
				for _, offset := range []int{0, 1, 7, len(whole) - 1, len(whole), len(whole) + 1, gtf.MaxCount} {
					p := gtf.ListParams{Order: order, Descending: true, PageSize: 5, Offset: offset}
					page, err := f.List(f.Context(), &p, v)
					f.must("List", err)
					from := min(offset, len(whole))
					want := whole[from:min(from+5, len(whole))]
					check(f, fmt.Sprintf("tasks by %s behind offset %d", order, offset), ids(page.Tasks), append([]gtf.ID{}, want...))
					check(f, fmt.Sprintf("count behind offset %d", offset), page.Count, len(whole))
					check(f, fmt.Sprintf("there is a next page behind offset %d", offset), page.Next != "", offset+5 < len(whole))
					if page.Next != "" {
						p.Offset, p.Cursor = 0, page.Next
						check(f, "the pages behind", ids(f.list(p, v)), whole[offset+5:])
					}
				}
			}
		}
	})

	s.test("counts only if it is asked to", func(f *fixture) {
		f.variety()
		for _, v := range []gtf.Viewer{host, viewer(bob)} {
			p := gtf.ListParams{Order: gtf.OrderStatus, PageSize: 4}
			counted, err := f.List(f.Context(), &p, v)
			f.must("List", err)
			p.NoCount = true
			plain, err := f.List(f.Context(), &p, v)
			f.must("List without a count", err)
			check(f, "count", plain.Count, 0)
			check(f, "capped", plain.Capped, false)
			check(f, "tasks", ids(plain.Tasks), ids(counted.Tasks))
			check(f, "next", plain.Next, counted.Next)
		}
	})

	s.test("costs two statements, whatever the size of the page, and one if it is empty (S11.4)", func(f *fixture) {
		if s.opts.Statements == nil {
			f.Skip("Options.Statements is not given")
		}
		for range 4 {
			f.variety()
		}
		costs := func(what string, p gtf.ListParams, v gtf.Viewer, tasks int, want int64) {
			f.Helper()
			if p.Order == "" {
				p.Order = gtf.OrderCreated
			}
			before := s.opts.Statements(f.Store)
			page, err := f.List(f.Context(), &p, v)
			f.must("List", err)
			check(f, what+": statements", s.opts.Statements(f.Store)-before, want)
			check(f, what+": tasks", len(page.Tasks), tasks)
		}
		text := gtf.Condition{Column: gtf.FilterName, Op: gtf.OpContains, Texts: []string{"name"}}
		for _, size := range []int{1, 25, 100} {
			costs(fmt.Sprintf("a page of %d", size), gtf.ListParams{PageSize: size}, host, size, 2)
			costs(fmt.Sprintf("a page of %d in another order", size), gtf.ListParams{PageSize: size, Order: gtf.OrderEnded}, host, size, 2)
			costs(fmt.Sprintf("a page of %d with filters", size), gtf.ListParams{PageSize: size, Where: []gtf.Condition{text}}, host, size, 2)
			costs(fmt.Sprintf("a page of %d without a count", size), gtf.ListParams{PageSize: size, NoCount: true}, host, size, 2)
			mine := min(size, len(f.list(gtf.ListParams{Order: gtf.OrderCreated, PageSize: 100}, viewer(bob))))
			costs(fmt.Sprintf("a page of %d for a viewer", size), gtf.ListParams{PageSize: size}, viewer(bob), mine, 2)
			costs(fmt.Sprintf("a page of %d for a viewer in another order", size),
				gtf.ListParams{PageSize: size, Order: gtf.OrderStatus}, viewer(bob), mine, 2)
		}
		costs("an empty page", gtf.ListParams{PageSize: 25, Types: []string{"none"}}, host, 0, 1)
		costs("an empty page behind the last", gtf.ListParams{PageSize: 25, Offset: 1000}, host, 0, 1)
	})

	s.test("filters more than can be counted as it does few", func(f *fixture) {
		if testing.Short() {
			f.Skip("stores ten thousand tasks")
		}
		types := []string{"alpha", "beta", "gamma"}
		const batch = 1005 // ten of them
		var alphas []gtf.ID
		for range 10 {
			subs := make([]*gtf.Submission, batch)
			for i := range subs {
				subs[i] = submission(ofType(types[i%3]))
				if i%3 == 0 {
					alphas = append(alphas, subs[i].ID)
				}
			}
			slices.SortFunc(alphas[len(alphas)-batch/3:], compareIDs) // created in one instant
			f.submit(subs...)
			f.pass(time.Second)
		}
		pages := func(p gtf.ListParams, v gtf.Viewer) (found []gtf.ID, first *gtf.TaskPage) {
			p.PageSize = 7
			for range 2 {
				page, err := f.List(f.Context(), &p, v)
				f.must("List", err)
				if first == nil {
					first = page
				}
				found = append(found, ids(page.Tasks)...)
				p.Cursor = page.Next
			}
			return found, first
		}
		where := func(column gtf.FilterColumn, op gtf.FilterOp, texts ...string) []gtf.Condition {
			return []gtf.Condition{{Column: column, Op: op, Texts: texts}}
		}
		past := []time.Time{time.Unix(0, 0)}
		for _, v := range []gtf.Viewer{host, viewer(ada)} {
			for _, descending := range []bool{false, true} {
				orders := []gtf.OrderColumn{gtf.OrderCreated, gtf.OrderStatus, gtf.OrderType, gtf.OrderChanged}
				if !v.All || descending {
					orders = orders[:1]
				}
				for _, order := range orders {
					p := gtf.ListParams{Order: order, Descending: descending}
					want, _ := pages(p, v)
					for name, conditions := range map[string][]gtf.Condition{
						"types":      where(gtf.FilterType, gtf.OpIn, types...),
						"a scope":    where(gtf.FilterScope, gtf.OpEqual, "shared"),
						"a queue":    where(gtf.FilterQueue, gtf.OpNotEqual, "none"),
						"a status":   where(gtf.FilterStatus, gtf.OpEqual, "pending"),
						"a name":     where(gtf.FilterName, gtf.OpContains, "NAME"),
						"a key":      where(gtf.FilterKey, gtf.OpStartsWith, "KEY"),
						"a change":   {{Column: gtf.FilterChanged, Op: gtf.OpGreater, Times: past}},
						"a creator":  {{Column: gtf.FilterCreatedBy, Op: gtf.OpRelated, Who: []gtf.Principal{ada, bob, ada}}},
						"subscriber": {{Column: gtf.FilterSubscribers, Op: gtf.OpRelated, Who: []gtf.Principal{ada}}},
						"several":    {{Column: gtf.FilterSubscribers, Op: gtf.OpRelated, Who: []gtf.Principal{bob, ada}}},
					} {
						p.Where = conditions
						got, first := pages(p, v)
						check(f, fmt.Sprintf("pages by %s, descending %v, filtered by %s", order, descending, name), got, want)
						check(f, "count, filtered by "+name, first.Count, gtf.MaxCount)
						check(f, "capped, filtered by "+name, first.Capped, true)
					}
				}
				p := gtf.ListParams{Order: gtf.OrderCreated, Descending: descending, Types: types[:1]}
				got, first := pages(p, v)
				want := alphas[:14]
				if descending {
					want = slices.Clone(alphas[len(alphas)-14:])
					slices.Reverse(want)
				}
				check(f, fmt.Sprintf("pages of one type, descending %v", descending), got, want)
				check(f, "count of one type", first.Count, len(alphas))
			}
		}
	})

	s.test("looks at the newest MaxCount tasks of a viewer in an order other than created_on (S11.3)", func(f *fixture) {
		if testing.Short() {
			f.Skip("stores ten thousand tasks")
		}
		oldest := f.create(ofType("aaa"), by(bob))
		f.pass(time.Minute)
		const batch = 1000
		for range gtf.MaxCount / batch {
			subs := make([]*gtf.Submission, batch)
			for i := range subs {
				subs[i] = submission(ofType("bbb"), by(bob))
			}
			f.submit(subs...)
		}
		byType := gtf.ListParams{Order: gtf.OrderType, PageSize: 1}
		first := func(what string, p gtf.ListParams, v gtf.Viewer, isOldest bool, count int, capped bool) {
			f.Helper()
			page, err := f.List(f.Context(), &p, v)
			f.must("List", err)
			if len(page.Tasks) != 1 {
				f.Fatalf("%s: %d tasks, want 1", what, len(page.Tasks))
			}
			check(f, what+": the first is the oldest", page.Tasks[0].ID == oldest, isOldest)
			check(f, what+": count", page.Count, count)
			check(f, what+": capped", page.Capped, capped)
		}
		first("the host, by type", byType, host, true, gtf.MaxCount, true)
		first("a viewer, by creation", gtf.ListParams{Order: gtf.OrderCreated, PageSize: 1}, viewer(bob), true, gtf.MaxCount, true)
		first("a viewer, by type", byType, viewer(bob), false, gtf.MaxCount, true)
		f.submit(submission(ofType("ccc"), by(ada)))
		first("another viewer with one task, by type", byType, viewer(ada), false, 1, false)
		filtered := gtf.ListParams{Order: gtf.OrderType, PageSize: 1, Types: []string{"aaa"}}
		page, err := f.List(f.Context(), &filtered, viewer(bob))
		f.must("List", err)
		check(f, "the oldest, by a filter in another order", len(page.Tasks), 0)
		check(f, "capped, by a filter in another order", page.Capped, true)
		filtered.Order = gtf.OrderCreated
		first("the oldest, by a filter in the order of creation", filtered, viewer(bob), true, 1, false)
	})
}
