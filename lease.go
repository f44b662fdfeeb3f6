package gtf

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// LockOpts says how to lock.
type LockOpts struct {
	// TTL is how long the lock outlives a holder that died; a living one renews it. At least 10 ms. Default Config.LockTTL.
	TTL time.Duration
}

const (
	minLockTTL  = 10 * time.Millisecond
	maxLockName = 256
)

// Lease is a lock that is held.
type Lease struct {
	context func() context.Context
	release func() error
}

// Context ends when the lock is released or lost, the latter with ErrLockHeld as its cause.
func (l *Lease) Context() context.Context { return l.context() }

// Release frees the lock. Releasing twice, or a lost lock, is harmless.
func (l *Lease) Release() error { return l.release() }

// Lock takes a named lock that holds across processes, for the code of tasks (S13.3). It waits until ctx ends; then the
// error matches ErrLockHeld. An error of the backend is returned at once and never matches ErrLockHeld. nil opts are the
// zero ones.
func (c *Client) Lock(ctx context.Context, name string, opts *LockOpts) (*Lease, error) {
	ttl := c.cfg.LockTTL
	if opts != nil && opts.TTL != 0 {
		ttl = opts.TTL
	}
	var bad problems
	if name == "" {
		bad.add("name", "is empty")
	}
	checkText(&bad, "name", name, maxLockName)
	if ttl < minLockTTL {
		bad.add("ttl", "is %v, must be at least %v", ttl, minLockTTL)
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	key, token := "lock:"+name, NewID().String()
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, max(minLockTTL, ttl/10), time.Second) {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("lock %q: %w: %w", name, ErrLockHeld, ctx.Err())
		}
		asked := time.Now()
		ok, err := c.locker.Acquire(ctx, key, token, ttl)
		if ok {
			return c.hold(ctx, key, token, ttl, asked)
		}
		if err != nil && ctx.Err() == nil {
			return nil, fmt.Errorf("lock %q: %w", name, err)
		}
		select {
		case <-time.After(jitter(pause)):
		case <-ctx.Done():
		}
	}
}

// hold renews the lease at a third of its length until it is released or lost. If no renewal succeeds for a whole length,
// counted from when the last good one was sent, it is lost.
func (c *Client) hold(ctx context.Context, key, token string, ttl time.Duration, asked time.Time) (*Lease, error) {
	held, end := context.WithCancelCause(context.WithoutCancel(ctx))
	renewing := make(chan struct{})
	renew := func(base context.Context) {
		defer close(renewing)
		lost := time.NewTimer(ttl - time.Since(asked))
		defer lost.Stop()
		tick := time.NewTicker(ttl / 3)
		defer tick.Stop()
		for {
			select {
			case <-held.Done():
				return
			case <-base.Done():
				end(ErrStopped)
				return
			case <-lost.C:
				end(ErrLockHeld)
				return
			case <-tick.C:
			}
			sent := time.Now()
			stmt, cancel := context.WithTimeout(base, ttl/3)
			ok, err := c.locker.Renew(stmt, key, token, ttl)
			cancel()
			if err == nil && !ok {
				end(ErrLockHeld)
				return
			}
			if err == nil {
				lost.Reset(ttl - time.Since(sent))
			}
		}
	}
	if !c.crew.spawn(renew) {
		return nil, errors.Join(ErrStopped, c.locker.Release(context.WithoutCancel(ctx), key, token))
	}
	release := sync.OnceValue(func() error {
		end(context.Canceled)
		<-renewing
		stmt, cancel := context.WithTimeout(context.WithoutCancel(ctx), ttl)
		defer cancel()
		if err := c.locker.Release(stmt, key, token); err != nil {
			return fmt.Errorf("release lock %q: %w", key[len("lock:"):], err)
		}
		return nil
	})
	return &Lease{context: func() context.Context { return held }, release: release}, nil
}
