// Package signaltest is the suite that every gtf.Signals must pass.
//
// A signal may be lost, doubled or late, so the suite first makes sure that a listener hears a sender, and only then asks
// what has to arrive. It runs by the real clock and waits for events, never for a time.
package signaltest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/globaltask/gtf"
)

// patience is when the suite gives up: far beyond what any transport needs.
const patience = 20 * time.Second

// Run tests the transport whose two ends open gives: two processes, where a transport reaches beyond its own. Each subtest
// opens a pair of its own, beside others, so open must give pairs that do not hear each other, and closes them by
// t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) (a, b gtf.Signals)) {
	test := func(name string, body func(t *testing.T, a, b gtf.Signals)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := open(t)
			body(t, a, b)
		})
	}
	id := gtf.NewID()
	all := []gtf.Signal{
		{Kind: gtf.SignalWork, Queue: "slow queue, Ünïcode", Origin: "client-1"},
		{Kind: gtf.SignalAbort, ID: id, Origin: "client-1"},
		{Kind: gtf.SignalFinished, ID: gtf.NewID(), Origin: "client-2"},
		{Kind: gtf.SignalChanged, ID: id},
		{Kind: gtf.SignalAny},
	}

	test("a signal reaches listeners of both ends as it was sent", func(t *testing.T, a, b gtf.Signals) {
		here, there := listen(t, a), listen(t, b)
		for _, from := range []gtf.Signals{a, b} {
			greet(t, from, here, there)
			for _, s := range all {
				publish(t, from, s)
				here.await(t, s)
				there.await(t, s)
				here.forget()
				there.forget()
			}
		}
	})

	test("a batch arrives whole", func(t *testing.T, a, b gtf.Signals) {
		here, there := listen(t, a), listen(t, b)
		greet(t, a, here, there)
		publish(t, a, all...)
		for _, s := range all {
			here.await(t, s)
			there.await(t, s)
		}
	})

	test("a large batch arrives, or one signal for everything", func(t *testing.T, a, b gtf.Signals) {
		there := listen(t, b)
		greet(t, a, there)
		large := make([]gtf.Signal, 2000)
		for i := range large {
			large[i] = gtf.Signal{Kind: gtf.SignalChanged, ID: gtf.NewID(), Origin: "client-1"}
		}
		publish(t, a, large...)
		there.wait(t, "2000 signals, or a SignalAny", func(heard map[gtf.Signal]int) bool {
			got := 0
			for _, s := range large {
				if heard[s] > 0 {
					got++
				}
			}
			return got == len(large) || slices.ContainsFunc(keys(heard), func(s gtf.Signal) bool { return s.Kind == gtf.SignalAny })
		})
	})

	test("an empty batch is nothing", func(t *testing.T, a, b gtf.Signals) {
		there := listen(t, b)
		greet(t, a, there)
		publish(t, a)
		publish(t, a, all[0])
		there.await(t, all[0])
	})

	test("every listener of an end hears", func(t *testing.T, a, b gtf.Signals) {
		ears := []*ear{listen(t, b), listen(t, b), listen(t, b), listen(t, a)}
		greet(t, a, ears...)
		publish(t, a, all[1])
		for _, e := range ears {
			e.await(t, all[1])
		}
		ears[1].stop(t)
		publish(t, a, all[2])
		for i, e := range ears {
			if i != 1 {
				e.await(t, all[2])
			}
		}
	})

	test("Listen says at the start whether it is connected", func(t *testing.T, a, b gtf.Signals) {
		for _, s := range []gtf.Signals{a, b} {
			listen(t, s) // fails if it does not
		}
	})

	test("Listen returns promptly when its context ends", func(t *testing.T, a, b gtf.Signals) {
		e := listen(t, b)
		greet(t, a, e)
		if took := e.stop(t); took > time.Second {
			t.Errorf("Listen returned after %v", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		returned := make(chan struct{})
		go func() {
			defer close(returned)
			b.Listen(ctx, newEar())
		}()
		receive(t, returned, "Listen did not return although its context had ended before")
	})

	test("nothing is delivered after Listen has returned", func(t *testing.T, a, b gtf.Signals) {
		ctx, cancel := context.WithCancel(t.Context())
		var talking sync.WaitGroup
		defer talking.Wait()
		defer cancel()
		for _, from := range []gtf.Signals{a, b} {
			talking.Go(func() {
				for ctx.Err() == nil {
					_ = from.Publish(ctx, all) // may fail when ctx ends
				}
			})
		}
		listen(t, b) // another listener, before and behind those that stop
		var gone []*ear
		for range 100 {
			e := listen(t, b)
			e.stop(t)
			e.over.Store(true)
			gone = append(gone, e)
		}
		cancel()
		talking.Wait()
		late := 0
		for _, e := range gone {
			if e.late.Load() {
				late++
			}
		}
		if late > 0 {
			t.Errorf("%d of %d listeners were called after their Listen had returned", late, len(gone))
		}
	})

	test("a listener may publish", func(t *testing.T, a, b gtf.Signals) {
		answer := gtf.Signal{Kind: gtf.SignalChanged, ID: gtf.NewID()}
		echo := newEar()
		echo.onSignal = func(s gtf.Signal) {
			if s == all[1] {
				if err := b.Publish(t.Context(), []gtf.Signal{answer}); err != nil {
					t.Errorf("Publish by a listener: %v", err)
				}
			}
		}
		hear(t, b, echo)
		here := listen(t, a)
		greet(t, a, echo, here)
		greet(t, b, here)
		publish(t, a, all[1])
		here.await(t, answer)
		echo.await(t, answer)
	})

	test("many may publish and listen at once", func(t *testing.T, a, b gtf.Signals) {
		stays := listen(t, b)
		greet(t, a, stays)
		greet(t, b, stays)
		var busy sync.WaitGroup
		var sent []gtf.Signal
		for i := range 8 {
			s := gtf.Signal{Kind: gtf.SignalWork, Queue: fmt.Sprint("queue ", i)}
			sent = append(sent, s)
			from := []gtf.Signals{a, b}[i%2]
			busy.Go(func() {
				for range 20 {
					if err := from.Publish(t.Context(), []gtf.Signal{s}); err != nil {
						t.Errorf("Publish: %v", err)
						return
					}
				}
			})
			busy.Go(func() {
				for range 5 {
					ctx, cancel := context.WithCancel(t.Context())
					e := newEar()
					e.onLink = cancel
					from.Listen(ctx, e)
					cancel()
				}
			})
		}
		busy.Wait()
		for _, s := range sent {
			stays.await(t, s)
		}
	})
}

// ear is a listener that remembers what it heard.
type ear struct {
	onSignal func(gtf.Signal)
	onLink   func()
	over     atomic.Bool // Listen has returned
	late     atomic.Bool // and something came after that

	mu        sync.Mutex
	heard     map[gtf.Signal]int
	news      chan struct{} // closed and replaced at each signal
	connected chan struct{} // closed when Link was called
	once      sync.Once
	cancel    context.CancelFunc
	returned  chan struct{}
}

func newEar() *ear {
	return &ear{heard: map[gtf.Signal]int{}, news: make(chan struct{}), connected: make(chan struct{})}
}

func (e *ear) Signal(s gtf.Signal) {
	if e.over.Load() {
		e.late.Store(true)
	}
	e.mu.Lock()
	e.heard[s]++
	close(e.news)
	e.news = make(chan struct{})
	e.mu.Unlock()
	if e.onSignal != nil {
		e.onSignal(s)
	}
}

func (e *ear) Link(error) {
	if e.over.Load() {
		e.late.Store(true)
	}
	e.once.Do(func() { close(e.connected) })
	if e.onLink != nil {
		e.onLink()
	}
}

// listen begins to listen at one end and returns when the transport has said whether it is connected.
func listen(t *testing.T, s gtf.Signals) *ear {
	t.Helper()
	e := newEar()
	hear(t, s, e)
	return e
}

func hear(t *testing.T, s gtf.Signals, e *ear) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	e.cancel, e.returned = cancel, make(chan struct{})
	go func() {
		defer close(e.returned)
		s.Listen(ctx, e)
	}()
	t.Cleanup(func() { e.stop(t) })
	receive(t, e.connected, "Link was not called")
}

