package redislock_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/gtftest"
	"github.com/globaltask/gtf/internal/dbtest"
	"github.com/globaltask/gtf/internal/redistest"
	"github.com/globaltask/gtf/internal/servers"
	"github.com/globaltask/gtf/lock/locktest"
	"github.com/globaltask/gtf/lock/redislock"
)

func TestMain(m *testing.M) {
	logging.Disable() // go-redis tells of every failed connection
	dbtest.Main(m)
}

// open connects until the test ends.
func open(t *testing.T, url string, opts *redislock.Options) *redislock.Locker {
	t.Helper()
	l, err := redislock.Open(t.Context(), url, opts)
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	return l
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// aged is a Locker whose time can pass.
type aged struct {
	*redislock.Locker
	pass func(t *testing.T, d time.Duration)
}

func advance(t *testing.T, l gtf.Locker, d time.Duration) {
	a, ok := l.(*aged)
	if !ok {
		t.Fatalf("the suite gave back a %T", l)
	}
	a.pass(t, d)
}

func TestLocksPassTheSuite(t *testing.T) {
	t.Parallel()
	t.Run("on miniredis", func(t *testing.T) {
		t.Parallel()
		locktest.Run(t, func(t *testing.T) gtf.Locker {
			m := miniredis.RunT(t)
			return &aged{open(t, "redis://"+m.Addr(), nil), func(_ *testing.T, d time.Duration) { m.FastForward(d) }}
		}, &locktest.Options{Advance: advance})
	})
	// A server's clock cannot be moved: the ends of the leases are moved the other way.
	on := func(t *testing.T, url string) {
		locktest.Run(t, func(t *testing.T) gtf.Locker {
			prefix := dbtest.RedisPrefix(t)
			admin := client(t, url)
			return &aged{open(t, url, &redislock.Options{Prefix: prefix}), func(t *testing.T, d time.Duration) {
				for _, name := range []string{"a", "b", "A"} { // those of the suite
					left, err := admin.PTTL(t.Context(), prefix+name).Result()
					must(t, err)
					if left > 0 {
						must(t, admin.PExpire(t.Context(), prefix+name, left-d).Err()) // none left: deletes it
					}
				}
			}}
		}, &locktest.Options{Advance: advance})
	}
	t.Run("on a server", func(t *testing.T) {
		t.Parallel()
		on(t, dbtest.Redis(t))
	})
	t.Run("on a cluster", func(t *testing.T) {
		t.Parallel()
		on(t, redistest.Cluster(t))
	})
}

// client looks at the keys, of a server or a cluster.
func client(t *testing.T, raw string) redis.UniversalClient {
	t.Helper()
	u, err := url.Parse(strings.SplitN(raw, ",", 2)[0])
	must(t, err)
	c := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: []string{u.Host}, IsClusterMode: u.Scheme == "redis+cluster"})
	t.Cleanup(func() { _ = c.Close() }) // nothing to lose
	return c
}

