package redissignal_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/gtftest"
	"github.com/globaltask/gtf/internal/dbtest"
	"github.com/globaltask/gtf/lock/redislock"
	"github.com/globaltask/gtf/signal/redissignal"
)

// What docs/how-to/redis.md shows.

var publish = gtf.Define[string, string]("catalog.publish", &gtf.DefineOpts[string]{Abortable: true, Scope: gtf.ScopeSystem})

// publisher lets one task at a time write to the printer, on whatever machine.
type publisher struct {
	client *gtf.Client
	alone  atomic.Int64
}

func (p *publisher) publish(ctx context.Context, name string) (string, error) {
	lease, err := p.client.Lock(ctx, "printer", nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = lease.Release() }() // lost with its server, or free
	if p.alone.Add(1) != 1 {
		return "", errors.New("not alone")
	}
	defer p.alone.Add(-1)
	if name == "endless" {
		<-ctx.Done()
		return "", context.Cause(ctx)
	}
	return name + ".pdf", nil
}

func run(ctx context.Context, url, prefix string, store gtf.Store, handlers ...gtf.Handler) (*gtf.Client, func(), error) {
	signals, err := redissignal.Open(ctx, url, &redissignal.Options{Prefix: prefix})
	if err != nil {
		return nil, nil, err
	}
	client, err := gtf.New(store, &gtf.Config{Signals: signals, Handlers: handlers})
	if err != nil {
		return nil, nil, errors.Join(err, signals.Close())
	}
	return client, func() { _ = signals.Close() }, nil
}

func TestOneClientForBoth(t *testing.T) {
	t.Parallel()
	o, err := redis.ParseURL(dbtest.Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	store, addr, prefix := gtftest.NewStore(t), o.Addr, dbtest.RedisPrefix(t)
	p := &publisher{}

	rdb := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: []string{addr}, ContextTimeoutEnabled: true})
	signals := redissignal.New(rdb, &redissignal.Options{Prefix: prefix})
	locks := redislock.New(rdb, &redislock.Options{Prefix: prefix})
	cfg := &gtf.Config{Signals: signals, Locker: locks}

	t.Cleanup(func() {
		if err := errors.Join(signals.Close(), locks.Close(), rdb.Close()); err != nil {
			t.Error(err)
		}
	})
	// Nobody looks without being told.
	cfg.ClaimInterval, cfg.ClaimPolling, cfg.LookInterval, cfg.LookPolling = time.Hour, time.Hour, time.Hour, time.Hour
	web := gtftest.Client(t, store, cfg)
	cfg.Handlers = []gtf.Handler{publish.Handler(p.publish)}
	p.client = gtftest.Client(t, store, cfg)
	if err := p.client.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for p.client.LinkError() != nil {
		<-time.After(time.Millisecond)
	}

	for range 3 {
		var handles []*gtf.Handle[string]
		for range 5 {
			h, err := publish.Schedule(t.Context(), web, "spring", nil)
			if err != nil {
				t.Fatal(err)
			}
			handles = append(handles, h)
		}
		for _, h := range handles {
			if got := gtftest.Wait(t, h); got != "spring.pdf" {
				t.Errorf("got %q", got)
			}
		}
	}
	endless, err := publish.Schedule(t.Context(), web, "endless", nil)
	if err != nil {
		t.Fatal(err)
	}
	gtftest.WaitStatus(t, web, endless.ID, gtf.StatusInProgress)
	if _, err := endless.Cancel(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := endless.Wait(t.Context()); !errors.Is(err, gtf.ErrAborted) {
		t.Errorf("Wait returned %v, want ErrAborted", err)
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	client, stop, err := run(t.Context(), dbtest.Redis(t), dbtest.RedisPrefix(t), gtftest.NewStore(t),
		publish.Handler(func(_ context.Context, name string) (string, error) { return name, nil }))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if err := client.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	h, err := publish.Schedule(t.Context(), client, "autumn", nil)
	if err != nil {
		t.Fatal(err)
	}
	gtftest.Wait(t, h)
	if err := client.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
