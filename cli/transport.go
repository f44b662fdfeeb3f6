package cli

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/lock/redislock"
	"github.com/globaltask/gtf/signal/redissignal"
)

// quiet keeps go-redis from writing to standard error by itself: what fails is logged as an error of the signals.
type quiet struct{}

// Printf implements the logger of go-redis.
func (quiet) Printf(context.Context, string, ...any) {}

// What the settings signals and locks can be.
const (
	byStore = "store"
	byRedis = "redis"
	byNone  = "none"
)

// transport is what lies beside the store.
type transport struct {
	signals gtf.Signals // nil: the store's
	locks   gtf.Locker  // nil: the store's
	close   []func() error
}

// openTransport connects signals and locks by Redis, if they are to go that way.
func (c *Console) openTransport(ctx context.Context) (t *transport, err error) {
	t = &transport{}
	signals, locks, url := c.Settings.Text("signals"), c.Settings.Text("locks"), c.Settings.Text("redis_url")
	if signals == autoLevel {
		if signals = byStore; url != "" {
			signals = byRedis
		}
	}
	if url == "" && (signals == byRedis || locks == byRedis) {
		return nil, usage("redis_url is empty, and signals or locks are to go by Redis")
	}
	redis.SetLogger(quiet{})
	switch signals {
	case byRedis:
		r, err := redissignal.Open(ctx, url, &redissignal.Options{Prefix: c.Settings.Text("channel_prefix")})
		if err != nil {
			return nil, errors.Join(&storeError{err}, t.Close())
		}
		t.signals, t.close = r, append(t.close, r.Close)
	case byNone:
		t.signals = &gtf.LocalSignals{}
	}
	if locks == byRedis {
		l, err := redislock.Open(ctx, url, &redislock.Options{Prefix: c.Settings.Text("channel_prefix")})
		if err != nil {
			return nil, errors.Join(&storeError{err}, t.Close())
		}
		t.locks, t.close = l, append(t.close, l.Close)
	}
	return t, nil
}

// Close disconnects.
func (t *transport) Close() error {
	var errs []error
	for _, f := range t.close {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}
