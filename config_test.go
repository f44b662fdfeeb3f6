package gtf_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/globaltask/gtf"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	t.Run("nil is the defaults of S18", func(t *testing.T) {
		t.Parallel()
		c, err := gtf.New(open(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Stop(t.Context()) }()
		got := c.Config()
		for what, pair := range map[string][2]any{
			"throttle": {got.Throttle, 2 * time.Second}, "heartbeat": {got.Heartbeat, 5 * time.Second}, "fence": {got.FenceAfter, 20 * time.Second},
			"worker timeout": {got.WorkerTimeout, 30 * time.Second}, "grace": {got.Grace, 30 * time.Second},
			"handler timeout": {got.HandlerTimeout, 30 * time.Second}, "looks": {got.LookInterval, 30 * time.Second},
			"looks without signals": {got.LookPolling, 2 * time.Second}, "claims": {got.ClaimInterval, 5 * time.Second},
			"claims without signals": {got.ClaimPolling, 2 * time.Second}, "retention": {got.Retention, 90 * 24 * time.Hour},
			"lock TTL": {got.LockTTL, 30 * time.Second}, "stack traces": {got.ShowStackTrace, false}, "input": {got.MaxInput, 1 << 20},
			"payload": {got.MaxPayload, 1 << 20}, "result": {got.MaxResult, 1 << 20}, "attempts": {got.MaxAttempts, 1},
			"disabled": {got.Disabled, false}, "queues": {len(got.Queues), 1},
		} {
			if pair[0] != pair[1] {
				t.Errorf("%s is %v, want %v", what, pair[0], pair[1])
			}
		}
		if !c.Enabled() || got.Logger == nil {
			t.Error("it is off, or logs nowhere")
		}
	})
	for name, tt := range map[string]struct {
		cfg   gtf.Config
		field string
		names []string
	}{
		"a fence as late as the worker timeout":  {gtf.Config{FenceAfter: 30 * time.Second}, "fence_after", []string{"fence_after", "worker_timeout"}},
		"a worker timeout as early as the fence": {gtf.Config{WorkerTimeout: 20 * time.Second}, "fence_after", []string{"fence_after", "worker_timeout"}},
		"a heartbeat three of which do not fit":  {gtf.Config{Heartbeat: 7 * time.Second}, "heartbeat", []string{"heartbeat", "fence_after"}},
		"a backoff that falls":                   {gtf.Config{Backoff: gtf.Backoff{Base: time.Hour, Max: time.Minute}}, "backoff.base", []string{"backoff.base", "backoff.max"}},
	} {
		t.Run(name+" is refused with both names (S18)", func(t *testing.T) {
			t.Parallel()
			_, err := gtf.New(open(t), &tt.cfg)
			wantProblems(t, err, tt.field)
			for _, part := range tt.names {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("%v does not name %s", err, part)
				}
			}
		})
	}
	for field, cfg := range map[string]gtf.Config{
		"throttle": {Throttle: -2}, "timeout": {Timeout: -2}, "retention": {Retention: -2}, "grace": {Grace: -2},
		"lock_ttl": {LockTTL: gtf.None}, "handler_timeout": {HandlerTimeout: gtf.None}, "look_interval": {LookInterval: gtf.None},
		"look_polling": {LookPolling: gtf.None}, "claim_interval": {ClaimInterval: gtf.None}, "claim_polling": {ClaimPolling: gtf.None},
		"stuck_after": {StuckAfter: gtf.None}, "max_input": {MaxInput: -1}, "max_payload": {MaxPayload: -1}, "max_result": {MaxResult: -1},
		"max_attempts": {MaxAttempts: 101}, `queues["q"]`: {Queues: map[string]int{"q": 0}}, "queues": {Queues: map[string]int{"": 1}},
		`queues["r"]`: {Queues: map[string]int{"r": 100_001}},
	} {
		t.Run("a bad "+field+" is refused (S18)", func(t *testing.T) {
			t.Parallel()
			_, err := gtf.New(open(t), &cfg)
			wantProblems(t, err, field)
		})
	}
	t.Run("every problem is listed (S4.9)", func(t *testing.T) {
		t.Parallel()
		_, err := gtf.New(open(t), &gtf.Config{Throttle: -2, MaxInput: -1, LockTTL: -3})
		wantProblems(t, err, "throttle", "max_input", "lock_ttl")
	})
	t.Run("none is taken where there may be none (S2.4)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), &gtf.Config{Throttle: gtf.None, Timeout: gtf.None, Retention: gtf.None, Grace: gtf.None})
		if got := c.Config(); got.Throttle != gtf.None || got.Grace != gtf.None {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("may be changed by the caller afterwards, without effect", func(t *testing.T) {
		t.Parallel()
		cfg := &gtf.Config{Queues: map[string]int{"a": 1}}
		c := newClient(t, open(t), cfg)
		cfg.Queues["a"] = 100
		cfg.Queues["b"] = 1
		if got := c.Config().Queues; len(got) != 1 || got["a"] != 1 {
			t.Errorf("the queues are %v", got)
		}
		c.Config().Queues["a"] = 50
		if got := c.Config().Queues; got["a"] != 1 {
			t.Errorf("what Config returned changed the client: %v", got)
		}
	})
}

func TestClientStarts(t *testing.T) {
	t.Parallel()
	t.Run("once, and not after Stop (S12)", func(t *testing.T) {
		t.Parallel()
		c := startClient(t, open(t), nil)
		if err := c.Start(t.Context()); err == nil {
			t.Error("it started twice")
		}
		for range 2 {
			if err := c.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		}
		wantErr(t, "Start after Stop", c.Start(t.Context()), gtf.ErrStopped)
	})
	t.Run("not if the store cannot be reached, and may try again (S12)", func(t *testing.T) {
		t.Parallel()
		store := &unregistered{Store: open(t)}
		store.down.Store(true)
		c := newClient(t, store, executes(echo))
		wantErr(t, "Start", c.Start(t.Context()), errDown)
		_, err := privateWork.Run(as(t.Context(), "ada"), c, "key", nil)
		wantErr(t, "Run", err, errDown)
		wantNothing(t, c)
		store.down.Store(false)
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if out := must[string](t)(schedule(as(t.Context(), "ada"), t, c, privateWork, "key", nil).Wait(t.Context())); out != "key" {
			t.Errorf("got %q", out)
		}
	})
	t.Run("two of one store in one process work side by side (S12)", func(t *testing.T) {
		t.Parallel()
		store := open(t)
		a, b := startClient(t, store, executes(echo)), startClient(t, store, executes(echo))
		if n := len(must[[]gtf.Worker](t)(a.Workers(t.Context()))); n != 2 {
			t.Errorf("%d workers, want 2", n)
		}
		for range 20 {
			must[string](t)(systemWork.Run(t.Context(), b, "key", nil))
		}
	})
}

// unregistered is a store that takes no workers while it is down.
type unregistered struct {
	gtf.Store
	down atomic.Bool
}

func (u *unregistered) Register(ctx context.Context, w *gtf.Worker) error {
	if u.down.Load() {
		return errDown
	}
	return u.Store.Register(ctx, w)
}
