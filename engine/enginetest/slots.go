package enginetest

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/globaltask/gtf"
)

// slotTests: queues, and how many of each run at once.
func slotTests(s *suite) {
	s.test("each queue has its slots and never more", func(f *fixture) {
		gate := make(chan struct{})
		g := newGauge()
		f.start(func(ctx context.Context, queue string) (string, error) {
			defer g.enter(queue)()
			if queue == "free" {
				return queue, nil
			}
			return behind(gate)(ctx, queue)
		}, queues(map[string]int{"wide": 3, "narrow": 1, "free": 1}))
		var handles []handle
		for i := range 24 {
			queue := []string{"wide", "wide", "narrow"}[i%3]
			handles = append(handles, f.schedule(queue, &gtf.ScheduleOpts{Queue: queue}))
		}
		f.eventually("all slots are taken", func() bool { return g.now("wide") == 3 && g.now("narrow") == 1 })
		for range 3 { // time for another one to slip in
			f.finish("a task of a free queue", f.schedule("free", &gtf.ScheduleOpts{Queue: "free"}))
		}
		close(gate)
		for _, h := range handles {
			f.finish("a task that waited for a slot", h)
		}
		want := map[string]int{"wide": 3, "narrow": 1, "free": 1}
		if most := g.peaks(); !maps.Equal(most, want) {
			f.Errorf("at most %v ran at once, want %v", most, want)
		}
		f.noJobs()
		f.once(handles...)
	})

	s.test("queues are told apart, whatever their names", func(f *fixture) {
		names := []string{
			"reports", "Reports", "reports ", " reports", "reports-", "gtf-reports", "Ünïcode 頁", "a/b", "a|b", "a_b", "a-b", "*", "'\";",
			strings.Repeat("q", 100), strings.Repeat("q", 99) + "r", strings.Repeat("頁", 100), "default",
		}
		halves := []map[string]int{{}, {}}
		for i, name := range names {
			halves[i%2][name] = 1
		}
		clients := []*gtf.Client{f.start(echo, queues(halves[0])), f.start(echo, queues(halves[1]))}
		for i, name := range names {
			h := f.schedule(name, &gtf.ScheduleOpts{Queue: name})
			f.finish(fmt.Sprintf("a task of queue %q", name), h)
			if runs := f.journal.of(h.ID); len(runs) != 1 || runs[0].client != clients[i%2] {
				f.Errorf("queue %q was run %d times, or by a client of other queues", name, len(runs))
			}
		}
	})

	s.test("a queue that nobody works on waits", func(f *fixture) {
		f.start(echo)
		h := f.schedule("lonely", &gtf.ScheduleOpts{Queue: "elsewhere"})
		f.beyond()
		f.status("nobody works on its queue", h.ID, gtf.StatusPending)
		f.start(echo, queues(map[string]int{"elsewhere": 1}))
		f.finish("its queue has a worker now", h)
		f.once(h)
	})

	s.test("each client takes the types it has handlers for", func(f *fixture) {
		takes := func(h gtf.Handler) change { return func(cfg *gtf.Config) { cfg.Handlers = []gtf.Handler{h} } }
		f.start(nil, takes(work.Handler(f.noted(echo))))
		f.start(nil, takes(other.Handler(f.noted(echo))))
		var handles []handle
		for range 4 {
			h, err := other.Schedule(f.Context(), f.planner, "other", nil)
			f.must("Schedule", err)
			handles = append(handles, h, f.schedule("work", nil))
		}
		for _, h := range handles {
			f.finish("a task of one of two types", h)
		}
		f.noJobs()
		f.once(handles...)
	})
}

// gauge counts what runs at once, by name.
type gauge struct {
	mu       sync.Mutex
	in, most map[string]int
}

func newGauge() *gauge { return &gauge{in: map[string]int{}, most: map[string]int{}} }

// enter counts one in until the function it returns is called.
func (g *gauge) enter(name string) (leave func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.in[name]++
	g.most[name] = max(g.most[name], g.in[name])
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.in[name]--
	}
}

func (g *gauge) now(name string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.in[name]
}

func (g *gauge) peaks() map[string]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.most)
}
