// Package locktest is the suite that every gtf.Locker must pass.
//
// A plug's own test calls [Run] with a function that opens a Locker nobody else uses. The suite never sleeps: time passes
// by [Options].Advance, or else by the clock of a testing/synctest bubble.
package locktest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf"
)

// Options says how the suite meets a Locker.
type Options struct {
	// Advance lets d pass by the clock that leases end by. What has to hold is asked a second before and after the end of a
	// lease of a minute, so Advance and the statements around it may take a second. Default: leases end by the process's
	// clock; every subtest runs in a synctest bubble, opens its Locker inside, and sleeps there.
	Advance func(t *testing.T, l gtf.Locker, d time.Duration)
}

// ttl is the lease of the tests.
const ttl = time.Minute

// Run tests the Locker that open gives. Each subtest opens one of its own, beside others, so open must give Lockers that
// do not see each other, and closes them by t.Cleanup. nil opts are the zero ones.
func Run(t *testing.T, open func(t *testing.T) gtf.Locker, opts *Options) {
	s := &suite{t: t, open: open}
	if opts != nil {
		s.advance = opts.Advance
	}
	s.test("Acquire gives a lock to one token", func(f *fixture) {
		f.acquire("a", "one", ttl, true)
		f.acquire("a", "two", ttl, false)
		f.acquire("b", "two", ttl, true)
		f.acquire("A", "two", ttl, true)
	})
	s.test("Acquire gives a lock to one of many that ask at once", func(f *fixture) {
		var won atomic.Int64
		together(50, func(i int) {
			ok, err := f.Acquire(f.Context(), "a", fmt.Sprint("token ", i), ttl)
			if err != nil {
				f.Errorf("Acquire: %v", err)
			}
			if ok {
				won.Add(1)
			}
		})
		if won.Load() != 1 {
			f.Errorf("%d tokens got the lock, want 1", won.Load())
		}
	})
	s.test("Acquire and Release keep all others out in between", func(f *fixture) {
		var inside, served atomic.Int64
		turn := make(chan struct{}, 1) // told at each release, so that those who wait ask again
		together(50, func(i int) {
			token := fmt.Sprint("token ", i)
			for {
				ok, err := f.Acquire(f.Context(), "a", token, ttl)
				if err != nil {
					f.Errorf("Acquire: %v", err)
					return
				}
				if ok {
					break
				}
				<-turn
			}
			if n := inside.Add(1); n != 1 {
				f.Errorf("%d tokens hold the lock at once", n)
			}
			served.Add(1)
			inside.Add(-1)
			if err := f.Release(f.Context(), "a", token); err != nil {
				f.Errorf("Release: %v", err)
			}
			select {
			case turn <- struct{}{}:
			default:
			}
		})
		if served.Load() != 50 {
			f.Errorf("%d tokens got their turn, want 50", served.Load())
		}
	})
	s.test("Acquire by the holder prolongs the lease", func(f *fixture) {
		f.acquire("a", "one", ttl, true)
		f.pass(ttl / 2)
		f.acquire("a", "one", ttl, true)
		f.pass(ttl - time.Second)
		f.acquire("a", "two", ttl, false)
		f.pass(2 * time.Second)
		f.acquire("a", "two", ttl, true)
	})
	s.test("Acquire takes a lock whose lease has ended, and only then", func(f *fixture) {
		f.acquire("a", "one", ttl, true)
		f.pass(ttl - time.Second)
		f.acquire("a", "two", ttl, false)
		f.pass(2 * time.Second)
		f.acquire("a", "two", ttl, true)
		f.acquire("a", "one", ttl, false)
		f.renew("a", "one", ttl, false)
		f.release("a", "one")
		f.acquire("a", "three", ttl, false)
	})
	s.test("Acquire gives an ended lease to one of many that ask at once", func(f *fixture) {
		f.acquire("a", "old", ttl, true)
		f.pass(ttl + time.Second)
		var won atomic.Int64
		together(50, func(i int) {
			ok, err := f.Acquire(f.Context(), "a", fmt.Sprint("token ", i), ttl)
			if err != nil {
				f.Errorf("Acquire: %v", err)
			}
			if ok {
				won.Add(1)
			}
		})
		if won.Load() != 1 {
			f.Errorf("%d tokens got the lock, want 1", won.Load())
		}
	})
	s.test("Renew prolongs the lease from now", func(f *fixture) {
		f.acquire("a", "one", ttl, true)
		for range 3 {
			f.pass(ttl - time.Second)
			f.renew("a", "one", ttl, true)
		}
		f.acquire("a", "two", ttl, false)
		f.renew("a", "one", ttl/2, true) // may also bring the end nearer
		f.pass(ttl/2 + time.Second)
		f.acquire("a", "two", ttl, true)
	})
	s.test("Renew is for the holder only", func(f *fixture) {
		f.renew("a", "one", ttl, false)
		f.acquire("a", "two", ttl, true) // nothing was taken by that
		f.renew("a", "one", ttl, false)
		f.pass(ttl + time.Second)
		f.renew("a", "two", ttl, false) // its lease has ended: somebody may have had it meanwhile
		f.acquire("a", "one", ttl, true)
	})
	s.test("Release frees the lock for the holder only", func(f *fixture) {
		f.acquire("a", "one", ttl, true)
		f.release("a", "two")
		f.release("b", "one")
		f.acquire("a", "two", ttl, false)
		f.release("a", "one")
		f.renew("a", "one", ttl, false)
		f.acquire("a", "two", ttl, true)
		f.release("a", "one")
		f.acquire("a", "one", ttl, false)
	})
	s.test("never calls a failure a lock that is held", func(f *fixture) {
		ctx, cancel := context.WithCancel(f.Context())
		cancel() // a call may still do its work, or fail; but it may not say that somebody else holds the lock
		for range 10 {
			ok, err := f.Acquire(ctx, "a", "one", ttl)
			if ok == (err != nil) {
				f.Errorf("Acquire of a free lock with an ended context: %v, %v", ok, err)
			}
			f.acquire("a", "one", ttl, true)
			if ok, err = f.Renew(ctx, "a", "one", ttl); ok == (err != nil) {
				f.Errorf("Renew by the holder with an ended context: %v, %v", ok, err)
			}
			err = f.Release(ctx, "a", "one")
			f.acquire("a", "two", ttl, err == nil)
			f.release("a", "one")
			f.release("a", "two")
		}
	})
}

