package gtf_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf"
)

// shaky is a lock backend that fails while it is down, and counts its renewals.
type shaky struct {
	gtf.Locker
	down   atomic.Bool
	renews atomic.Int32
}

func (s *shaky) Acquire(ctx context.Context, name, token string, ttl time.Duration) (bool, error) {
	if s.down.Load() {
		return false, errDown
	}
	return s.Locker.Acquire(ctx, name, token, ttl)
}

func (s *shaky) Renew(ctx context.Context, name, token string, ttl time.Duration) (bool, error) {
	s.renews.Add(1)
	if s.down.Load() {
		return false, errDown
	}
	return s.Locker.Renew(ctx, name, token, ttl)
}

func TestLock(t *testing.T) {
	t.Parallel()
	t.Run("is held by one at a time, in one process and in two (S13.3)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := open(t)
			clients := []*gtf.Client{newClient(t, store, nil), newClient(t, store, nil)}
			var inside, most atomic.Int32
			var wg sync.WaitGroup
			for i := range 10 {
				wg.Go(func() {
					lease, err := clients[i%2].Lock(context.Background(), "name", nil)
					if err != nil {
						t.Error(err)
						return
					}
					if n := inside.Add(1); n > most.Load() {
						most.Store(n)
					}
					time.Sleep(time.Minute) // longer than the lease
					inside.Add(-1)
					if err := lease.Release(); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if most.Load() != 1 {
				t.Errorf("%d held it at once", most.Load())
			}
		})
	})
	t.Run("of another name does not wait (S13.3)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		for _, name := range []string{"a", "b", "lock:a", strings.Repeat("é", 256)} {
			if _, err := c.Lock(t.Context(), name, nil); err != nil {
				t.Errorf("%.10s: %v", name, err)
			}
		}
	})
	t.Run("waits until the caller's context ends, then is ErrLockHeld (S13.3)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			c := newClient(t, open(t), nil)
			lease := must[*gtf.Lease](t)(c.Lock(t.Context(), "name", nil))
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			begun := time.Now()
			_, err := c.Lock(ctx, "name", nil)
			if wantErr(t, "Lock", err, gtf.ErrLockHeld); time.Since(begun) != 10*time.Minute {
				t.Errorf("gave up after %v", time.Since(begun))
			}
			if err := lease.Release(); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("is never taken for a context that has ended (S13.3)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		ended, end := context.WithCancel(t.Context())
		end()
		for range 20 {
			if lease, err := c.Lock(ended, "name", nil); err == nil {
				t.Error("it was taken")
				_ = lease.Release()
				break
			}
		}
	})
	t.Run("of a failed backend is its error, and never ErrLockHeld (S13.3)", func(t *testing.T) {
		t.Parallel()
		store := open(t)
		backend := &shaky{Locker: store}
		backend.down.Store(true)
		c := newClient(t, store, &gtf.Config{Locker: backend})
		_, err := c.Lock(t.Context(), "name", nil)
		if wantErr(t, "Lock", err, errDown); errors.Is(err, gtf.ErrLockHeld) {
			t.Errorf("%v says that somebody holds it", err)
		}
	})
	t.Run("is renewed as long as it is held, at a third of its length (S13.3)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := open(t)
			backend := &shaky{Locker: store}
			c := newClient(t, store, &gtf.Config{Locker: backend})
			lease := must[*gtf.Lease](t)(c.Lock(t.Context(), "name", &gtf.LockOpts{TTL: 3 * time.Second}))
			time.Sleep(time.Minute)
			if lease.Context().Err() != nil {
				t.Errorf("it was lost: %v", context.Cause(lease.Context()))
			}
			if n := backend.renews.Load(); n < 55 || n > 62 {
				t.Errorf("renewed %d times in a minute, want 60", n)
			}
			if err := lease.Release(); err != nil {
				t.Error(err)
			}
			n := backend.renews.Load()
			time.Sleep(time.Minute)
			if backend.renews.Load() != n {
				t.Error("it is renewed after the release")
			}
		})
	})
	t.Run("ends its context when it is released, and is free at once (S13.3)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			c := newClient(t, open(t), nil)
			type key struct{}
			ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
			lease := must[*gtf.Lease](t)(c.Lock(ctx, "name", nil))
			cancel() // it bounded the wait
			if lease.Context().Err() != nil || lease.Context().Value(key{}) != "value" {
				t.Error("the lease's context ended with the wait's, or lost its values")
			}
			for range 2 {
				if err := lease.Release(); err != nil {
					t.Error(err)
				}
			}
			if err := context.Cause(lease.Context()); !errors.Is(err, context.Canceled) || errors.Is(err, gtf.ErrLockHeld) {
				t.Errorf("the cause is %v, want that it was released", err)
			}
			begun := time.Now()
			must[*gtf.Lease](t)(c.Lock(t.Context(), "name", nil))
			if time.Since(begun) != 0 {
				t.Errorf("the next waited %v", time.Since(begun))
			}
		})
	})
	t.Run("that was taken by another is lost, with ErrLockHeld as the cause (S13.3)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := open(t)
			backend := &stolen{Locker: store}
			c := newClient(t, store, &gtf.Config{Locker: backend})
			lease := must[*gtf.Lease](t)(c.Lock(t.Context(), "name", nil))
			backend.gone.Store(true)
			begun := time.Now()
			<-lease.Context().Done()
			wantErr(t, "the cause", context.Cause(lease.Context()), gtf.ErrLockHeld)
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("noticed after %v, want the next renewal", took)
			}
			if err := lease.Release(); err != nil {
				t.Errorf("releasing what was lost: %v", err)
			}
		})
	})
	t.Run("that cannot be renewed is lost before its time is up (S13.3)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := open(t)
			backend := &shaky{Locker: store}
			c, other := newClient(t, store, &gtf.Config{Locker: backend}), newClient(t, store, nil)
			lease := must[*gtf.Lease](t)(c.Lock(t.Context(), "name", nil))
			time.Sleep(35 * time.Second) // the last renewal was five seconds ago
			backend.down.Store(true)
			begun := time.Now()
			taken := make(chan time.Time, 1)
			go func() {
				if _, err := other.Lock(context.Background(), "name", nil); err != nil {
					t.Error(err)
				}
				taken <- time.Now()
			}()
			<-lease.Context().Done()
			lost := time.Now()
			wantErr(t, "the cause", context.Cause(lease.Context()), gtf.ErrLockHeld)
			if took := lost.Sub(begun); took > 25*time.Second {
				t.Errorf("lost after %v, want 25s", took)
			}
			if at := <-taken; at.Before(lost) {
				t.Errorf("another took it %v before", lost.Sub(at))
			}
			_ = lease.Release()
		})
	})
	t.Run("outlasts a backend that fails for less than its length (S13.3)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := open(t)
			backend := &shaky{Locker: store}
			c := newClient(t, store, &gtf.Config{Locker: backend})
			lease := must[*gtf.Lease](t)(c.Lock(t.Context(), "name", nil))
			time.Sleep(35 * time.Second)
			backend.down.Store(true)
			time.Sleep(12 * time.Second)
			backend.down.Store(false)
			time.Sleep(time.Minute)
			if lease.Context().Err() != nil {
				t.Errorf("it was lost: %v", context.Cause(lease.Context()))
			}
		})
	})
	t.Run("is taken over from a holder that died (S13.3)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := open(t)
			if ok, err := store.Acquire(t.Context(), "lock:name", "of a process that died", 30*time.Second); !ok || err != nil {
				t.Fatal(ok, err)
			}
			begun := time.Now()
			must[*gtf.Lease](t)(newClient(t, store, nil).Lock(t.Context(), "name", nil))
			if took := time.Since(begun); took < 30*time.Second || took > 32*time.Second {
				t.Errorf("taken over after %v, want 30s", took)
			}
		})
	})
	t.Run("of a client that stops is lost with ErrStopped", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := open(t)
			c := newClient(t, store, nil)
			lease := must[*gtf.Lease](t)(c.Lock(t.Context(), "name", nil))
			if err := c.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			wantErr(t, "the cause", context.Cause(lease.Context()), gtf.ErrStopped)
			if err := lease.Release(); err != nil {
				t.Error(err)
			}
			must[*gtf.Lease](t)(newClient(t, store, nil).Lock(t.Context(), "name", nil))
			_, err := c.Lock(t.Context(), "other", nil)
			wantErr(t, "Lock after Stop", err, gtf.ErrStopped)
		})
	})
	for name, opts := range map[string]struct {
		name string
		ttl  time.Duration
		bad  string
	}{
		"an empty name": {"", 0, "name"}, "a long name": {strings.Repeat("n", 257), 0, "name"}, "a name with NUL": {"\x00", 0, "name"},
		"a short TTL": {"name", time.Millisecond, "ttl"}, "no TTL": {"name", gtf.None, "ttl"},
	} {
		t.Run(name+" is a validation error (S13.3)", func(t *testing.T) {
			t.Parallel()
			_, err := newClient(t, open(t), nil).Lock(t.Context(), opts.name, &gtf.LockOpts{TTL: opts.ttl})
			wantProblems(t, err, opts.bad)
		})
	}
}

// stolen is a lock backend that says, from some time on, that another has the lock.
type stolen struct {
	gtf.Locker
	gone atomic.Bool
}

func (s *stolen) Renew(ctx context.Context, name, token string, ttl time.Duration) (bool, error) {
	if s.gone.Load() {
		return false, nil
	}
	return s.Locker.Renew(ctx, name, token, ttl)
}