func TestLease(t *testing.T) {
	t.Parallel()
	server := dbtest.Redis(t)
	prefix := dbtest.RedisPrefix(t)
	l := open(t, server, &redislock.Options{Prefix: prefix})
	admin := client(t, server)
	ctx := t.Context()

	t.Run("ends by the server's clock", func(t *testing.T) {
		must(t, acquired(l.Acquire(ctx, "short", "one", 50*time.Millisecond)))
		began := time.Now()
		for {
			ok, err := l.Acquire(ctx, "short", "two", time.Minute)
			must(t, err)
			if ok {
				break
			}
		}
		if took := time.Since(began); took < 30*time.Millisecond {
			t.Errorf("it ended after %v", took)
		}
	})
	t.Run("is a millisecond at least, and rounded up", func(t *testing.T) {
		for ttl, want := range map[time.Duration]int64{
			-time.Hour: 1, 0: 1, 1: 1, time.Millisecond: 1, time.Millisecond + 1: 2, time.Minute - 1: 60_000, 1<<63 - 1: 9_223_372_036_855,
		} {
			ok, err := l.Acquire(ctx, "tiny "+ttl.String(), "one", ttl)
			must(t, acquired(ok, err))
			left, err := admin.PTTL(ctx, prefix+"tiny "+ttl.String()).Result()
			if err != nil || left.Milliseconds() > want {
				t.Errorf("a lease of %v has %v left (error %v), want %d ms at most", ttl, left, err, want)
			}
			if _, err := l.Renew(ctx, "tiny "+ttl.String(), "one", ttl); err != nil {
				t.Errorf("Renew for %v: %v", ttl, err)
			}
		}
	})
	t.Run("is one key, under the prefix, which holds the token", func(t *testing.T) {
		must(t, acquired(l.Acquire(ctx, "lock:my report", "one", time.Minute)))
		if token, err := admin.Get(ctx, prefix+"lock:my report").Result(); token != "one" || err != nil {
			t.Errorf("the key holds %q, error %v", token, err)
		}
		other := open(t, server, &redislock.Options{Prefix: dbtest.RedisPrefix(t)})
		must(t, acquired(other.Acquire(ctx, "lock:my report", "two", time.Minute)))
	})
	t.Run("survives the release and the renewal of a stranger", func(t *testing.T) {
		must(t, acquired(l.Acquire(ctx, "mine", "one", time.Minute)))
		must(t, l.Release(ctx, "mine", "two"))
		must(t, l.Release(ctx, "nobody's", "two"))
		if ok, err := l.Renew(ctx, "mine", "two", time.Hour); ok || err != nil {
			t.Errorf("a stranger's Renew: %v, %v", ok, err)
		}
		if left, err := admin.PTTL(ctx, prefix+"mine").Result(); err != nil || left <= 0 || left > time.Minute {
			t.Errorf("%v are left, error %v", left, err)
		}
	})
	t.Run("is no lock if the key is something else", func(t *testing.T) {
		must(t, admin.HSet(ctx, prefix+"hash", "field", 1).Err())
		if ok, err := l.Acquire(ctx, "hash", "one", time.Minute); ok || err == nil || !strings.Contains(err.Error(), `acquire "hash"`) {
			t.Errorf("Acquire: %v, %v", ok, err)
		}
		if ok, err := l.Renew(ctx, "hash", "one", time.Minute); ok || err == nil {
			t.Errorf("Renew: %v, %v", ok, err)
		}
		if err := l.Release(ctx, "hash", "one"); err == nil {
			t.Error("Release succeeded")
		}
		must(t, admin.Del(ctx, prefix+"hash").Err())
	})
}

func acquired(ok bool, err error) error {
	if err == nil && !ok {
		err = errors.New("another has the lock")
	}
	return err
}

func TestServerFails(t *testing.T) {
	t.Parallel()
	t.Run("a restart that forgets the keys loses the locks", func(t *testing.T) {
		t.Parallel()
		r := dbtest.OwnRedis(t, nil)
		l := open(t, r.URL(), nil)
		must(t, acquired(l.Acquire(t.Context(), "a", "one", time.Minute)))
		must(t, r.Restart(t.Context(), servers.Immediate))
		if ok, err := l.Renew(t.Context(), "a", "one", time.Minute); ok || err != nil {
			t.Errorf("Renew: %v, %v; want that it is lost, which is no error", ok, err)
		}
		must(t, acquired(l.Acquire(t.Context(), "a", "two", time.Minute)))
	})
	t.Run("no server is an error, not a lock that is held", func(t *testing.T) {
		t.Parallel()
		r := dbtest.OwnRedis(t, nil)
		l := open(t, r.URL(), nil)
		must(t, acquired(l.Acquire(t.Context(), "a", "one", time.Minute)))
		r.Kill()
		if ok, err := l.Acquire(t.Context(), "b", "one", time.Minute); ok || err == nil {
			t.Errorf("Acquire: %v, %v", ok, err)
		}
		if ok, err := l.Renew(t.Context(), "a", "one", time.Minute); ok || err == nil {
			t.Errorf("Renew: %v, %v", ok, err)
		}
		if err := l.Release(t.Context(), "a", "one"); err == nil {
			t.Error("Release succeeded")
		}
		must(t, r.Start(t.Context()))
		soon(t, l, "a", "two") // go-redis may repeat the last error for a second
	})
	t.Run("a lease of gtf ends when the server forgets it", func(t *testing.T) {
		t.Parallel()
		r := dbtest.OwnRedis(t, nil)
		c := gtftest.Client(t, gtftest.NewStore(t), &gtf.Config{Locker: open(t, r.URL(), nil), LockTTL: 300 * time.Millisecond})
		lease, err := c.Lock(t.Context(), "report", nil)
		must(t, err)
		must(t, r.Restart(t.Context(), servers.Immediate))
		<-lease.Context().Done()
		if cause := context.Cause(lease.Context()); !errors.Is(cause, gtf.ErrLockHeld) {
			t.Errorf("it ended with %v", cause)
		}
		must(t, lease.Release())
	})
	t.Run("a replica takes over", func(t *testing.T) {
		t.Parallel()
		url, master := redistest.Sentinel(t)
		l := open(t, url, nil)
		must(t, acquired(l.Acquire(t.Context(), "a", "one", time.Minute)))
		must(t, acquired(l.Renew(t.Context(), "a", "one", time.Minute)))
		master.Kill()
		soon(t, l, "b", "one") // when the sentinel has chosen
	})
}

