package redissignal

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9/logging"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/dbtest"
)

func TestMain(m *testing.M) {
	logging.Disable() // go-redis tells of every failed connection
	dbtest.Main(m)
}

// open connects until the test ends.
func open(t *testing.T, url string, opts *Options) *Signals {
	t.Helper()
	s, err := Open(t.Context(), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeSignals(t, s) })
	return s
}

func closeSignals(t *testing.T, s *Signals) {
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// hasty notices trouble sooner, for tests that wait by the real clock.
func hasty(s *Signals) *Signals {
	const ms = time.Millisecond
	s.pace = pace{test: 100 * ms, patience: 2000 * ms, again: 20 * ms, rest: 100 * ms}
	return s
}

// ear remembers what a listener was told.
type ear struct {
	mu     sync.Mutex
	heard  []gtf.Signal
	links  []error
	times  []time.Time
	news   chan struct{} // closed and replaced at each call
	cancel context.CancelFunc
	gone   chan struct{}
}

func (e *ear) Signal(s gtf.Signal) { e.note(func() { e.heard = append(e.heard, s) }) }

func (e *ear) Link(err error) {
	e.note(func() {
		e.links = append(e.links, err)
		e.times = append(e.times, time.Now())
	})
}

func (e *ear) note(add func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	add()
	close(e.news)
	e.news = make(chan struct{})
}

// listen begins to listen and does not wait for a connection.
func listen(t *testing.T, s *Signals) *ear {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	e := &ear{news: make(chan struct{}), cancel: cancel, gone: make(chan struct{})}
	go func() {
		defer close(e.gone)
		s.Listen(ctx, e)
	}()
	t.Cleanup(e.stop)
	return e
}

// stop ends the listening and waits until Listen has returned.
func (e *ear) stop() {
	e.cancel()
	<-e.gone
}

// until waits for something to be so, by the real clock for half a minute, in a bubble for an hour of its clock.
func (e *ear) until(t *testing.T, what string, so func() bool) {
	t.Helper()
	giveUp := time.After(patience)
	for {
		e.mu.Lock()
		ok, news := so(), e.news
		e.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-news:
		case <-giveUp:
			t.Fatalf("waited in vain: %s; links %v, %d signals", what, e.links, len(e.heard))
		}
	}
}

const patience = time.Minute

// linked waits until the last word on the connection is that it is there.
func (e *ear) linked(t *testing.T) {
	t.Helper()
	e.until(t, "a connection", func() bool { return len(e.links) > 0 && e.links[len(e.links)-1] == nil })
}

// broken waits until the last word is an error, and returns it.
func (e *ear) broken(t *testing.T) error {
	t.Helper()
	e.until(t, "news that the connection is gone", func() bool { return len(e.links) > 0 && e.links[len(e.links)-1] != nil })
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.links[len(e.links)-1]
}

// hears waits for a signal.
func (e *ear) hears(t *testing.T, s gtf.Signal) {
	t.Helper()
	e.until(t, "a signal", func() bool { return slices.Contains(e.heard, s) })
}

// all returns what was heard so far.
func (e *ear) all() (heard []gtf.Signal, links []error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.heard), slices.Clone(e.links)
}

// goThrough publishes new signals until one arrives.
func goThrough(t *testing.T, from *Signals, to *ear) {
	t.Helper()
	s := gtf.Signal{Kind: gtf.SignalChanged, ID: gtf.NewID(), Origin: "client"}
	if err := from.Publish(t.Context(), []gtf.Signal{s}); err != nil {
		t.Fatal(err)
	}
	to.hears(t, s)
}
