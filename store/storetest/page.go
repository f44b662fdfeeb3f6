package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/globaltask/gtf"
)

// order compares two tasks by a column as far as the contract says how; both zero means that it does not.
func order(column gtf.OrderColumn, a, b *gtf.Task) int {
	instants := func(a, b time.Time) int {
		if a.IsZero() || b.IsZero() {
			return 0 // whether what has not happened comes first or last is the store's choice
		}
		return a.Compare(b)
	}
	switch column {
	case gtf.OrderType:
		return cmp.Compare(a.Type, b.Type)
	case gtf.OrderScope:
		return cmp.Compare(a.Scope, b.Scope)
	case gtf.OrderCreated:
		return a.CreatedAt.Compare(b.CreatedAt)
	case gtf.OrderChanged:
		return a.ChangedAt.Compare(b.ChangedAt)
	case gtf.OrderStarted:
		return instants(a.StartedAt, b.StartedAt)
	case gtf.OrderEnded:
		return instants(a.EndedAt, b.EndedAt)
	}
	return 0
}

// value is what rows with the same value of a column have in common.
func value(column gtf.OrderColumn, t *gtf.Task) string {
	switch column {
	case gtf.OrderType:
		return t.Type
	case gtf.OrderScope:
		return string(t.Scope)
	case gtf.OrderStatus:
		return string(t.Status)
	case gtf.OrderCreated:
		return t.CreatedAt.String()
	case gtf.OrderChanged:
		return t.ChangedAt.String()
	case gtf.OrderStarted:
		return t.StartedAt.String()
	case gtf.OrderEnded:
		return t.EndedAt.String()
	}
	return ""
}

func pageTests(s *suite) {
	for _, column := range gtf.OrderColumns() {
		s.test(fmt.Sprintf("walks all rows by %s, both ways", column), func(f *fixture) {
			f.variety()
			whole := f.list(gtf.ListParams{Order: column, PageSize: 100}, host)
			check(f, "tasks", len(whole), 28)
			seen := map[string]bool{}
			for i, t := range whole {
				if i > 0 && order(column, whole[i-1], t) > 0 {
					f.Errorf("task %d has %s %s, after %s", i, column, value(column, t), value(column, whole[i-1]))
				}
				if v := value(column, t); i == 0 || v != value(column, whole[i-1]) {
					if seen[v] {
						f.Errorf("tasks with %s %s do not stand together", column, v)
					}
					seen[v] = true
				} else if whole[i-1].ID.String() >= t.ID.String() {
					f.Errorf("task %d has the %s of the one before it, %s, but a lower id", i, column, v)
				}
			}
			forward := ids(whole)
			backward := slices.Clone(forward)
			slices.Reverse(backward)
			for _, size := range []int{1, 5, 28} {
				check(f, fmt.Sprintf("pages of %d", size), ids(f.list(gtf.ListParams{Order: column, PageSize: size}, host)), forward)
				check(f, fmt.Sprintf("pages of %d, descending", size),
					ids(f.list(gtf.ListParams{Order: column, Descending: true, PageSize: size}, host)), backward)
			}
			mine := ids(f.list(gtf.ListParams{Order: column, PageSize: 100}, viewer(bob)))
			check(f, "pages of 2 for a viewer", ids(f.list(gtf.ListParams{Order: column, PageSize: 2}, viewer(bob))), mine)
			check(f, "tasks of a viewer, in the order of all", mine, slices.DeleteFunc(slices.Clone(forward), func(id gtf.ID) bool {
				return !viewer(bob).Sees(f.get(id))
			}))
		})
	}

	s.test("goes on from a row that is gone, and does not double rows when others come", func(f *fixture) {
		var created []gtf.ID
		add := func() {
			f.pass(time.Second)
			created = append(created, f.create())
		}
		for range 10 {
			add()
		}
		p := gtf.ListParams{Order: gtf.OrderCreated, PageSize: 4}
		first, err := f.List(f.Context(), &p, host)
		f.must("List", err)
		check(f, "first page", ids(first.Tasks), created[:4])
		f.abort(created[3])
		f.pass(time.Hour)
		n, err := f.Prune(f.Context(), time.Minute, 10)
		f.must("Prune", err)
		check(f, "pruned", n, 1)
		add()
		if s.opts.Advance != nil {
			return // the rows were moved, the cursor was not
		}
		p.Cursor = first.Next
		check(f, "the rest", ids(f.list(p, host)), created[4:])
	})

	s.test("refuses a cursor that it did not give", func(f *fixture) {
		f.create()
		f.create()
		page, err := f.List(f.Context(), &gtf.ListParams{Order: gtf.OrderCreated, PageSize: 1}, host)
		f.must("List", err)
		for name, p := range map[string]gtf.ListParams{
			"nonsense": {Order: gtf.OrderCreated, Cursor: "nonsense"},
			"cut off":  {Order: gtf.OrderCreated, Cursor: page.Next[:len(page.Next)/2]},
		} {
			p.PageSize = 10
			if got, err := f.List(f.Context(), &p, host); err == nil {
				f.Errorf("List with a cursor that is %s gave %d tasks and no error", name, len(got.Tasks))
			}
		}
	})
}
