package gtftest

import (
	"slices"
	"sync"
	"testing"

	"github.com/globaltask/gtf"
)

// Recorder remembers what a client did, for Config.Observer. The zero Recorder is ready; several clients may share it.
//
// Events come shortly after the commit that they tell of, so a Wait may return before the last one is recorded: use Await,
// or in a bubble synctest.Wait.
type Recorder struct {
	mu     sync.Mutex
	events []gtf.Event
	news   chan struct{} // closed at the next event; nil if nobody waits
}

var _ gtf.Observer = (*Recorder)(nil)

// Observe records an event.
func (r *Recorder) Observe(e gtf.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	if r.news != nil {
		close(r.news)
		r.news = nil
	}
}

// Events returns what was recorded of these kinds, of all kinds if none is named, in the order it came.
func (r *Recorder) Events(kinds ...gtf.EventKind) []gtf.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.events), func(e gtf.Event) bool {
		return len(kinds) > 0 && !slices.Contains(kinds, e.Kind)
	})
}

// Transitions returns the statuses that a task went through, in the order it did, as far as they are recorded.
func (r *Recorder) Transitions(id gtf.ID) []gtf.Status {
	rest := slices.DeleteFunc(r.Events(gtf.EventTransition), func(e gtf.Event) bool { return e.ID != id })
	var path []gtf.Status
	at := gtf.Status("")
	for len(rest) > 0 {
		i := next(rest, at)
		at = rest[i].Status
		path = append(path, at)
		rest = slices.Delete(rest, i, i+1)
	}
	return path
}

// next finds the transition that came after the status at. Whoever made one tells of it, so a claim may be told before the
// submit; of several that fit, one after which the task still went on came first.
func next(rest []gtf.Event, at gtf.Status) int {
	order := gtf.Statuses() // of a task's life
	best := -1
	for i, e := range rest {
		if e.From != at {
			continue
		}
		if best < 0 || slices.Index(order, e.Status) < slices.Index(order, rest[best].Status) {
			best = i
		}
	}
	return max(best, 0)
}

// Await waits until a transition of the task to the status is recorded, and returns its Transitions.
func (r *Recorder) Await(t testing.TB, id gtf.ID, status gtf.Status) []gtf.Status {
	t.Helper()
	for {
		r.mu.Lock()
		if r.news == nil {
			r.news = make(chan struct{})
		}
		news := r.news // taken before the look, so that nothing is missed in between
		r.mu.Unlock()
		if path := r.Transitions(id); slices.Contains(path, status) {
			return path
		}
		select {
		case <-news:
		case <-t.Context().Done():
			t.Fatalf("the test ended before task %s was recorded as %s; it was %v", id, status, r.Transitions(id))
		}
	}
}
