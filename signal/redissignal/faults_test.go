package redissignal

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/dbtest"
	"github.com/globaltask/gtf/internal/redistest"
	"github.com/globaltask/gtf/internal/servers"
)

func TestServerFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		broken func(t *testing.T, r *servers.Redis)
		mended func(t *testing.T, r *servers.Redis)
	}{
		{
			"killed and started again",
			func(_ *testing.T, r *servers.Redis) { r.Kill() },
			func(t *testing.T, r *servers.Redis) { must(t, r.Start(t.Context())) },
		},
		{
			"stopped in order and started again",
			func(t *testing.T, r *servers.Redis) { must(t, r.Halt(t.Context(), servers.Fast)) },
			func(t *testing.T, r *servers.Redis) { must(t, r.Start(t.Context())) },
		},
		{
			"frozen for a while",
			func(t *testing.T, r *servers.Redis) { must(t, r.Pause()) },
			func(t *testing.T, r *servers.Redis) { must(t, r.Continue()) },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := dbtest.OwnRedis(t, nil)
			a, b := hasty(open(t, r.URL(), nil)), hasty(open(t, r.URL(), nil))
			ears := []*ear{listen(t, a), listen(t, a), listen(t, b)}
			for round := range 3 {
				for _, e := range ears {
					e.linked(t)
				}
				goThrough(t, a, ears[2])
				goThrough(t, b, ears[1])
				tt.broken(t, r)
				for _, e := range ears {
					if err := e.broken(t); strings.Contains(err.Error(), "hunter2") {
						t.Errorf("round %d: told %v", round, err)
					}
				}
				tt.mended(t, r)
			}
			for _, e := range ears {
				e.linked(t)
			}
			goThrough(t, a, ears[2])
		})
	}
}

func TestNetworkFails(t *testing.T) {
	t.Parallel()
	t.Run("a listener notices that nothing arrives, and when it does again", func(t *testing.T) {
		t.Parallel()
		proxy, through := dbtest.Proxy(t, dbtest.Redis(t))
		s := hasty(open(t, through, &Options{Prefix: dbtest.RedisPrefix(t)}))
		e := listen(t, s)
		for _, cut := range []func(){proxy.Cut, proxy.CutReplies, proxy.Reset} {
			e.linked(t)
			goThrough(t, s, e)
			_, before := e.all()
			cut()
			e.until(t, "an error", func() bool { return len(e.links) > len(before) })
			proxy.Heal()
			e.linked(t)
		}
		goThrough(t, s, e)
	})
	t.Run("Listen returns at once, and Close soon, while nothing arrives", func(t *testing.T) {
		t.Parallel()
		proxy, through := dbtest.Proxy(t, dbtest.Redis(t))
		s := open(t, through, &Options{Prefix: dbtest.RedisPrefix(t)})
		connected := listen(t, s)
		connected.linked(t)
		proxy.Cut()
		connecting := listen(t, s)
		for _, e := range []*ear{connected, connecting} {
			began := time.Now()
			e.stop()
			if took := time.Since(began); took > time.Second { // pace_test.go has it exactly
				t.Errorf("Listen returned after %v", took)
			}
		}
		began := time.Now()
		closeSignals(t, s)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("Close returned after %v", took)
		}
	})
	t.Run("a listener that begins without a server is told so, and finds it", func(t *testing.T) {
		t.Parallel()
		r := dbtest.OwnRedis(t, nil)
		must(t, r.Halt(t.Context(), servers.Fast))
		s := hasty(open(t, r.URL(), nil))
		e := listen(t, s)
		if err := e.broken(t); !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("told %v", err)
		}
		if err := s.Publish(t.Context(), []gtf.Signal{{Kind: gtf.SignalAny}}); err == nil {
			t.Error("Publish without a server succeeded")
		}
		must(t, r.Start(t.Context()))
		e.linked(t)
		goThrough(t, s, e)
	})
}