// soon takes a free lock of a server that is coming back.
func soon(t *testing.T, l *redislock.Locker, name, token string) {
	t.Helper()
	giveUp := time.Now().Add(time.Minute)
	for {
		ok, err := l.Acquire(t.Context(), name, token, time.Minute)
		if err == nil {
			must(t, acquired(ok, err))
			return
		}
		if time.Now().After(giveUp) {
			t.Fatal(err)
		}
		<-time.After(50 * time.Millisecond)
	}
}

func TestNetworkFails(t *testing.T) {
	t.Parallel()
	t.Run("calls end with their context, or after five seconds", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			m := miniredis.NewMiniRedis()
			net := redistest.NewNetwork(m)
			c := net.Client()
			l := redislock.New(c, nil)
			must(t, acquired(l.Acquire(t.Context(), "a", "one", time.Minute)))
			net.Cut()
			for _, limit := range []time.Duration{10 * time.Millisecond, time.Hour} {
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				began := time.Now()
				ok, err := l.Acquire(ctx, "b", "one", time.Minute)
				if took := time.Since(began); ok || err == nil || took > min(limit, 5*time.Second) {
					t.Errorf("Acquire with a limit of %v: %v, %v after %v", limit, ok, err, took)
				}
				began = time.Now()
				ok, err = l.Renew(ctx, "a", "one", time.Minute)
				if took := time.Since(began); ok || err == nil || took > min(limit, 5*time.Second) {
					t.Errorf("Renew with a limit of %v: %v, %v after %v", limit, ok, err, took)
				}
				began = time.Now()
				err = l.Release(ctx, "a", "one")
				if took := time.Since(began); err == nil || took > min(limit, 5*time.Second) {
					t.Errorf("Release with a limit of %v: %v after %v", limit, err, took)
				}
				cancel()
			}
			net.Heal()
			must(t, l.Close())
			must(t, c.Ping(t.Context()).Err()) // the caller's client goes on
			must(t, c.Close())
			m.Close()
		})
	})
	t.Run("an answer that is lost does not lose the lock", func(t *testing.T) {
		t.Parallel()
		proxy, through := dbtest.Proxy(t, dbtest.Redis(t))
		l := open(t, through, &redislock.Options{Prefix: dbtest.RedisPrefix(t)})
		must(t, acquired(l.Acquire(t.Context(), "other", "one", time.Minute))) // connected
		proxy.CutReplies()
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if ok, err := l.Acquire(ctx, "a", "one", time.Minute); ok || err == nil {
			t.Errorf("Acquire without an answer: %v, %v", ok, err)
		}
		proxy.Reset()
		proxy.Heal()
		must(t, acquired(l.Acquire(t.Context(), "a", "one", time.Minute))) // whether it had been taken or not
		if ok, err := l.Acquire(t.Context(), "a", "two", time.Minute); ok || err != nil {
			t.Errorf("Acquire by another: %v, %v", ok, err)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	m.RequireAuth("secret")
	for _, url := range []string{
		"redis://:hunter2@" + m.Addr(), "redis://:hunter2/@" + m.Addr(), "redis://:hunter2@a,b", "hunter2",
	} {
		l, err := redislock.Open(t.Context(), url, nil)
		if err == nil {
			must(t, l.Close())
			t.Errorf("Open of %s succeeded", url)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	l, err := redislock.Open(t.Context(), dbtest.Redis(t), &redislock.Options{Prefix: dbtest.RedisPrefix(t)})
	must(t, err)
	must(t, errors.Join(l.Close(), l.Close()))
	if ok, err := l.Acquire(t.Context(), "a", "one", time.Minute); ok || !errors.Is(err, redis.ErrClosed) {
		t.Errorf("Acquire after Close: %v, %v", ok, err)
	}
}
