package enginetest

import (
	"context"
	"fmt"
	"slices"

	"github.com/globaltask/gtf"
)

// orderTests: priorities.
func orderTests(s *suite) {
	s.test("a free slot takes the first priority", func(f *fixture) {
		gate := make(chan struct{})
		f.start(func(ctx context.Context, in string) (string, error) {
			if in == "blocker" {
				return behind(gate)(ctx, in)
			}
			return in, nil
		}, slots(1))
		blocker := f.schedule("blocker", nil)
		f.eventually("the blocker runs", func() bool { return len(f.journal.all()) == 1 })
		var handles []handle
		for _, p := range []int{9, 5, 1, 1, 9, 5, 5, 9, 1} {
			handles = append(handles, f.schedule(fmt.Sprint(p), &gtf.ScheduleOpts{Priority: p}))
		}
		close(gate)
		f.finish("the blocker", blocker)
		for _, h := range handles {
			f.finish("one behind the blocker", h)
		}
		var order []string
		for _, r := range f.journal.all()[1:] {
			order = append(order, r.in)
		}
		if !slices.IsSorted(order) {
			f.Errorf("the priorities ran in the order %v, want the first ones first", order)
		}
		f.once(handles...)
	})

	s.test("every priority is run", func(f *fixture) {
		var handles []handle
		for p := 1; p <= 9; p++ {
			handles = append(handles, f.schedule("any", &gtf.ScheduleOpts{Priority: p}))
		}
		f.start(echo)
		for _, h := range handles {
			f.finish("one of nine", h)
		}
		f.noJobs()
		f.once(handles...)
	})
}
