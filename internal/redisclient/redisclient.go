// Package redisclient is what the plugs for Redis and Valkey have in common: clients by URL, and calls that end when
// their context does.
package redisclient

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Timeout is how long one call may take, connecting and trying again included.
const Timeout = 5 * time.Second

// errNoAnswer is a call that has taken longer.
var errNoAnswer = fmt.Errorf("no answer within %v", Timeout)

// Client is a client of go-redis and what runs on it.
type Client struct {
	redis redis.UniversalClient
	own   bool // made by Open, so closed by Close

	mu     sync.Mutex
	closed bool
	busy   sync.WaitGroup // added to under the lock, while open
}

// Open makes the client that the URL asks for; see [Parse]. A server that cannot be reached is no error, because it may
// come; one that refuses the user or the password is.
func Open(ctx context.Context, url string) (*Client, error) {
	t, err := Parse(url)
	if err != nil {
		return nil, err
	}
	c := &Client{redis: t.client(), own: true}
	_, err = Do(ctx, c, func(ctx context.Context, r redis.UniversalClient) (string, error) { return r.Ping(ctx).Result() })
	if err != nil && (ctx.Err() != nil || redis.IsAuthError(err)) {
		return nil, errors.Join(fmt.Errorf("connect to redis at %v: %w", t, err), c.Close())
	}
	return c, nil
}

// New uses the caller's client.
func New(r redis.UniversalClient) *Client { return &Client{redis: r} }

// Close ends what runs and waits for it, on the caller's client as long as that takes. It closes a client that Open made.
func (c *Client) Close() error {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	c.mu.Unlock()
	var err error
	if first && c.own {
		err = c.redis.Close()
	}
	c.busy.Wait()
	return err
}

// Go runs f beside its caller; Close waits for it. After Close it does nothing and returns redis.ErrClosed.
func (c *Client) Go(f func(r redis.UniversalClient)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return redis.ErrClosed
	}
	c.busy.Go(func() { f(c.redis) })
	return nil
}

// Do makes a call and returns when it has, when ctx ends, or after [Timeout]. go-redis looks at a context only between its
// steps, and waits for a silent server as long as its own limits say. What is then under way is left to Close.
func Do[T any](ctx context.Context, c *Client, call func(ctx context.Context, r redis.UniversalClient) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	limited, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	done := make(chan result, 1)
	err := c.Go(func(r redis.UniversalClient) {
		value, err := call(limited, r)
		done <- result{value, err}
	})
	if err != nil {
		return none, err
	}
	select {
	case r := <-done:
		if r.err == nil || limited.Err() == nil {
			return r.value, r.err
		}
	case <-limited.Done():
	}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	return none, errNoAnswer
}
