// Package redislock implements gtf.Locker with keys of Redis or Valkey that expire by themselves.
//
// A lock is one key, taken by SET NX PX, that holds the token; scripts that compare it first prolong and delete it. So a
// server that forgets its keys, in a restart without persistence or by eviction, frees all locks: their holders find out
// at the next renewal, and others may have them before. The same can happen when a replica takes over. Nothing in gtf
// itself depends on these locks; who cannot accept that takes those of the store.
package redislock

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
	// Prefix begins the names of the keys. Installations that share a database need different ones. Default "gtf:".
	Prefix string
}

// Locker keeps locks on one server, cluster or group of sentinels.
type Locker struct {
	client *redisclient.Client
	prefix string
}

var _ gtf.Locker = (*Locker)(nil)

// Scripts of one key, so that a cluster runs them where the key is. Each may be sent twice to the same effect.
var (
	acquire = redis.NewScript(`
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`)
	renew = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`)
	release = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`)
)

// Open connects by a URL: one server (redis://HOST:6379/DB), a cluster (redis+cluster://HOST,HOST) or the master that
// sentinels know (redis+sentinel://HOST,HOST/MASTER/DB), with rediss in place of redis for TLS; or unix:///PATH. User and
// password stand before the first host, and options of go-redis behind a question mark. nil opts are the zero ones.
//
// A server that does not answer is no error: it may be there when the first lock is wanted. One that refuses the password
// is. No error shows the password.
func Open(ctx context.Context, url string, opts *Options) (*Locker, error) {
	c, err := redisclient.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	return newLocker(c, opts), nil
}

// New uses a client of the caller, who closes it after the Locker. nil opts are the zero ones.
func New(client redis.UniversalClient, opts *Options) *Locker {
	return newLocker(redisclient.New(client), opts)
}

func newLocker(c *redisclient.Client, opts *Options) *Locker {
	var o Options
	if opts != nil {
		o = *opts
	}
	return &Locker{client: c, prefix: cmp.Or(o.Prefix, "gtf:")}
}

// Close disconnects, and frees nothing. Calls that were given up at a silent server are waited for, some seconds at most
// with a client that Open made. It may be called again.
func (l *Locker) Close() error {
	if err := l.client.Close(); err != nil {
		return fmt.Errorf("close redis: %w", err)
	}
	return nil
}

// Acquire takes a free lock, or prolongs the token's own. Like the other calls it takes at most five seconds. One that
// was given up may still take the lock, for one lease.
func (l *Locker) Acquire(ctx context.Context, name, token string, ttl time.Duration) (bool, error) {
	ok, err := l.run(ctx, acquire, name, token, milliseconds(ttl))
	if err != nil {
		return false, fmt.Errorf("acquire %q in redis: %w", name, err)
	}
	return ok, nil
}

// Renew prolongs a lease that has not ended.
func (l *Locker) Renew(ctx context.Context, name, token string, ttl time.Duration) (bool, error) {
	ok, err := l.run(ctx, renew, name, token, milliseconds(ttl))
	if err != nil {
		return false, fmt.Errorf("renew %q in redis: %w", name, err)
	}
	return ok, nil
}

// Release deletes the key if it has the token.
func (l *Locker) Release(ctx context.Context, name, token string) error {
	if _, err := l.run(ctx, release, name, token); err != nil {
		return fmt.Errorf("release %q in redis: %w", name, err)
	}
	return nil
}

func (l *Locker) run(ctx context.Context, script *redis.Script, name string, args ...any) (bool, error) {
	return redisclient.Do(ctx, l.client, func(ctx context.Context, r redis.UniversalClient) (bool, error) {
		return script.Run(ctx, r, []string{l.prefix + name}, args...).Bool()
	})
}

// milliseconds rounds up, so that a lease never ends before its holder thinks so; Redis knows no shorter one than 1 ms.
func milliseconds(ttl time.Duration) int64 {
	return max(1, int64((ttl-1)/time.Millisecond)+1)
}