// stop ends the listening and tells how long that took.
func (e *ear) stop(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	e.cancel()
	receive(t, e.returned, "Listen did not return when its context ended")
	return time.Since(began)
}

// greet publishes until the ears have heard it: from then on nothing should be lost.
func greet(t *testing.T, from gtf.Signals, ears ...*ear) {
	t.Helper()
	hello := gtf.Signal{Kind: gtf.SignalWork, Queue: "hello " + gtf.NewID().String()}
	giveUp := time.After(patience)
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for _, e := range ears {
		for !e.has(hello) {
			publish(t, from, hello)
			e.mu.Lock()
			news := e.news
			e.mu.Unlock()
			if e.has(hello) {
				break
			}
			select {
			case <-news:
			case <-again.C:
			case <-giveUp:
				t.Fatal("a listener that is connected hears nothing")
			}
		}
	}
}

func (e *ear) has(s gtf.Signal) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heard[s] > 0
}

func (e *ear) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.heard)
}

func (e *ear) await(t *testing.T, s gtf.Signal) {
	t.Helper()
	e.wait(t, fmt.Sprintf("the signal %+v", s), func(heard map[gtf.Signal]int) bool { return heard[s] > 0 })
}

func (e *ear) wait(t *testing.T, what string, enough func(heard map[gtf.Signal]int) bool) {
	t.Helper()
	giveUp := time.After(patience)
	for {
		e.mu.Lock()
		ok, news, got := enough(e.heard), e.news, len(e.heard)
		e.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-news:
		case <-giveUp:
			t.Fatalf("a listener did not get %s; it heard %d different signals", what, got)
		}
	}
}

func publish(t *testing.T, from gtf.Signals, batch ...gtf.Signal) {
	t.Helper()
	if err := from.Publish(t.Context(), batch); err != nil {
		t.Fatalf("Publish of %d signals: %v", len(batch), err)
	}
}

func receive(t *testing.T, done <-chan struct{}, otherwise string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal(otherwise)
	}
}

func keys(heard map[gtf.Signal]int) []gtf.Signal {
	list := make([]gtf.Signal, 0, len(heard))
	for s := range heard {
		list = append(list, s)
	}
	return list
}