func TestSentinelFailsOver(t *testing.T) {
	t.Parallel()
	url, master := redistest.Sentinel(t)
	s := hasty(open(t, url, nil))
	e := listen(t, s)
	e.linked(t)
	goThrough(t, s, e)
	master.Kill()
	_ = e.broken(t)
	e.linked(t)
	goThrough(t, s, e)
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	r := dbtest.OwnRedis(t, nil)
	o, err := redis.ParseURL(r.URL())
	must(t, err)
	admin := redis.NewClient(o)
	t.Cleanup(func() { _ = admin.Close() }) // nothing to lose
	as := func(user string) string {
		u, err := url.Parse(r.URL())
		must(t, err)
		u.User = url.UserPassword(user, "hunter2")
		return u.String()
	}
	grant := func(user string, rules ...any) {
		must(t, admin.Do(t.Context(), append([]any{"ACL", "SETUSER", user, "reset", "on", ">hunter2"}, rules...)...).Err())
	}

	// As docs/how-to/redis.md has it.
	grant("gtf", "~gtf:*", "&gtf:*", "+ping", "+client|setname", "+publish", "+subscribe",
		"+evalsha", "+eval", "+set", "+get", "+pexpire", "+del")
	s := hasty(open(t, as("gtf"), nil))
	e := listen(t, s)
	e.linked(t)
	goThrough(t, s, e)
	if _, links := e.all(); len(links) != 1 {
		t.Errorf("the listener was told %v", links)
	}

	// What it may not is told.
	grant("deaf", "&gtf:*", "+@all", "-subscribe")
	if err := listen(t, hasty(open(t, as("deaf"), nil))).broken(t); !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("who may not subscribe was told %v", err)
	}
	grant("dumb", "&gtf:*", "+@all", "-publish")
	dumb := hasty(open(t, as("dumb"), nil))
	if err := listen(t, dumb).broken(t); !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("who may not publish was told %v", err)
	}
	if err := dumb.Publish(t.Context(), []gtf.Signal{{Kind: gtf.SignalAny}}); !redis.IsPermissionError(err) {
		t.Errorf("who may not publish got %v", err)
	}

	// A password that is changed.
	grant("gtf", ">other", "<hunter2", "~gtf:*", "&gtf:*", "+@all")
	must(t, admin.Do(t.Context(), "CLIENT", "KILL", "USER", "gtf").Err())
	err = e.broken(t)
	for strings.Contains(err.Error(), "EOF") || strings.Contains(err.Error(), "reset") { // first, that the connection ended
		_, before := e.all()
		e.until(t, "the next error", func() bool { return len(e.links) > len(before) })
		err = e.broken(t)
	}
	if !strings.Contains(err.Error(), "WRONGPASS") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("with a wrong password it was told %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	m.RequireAuth("secret")
	for _, url := range []string{
		"redis://:hunter2@" + m.Addr(), "redis://:hunter2/@" + m.Addr(), "redis://:hunter2@a,b", "hunter2",
	} {
		s, err := Open(t.Context(), url, nil)
		if err == nil {
			closeSignals(t, s)
			t.Errorf("Open of %s succeeded", url)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

func TestChannels(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	t.Run("of two prefixes are apart, whatever the database", func(t *testing.T) {
		t.Parallel()
		one, other := &Options{Prefix: "one:"}, &Options{Prefix: "other:"}
		a, b := open(t, "redis://"+m.Addr()+"/0", one), open(t, "redis://"+m.Addr()+"/0", other)
		here, there := listen(t, a), listen(t, b)
		elsewhere := listen(t, open(t, "redis://"+m.Addr()+"/5", one)) // channels know no databases
		for _, e := range []*ear{here, there, elsewhere} {
			e.linked(t)
		}
		goThrough(t, a, here)
		goThrough(t, a, elsewhere)
		goThrough(t, b, there)
		if heard, _ := there.all(); len(heard) > 1 {
			t.Errorf("heard %v of another prefix", heard)
		}
	})
	t.Run("carry nothing of strangers to listeners", func(t *testing.T) {
		t.Parallel()
		s := open(t, "redis://"+m.Addr(), &Options{Prefix: "garbage:"})
		e := listen(t, s)
		e.linked(t)
		stranger := redis.NewClient(&redis.Options{Addr: m.Addr()})
		defer stranger.Close()
		for _, text := range []string{
			"", "hello", "*", "w\n", "=%zz\n*", "=a\nf12\n", "=\nfxyz", strings.Repeat("\x00", 1<<20), "{\"id\":7}", "1",
		} {
			if n, err := stranger.Publish(t.Context(), "garbage:signals", text).Result(); n != 1 || err != nil {
				t.Fatalf("%d received the garbage, error %v", n, err)
			}
		}
		goThrough(t, s, e)
		if heard, links := e.all(); len(heard) != 1 || len(links) != 1 {
			t.Errorf("heard %v and was told %v, want one signal and one link", heard, links)
		}
	})
	t.Run("carry batches of any size and odd names", func(t *testing.T) {
		t.Parallel()
		s := open(t, "redis://"+m.Addr(), &Options{Prefix: "large:"})
		e := listen(t, s)
		e.linked(t)
		var batch []gtf.Signal
		for i := range 20_000 {
			batch = append(batch, gtf.Signal{Kind: gtf.SignalWork, Queue: fmt.Sprint("queue\n=", i), Origin: "client"})
		}
		must(t, s.Publish(t.Context(), batch))
		e.hears(t, batch[len(batch)-1])
		if heard, _ := e.all(); len(heard) != len(batch) {
			t.Errorf("heard %d signals of %d", len(heard), len(batch))
		}
	})
}

func TestClose(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	s := New(client, nil)
	e := listen(t, s)
	e.linked(t)
	e.stop()
	must(t, errors.Join(s.Close(), s.Close()))
	if err := s.Publish(t.Context(), []gtf.Signal{{Kind: gtf.SignalAny}}); !errors.Is(err, redis.ErrClosed) {
		t.Errorf("Publish after Close: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := client.Ping(ctx).Err(); err != nil {
		t.Errorf("the caller's client was closed, too: %v", err)
	}
	must(t, client.Close())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
