// Package redissignal implements gtf.Signals by publish and subscribe of Redis or Valkey.
//
// While Redis cannot be reached, Publish returns errors, listeners connect again and again, and the clients of gtf poll.
// A listener says that it is connected only when a message of its own has come back to it, at the start and every ten
// seconds after that, so that a connection that is dead without having been closed is noticed within 16 seconds.
//
// go-redis writes failed connections to standard error; redis.SetLogger of that package, which holds for the whole
// program, changes that.
package redissignal

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/redisclient"
)

// Options says how to use a server.
type Options struct {
	// Prefix begins the names of the channels. Installations that share a server need different ones, because channels
	// do not belong to a database. Default "gtf:".
	Prefix string
}

// maxText is the most bytes of a message: some 480 signals.
const maxText = 16 << 10

// Signals is a connection to one server, cluster or group of sentinels.
type Signals struct {
	client  *redisclient.Client
	channel string
	pace    pace
}

// pace is how fast a listener notices and tries again.
type pace struct {
	test     time.Duration // between the answer to a test and the next one; up to a tenth more
	patience time.Duration // for the subscription, and for the answer to a test
	again    time.Duration // the pause before the second attempt to connect; it doubles with each one
	rest     time.Duration // the longest such pause
}

var _ gtf.Signals = (*Signals)(nil)

// Open connects by a URL: one server (redis://HOST:6379), a cluster (redis+cluster://HOST,HOST) or the master that
// sentinels know (redis+sentinel://HOST,HOST/MASTER), with rediss in place of redis for TLS; or unix:///PATH. User and
// password stand before the first host, and options of go-redis behind a question mark. nil opts are the zero ones.
//
// A server that does not answer is no error: Listen finds it when it comes. One that refuses the password is. No error
// shows the password.
func Open(ctx context.Context, url string, opts *Options) (*Signals, error) {
	c, err := redisclient.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	return newSignals(c, opts), nil
}

// New uses a client of the caller, who closes it after the Signals. It may be one for a server, a cluster or sentinels,
// not a redis.Ring. Its time limits are what bounds a call to a server that does not answer; they should be finite.
// nil opts are the zero ones.
func New(client redis.UniversalClient, opts *Options) *Signals {
	return newSignals(redisclient.New(client), opts)
}

func newSignals(c *redisclient.Client, opts *Options) *Signals {
	var o Options
	if opts != nil {
		o = *opts
	}
	return &Signals{
		client:  c,
		channel: cmp.Or(o.Prefix, "gtf:") + "signals",
		pace:    pace{test: 10 * time.Second, patience: 5 * time.Second, again: 100 * time.Millisecond, rest: 10 * time.Second},
	}
}

// Close disconnects. Every Listen should have returned before; what they left behind at a silent server is waited for,
// some seconds at most with a client that Open made. It may be called again.
func (s *Signals) Close() error {
	if err := s.client.Close(); err != nil {
		return fmt.Errorf("close redis: %w", err)
	}
	return nil
}

// Publish sends the batch in one pipeline. It takes at most five seconds.
func (s *Signals) Publish(ctx context.Context, batch []gtf.Signal) error {
	if len(batch) == 0 {
		return nil
	}
	texts := gtf.EncodeSignals(batch, maxText)
	_, err := redisclient.Do(ctx, s.client, func(ctx context.Context, r redis.UniversalClient) ([]redis.Cmder, error) {
		return r.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, text := range texts {
				p.Publish(ctx, s.channel, text)
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("publish %d signals to redis: %w", len(batch), err)
	}
	return nil
}
