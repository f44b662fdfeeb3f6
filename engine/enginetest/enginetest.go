// Package enginetest is the suite that every gtf.Engine must pass, and so must the queue that stores have of their own.
//
// It asks what clients get to see: that every task is run, once for each attempt, in time, within the slots, and whatever
// stops or fails meanwhile. Engines are databases and other processes, so it runs by the real clock; it waits for events,
// and where something must not happen, for something else that happens behind it.
//
// Of priorities it asks only that 1, 5 and 9 are told apart and that a free slot takes the first of them: an engine need
// not know nine of them, or fetch in a better order what it has fetched ahead. Nor does it ask for an order within one.
package enginetest

import (
	"testing"

	"github.com/globaltask/gtf"
)

// Options says what the suite can do to a store and its engine; nil are the zero ones.
type Options struct {
	// Begin begins a transaction of a caller in the store's database, by the name of what drives it. The suite ends it, once,
	// with a commit or without. Default none: what needs one is skipped.
	Begin map[string]func(t *testing.T, s gtf.Store) (tx gtf.Tx, end func(commit bool) error)
	// Jobs counts the jobs that the engine has still to deliver, or is delivering. Default: nobody looks.
	Jobs func(t *testing.T, e gtf.Engine) int
	// Lose has the engine forget every job. Default: nothing is lost.
	Lose func(t *testing.T, e gtf.Engine)
}

// Run tests the engine that open gives, with its store. A nil engine is the store's own queue. Each subtest opens a pair of
// its own, beside others, so open must give pairs that do not see each other, and closes them by t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) (gtf.Store, gtf.Engine), opts *Options) {
	if opts == nil {
		opts = &Options{}
	}
	for _, group := range []struct {
		name  string
		tests func(*suite)
	}{
		{"Run", runTests},
		{"Order", orderTests},
		{"Slots", slotTests},
		{"Void", voidTests},
		{"Failure", failureTests},
		{"Stop", stopTests},
		{"Tx", txTests},
		{"Deliver", deliverTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			group.tests(&suite{t, open, opts})
		})
	}
}

type suite struct {
	t    *testing.T
	open func(t *testing.T) (gtf.Store, gtf.Engine)
	opts *Options
}

// test runs one subtest with a store and an engine of its own.
func (s *suite) test(name string, body func(f *fixture)) {
	s.t.Run(name, func(t *testing.T) {
		t.Parallel()
		store, engine := s.open(t)
		f := &fixture{T: t, store: store, engine: engine, opts: s.opts}
		f.planner = f.client(store, nil)
		body(f)
	})
}
