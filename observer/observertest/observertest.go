// Package observertest is the suite that every gtf.Observer must pass, and every gtf.Tracer.
//
// A plug's own test calls [Run] with a function that makes an observer. Each subtest runs in a testing/synctest bubble and
// makes its observer inside, so that one that waits is found out by the clock.
package observertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/globaltask/gtf"
)

// Options says how the suite meets an observer that is a gtf.Tracer; both are needed then.
type Options struct {
	// Begin returns a context within a trace, as a program has it that submits.
	Begin func(ctx context.Context) context.Context
	// TraceID names the trace that ctx is within; empty if it is within none.
	TraceID func(ctx context.Context) string
}

// kinds are all that a client tells of, and one of a later version.
var kinds = []gtf.EventKind{
	gtf.EventTransition, gtf.EventStarted, gtf.EventEnded, gtf.EventInterrupted, gtf.EventStuck, gtf.EventJoined, gtf.EventFlushed,
	gtf.EventDeferred, gtf.EventBeat, gtf.EventFenced, gtf.EventReaped, gtf.EventPruned, gtf.EventSignaled, gtf.EventLinked,
	gtf.EventFailed, "of a later version",
}

// Run tests the observers that open makes; what it opens beside them it closes by t.Cleanup. The parts for tracers run if
// they are some. nil opts are the zero ones.
func Run(t *testing.T, open func(t *testing.T) gtf.Observer, opts *Options) {
	s := &suite{t: t, open: open}
	if opts != nil {
		s.opts = *opts
	}
	s.test("Observe takes every kind of event, with and without its fields", func(f *fixture) {
		for _, e := range events() {
			f.Observe(e)
		}
	})
	s.test("Observe takes events of many goroutines", func(f *fixture) {
		together(16, func(int) {
			for _, e := range events() {
				f.Observe(e)
			}
		})
	})
	s.test("Observe takes more types, queues and tasks than there should be", func(f *fixture) {
		for i := range 2000 {
			for _, kind := range kinds {
				f.Observe(gtf.Event{Kind: kind, ID: gtf.NewID(), Type: fmt.Sprint("type", i), Queue: fmt.Sprint("queue", i)})
			}
		}
	})
	s.traced(t)
}

type suite struct {
	t    *testing.T
	open func(t *testing.T) gtf.Observer
	opts Options
}

type fixture struct {
	*testing.T
	gtf.Observer
	Options
}

// test runs a subtest in which no time may pass: an observer returns quickly.
func (s *suite) test(name string, test func(f *fixture)) {
	s.t.Helper()
	s.t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			f := &fixture{T: t, Observer: s.open(t), Options: s.opts}
			began := time.Now()
			test(f)
			if waited := time.Since(began); waited > 0 {
				t.Errorf("the observer waited %v", waited)
			}
		})
	})
}

// events are of every kind: empty, usual, and with values that no client should send.
func events() []gtf.Event {
	var all []gtf.Event
	failed := fmt.Errorf("claim: %w", errors.New("the database is away"))
	for _, kind := range kinds {
		all = append(all, gtf.Event{Kind: kind})
		for _, status := range gtf.Statuses() {
			all = append(all, gtf.Event{Kind: kind, ID: gtf.NewID(), Type: "report.export", Queue: gtf.DefaultQueue, Mode: gtf.ModeAsync,
				From: gtf.StatusPending, Status: status, Took: time.Second, Count: 3, Attempt: 1, Err: failed})
		}
		for _, cause := range []error{gtf.ErrAborted, gtf.ErrTimedOut, gtf.ErrShutdown, gtf.ErrFenced} {
			all = append(all, gtf.Event{Kind: kind, ID: gtf.NewID(), Type: "report.export", Mode: gtf.ModeSync, Err: cause})
		}
		all = append(all, gtf.Event{Kind: kind, Type: "not \xff UTF-8\x00", Queue: strings.Repeat("long", 1000), Mode: "odd", From: "odd",
			Status: "odd", Took: -time.Hour, Count: -1, Attempt: -1})
	}
	return all
}

// together runs n goroutines at once and waits for them.
func together(n int, do func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { do(i) })
	}
	wg.Wait()
}

// checkTrace tells whether a store can keep the text.
func (f *fixture) checkTrace(trace string) {
	f.Helper()
	if len(trace) > gtf.MaxTrace || !utf8.ValidString(trace) || strings.ContainsRune(trace, 0) {
		f.Errorf("the text is %q, want at most %d bytes of UTF-8 without NUL", trace, gtf.MaxTrace)
	}
}