type suite struct {
	t       *testing.T
	open    func(t *testing.T) gtf.Locker
	advance func(t *testing.T, l gtf.Locker, d time.Duration)
}

// test runs one subtest with a Locker of its own.
func (s *suite) test(name string, body func(f *fixture)) {
	s.t.Run(name, func(t *testing.T) {
		t.Parallel()
		if s.advance == nil {
			synctest.Test(t, func(t *testing.T) { body(&fixture{t, s.open(t), time.Sleep}) })
			return
		}
		l := s.open(t)
		body(&fixture{t, l, func(d time.Duration) { s.advance(t, l, d) }})
	})
}

type fixture struct {
	*testing.T
	gtf.Locker
	pass func(time.Duration)
}

func (f *fixture) acquire(name, token string, ttl time.Duration, want bool) {
	f.Helper()
	if ok, err := f.Acquire(f.Context(), name, token, ttl); ok != want || err != nil {
		f.Errorf("Acquire of %q by %q: %v, %v; want %v", name, token, ok, err, want)
	}
}

func (f *fixture) renew(name, token string, ttl time.Duration, want bool) {
	f.Helper()
	if ok, err := f.Renew(f.Context(), name, token, ttl); ok != want || err != nil {
		f.Errorf("Renew of %q by %q: %v, %v; want %v", name, token, ok, err, want)
	}
}

func (f *fixture) release(name, token string) {
	f.Helper()
	if err := f.Release(f.Context(), name, token); err != nil {
		f.Errorf("Release of %q by %q: %v", name, token, err)
	}
}

// together runs n goroutines at once and waits for them.
func together(n int, do func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			do(i)
		})
	}
	close(start)
	wg.Wait()
}
