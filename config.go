package gtf

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"
)

// None says "no such limit" where zero means "inherit the default", for durations.
const None time.Duration = -1

// Config says how a client works; the zero value of each field is its default (S18).
type Config struct {
	// Backoff spaces the attempts of tasks that do not say otherwise. Default 1 s, doubling up to 10 min.
	Backoff Backoff
	// ClaimInterval is how often a worker looks for work without a signal, while signals arrive. Default 5 s.
	ClaimInterval time.Duration
	// ClaimPolling is the same without signals from other processes. Default 2 s.
	ClaimPolling time.Duration
	// Disabled starts the client switched off (S1). Default false.
	Disabled bool
	// Engine delivers the tasks, in place of the store's own queue. Every client of a store has the same. Default: the queue.
	Engine Engine
	// FenceAfter is how long a process works on without a successful heartbeat; then it gives up its claims. It must be
	// at least three times Heartbeat and less than WorkerTimeout. Default 20 s.
	FenceAfter time.Duration
	// Grace is how long Stop lets running tasks go on before it interrupts them. Default 30 s.
	Grace time.Duration
	// Handlers are what this process can execute: a worker claims no other types. Default none.
	Handlers []Handler
	// HandlerTimeout bounds the abort handlers of an execution together, and the cleanup handlers together. Default 30 s.
	HandlerTimeout time.Duration
	// Heartbeat is the interval between beats. Default 5 s.
	Heartbeat time.Duration
	// Locker keeps the locks of Client.Lock. Default: the store.
	Locker Locker
	// LockTTL is the lease of Client.Lock where the call names none. Default 30 s.
	LockTTL time.Duration
	// Logger gets what an operator wants to know. Default slog.Default().
	Logger *slog.Logger
	// LookInterval is how often waits look without a signal, while signals arrive. Default 30 s.
	LookInterval time.Duration
	// LookPolling is the same without signals from other processes. Default 2 s.
	LookPolling time.Duration
	// MaxAttempts of tasks that do not say otherwise, 1 to 100. Default 1.
	MaxAttempts int
	// MaxInput, MaxPayload and MaxResult are limits in bytes of JSON. Default 1 MiB each.
	MaxInput, MaxPayload, MaxResult int
	// Observer is told what happens, for metrics and traces; [Observers] makes one of several. Default none.
	Observer Observer
	// Queues are the queues that Start works on, with the tasks of each to run at once. Default {"default": 10}.
	Queues map[string]int
	// Retention is how long terminal tasks are kept; None keeps them for ever. Default 90 days.
	Retention time.Duration
	// ShowStackTrace shows stack traces and error types to everybody who sees the task. Default false: admins only.
	ShowStackTrace bool
	// Signals connects the processes. Default: those of the store, else within this process only.
	Signals Signals
	// StuckAfter is how long a function may ignore its ended context before that is logged and counted. Default 30 s.
	StuckAfter time.Duration
	// Throttle is the least time between two writes of one task's progress; None writes every report. Default 2 s.
	Throttle time.Duration
	// Timeout of tasks that do not say otherwise. Default None.
	Timeout time.Duration
	// Version is shown in the list of workers. Default empty.
	Version string
	// WorkerTimeout is how long a process may be silent before its tasks are taken from it. Default 30 s.
	WorkerTimeout time.Duration
}

// DefaultQueue is the queue of tasks that name none.
const DefaultQueue = "default"

// DefaultConfig returns a Config with every default filled in.
func DefaultConfig() *Config {
	return &Config{
		Backoff:        Backoff{Base: time.Second, Max: 10 * time.Minute},
		ClaimInterval:  5 * time.Second,
		ClaimPolling:   2 * time.Second,
		FenceAfter:     20 * time.Second,
		Grace:          30 * time.Second,
		HandlerTimeout: 30 * time.Second,
		Heartbeat:      5 * time.Second,
		LockTTL:        30 * time.Second,
		Logger:         slog.Default(),
		LookInterval:   30 * time.Second,
		LookPolling:    2 * time.Second,
		MaxAttempts:    1,
		MaxInput:       1 << 20,
		MaxPayload:     1 << 20,
		MaxResult:      1 << 20,
		Queues:         map[string]int{DefaultQueue: 10},
		Retention:      90 * 24 * time.Hour,
		StuckAfter:     30 * time.Second,
		Throttle:       2 * time.Second,
		Timeout:        None,
		WorkerTimeout:  30 * time.Second,
	}
}

// Check says what New would refuse about the settings: a [*ValidationError] or nil. nil cfg is the zero Config.
func (cfg *Config) Check() error {
	_, err := cfg.resolve()
	return err
}

// resolve fills the defaults and refuses what contradicts itself, naming both settings.
func (cfg *Config) resolve() (Config, error) {
	r, d := Config{}, DefaultConfig()
	if cfg != nil {
		r = *cfg
	}
	var bad problems
	for _, f := range []struct {
		name      string
		value     *time.Duration
		byDefault time.Duration
		none      bool // None is allowed
	}{
		{"backoff.base", &r.Backoff.Base, d.Backoff.Base, false},
		{"backoff.max", &r.Backoff.Max, max(d.Backoff.Max, r.Backoff.Base), false},
		{"claim_interval", &r.ClaimInterval, d.ClaimInterval, false},
		{"claim_polling", &r.ClaimPolling, d.ClaimPolling, false},
		{"fence_after", &r.FenceAfter, d.FenceAfter, false},
		{"grace", &r.Grace, d.Grace, true},
		{"handler_timeout", &r.HandlerTimeout, d.HandlerTimeout, false},
		{"heartbeat", &r.Heartbeat, d.Heartbeat, false},
		{"lock_ttl", &r.LockTTL, d.LockTTL, false},
		{"look_interval", &r.LookInterval, d.LookInterval, false},
		{"look_polling", &r.LookPolling, d.LookPolling, false},
		{"retention", &r.Retention, d.Retention, true},
		{"stuck_after", &r.StuckAfter, d.StuckAfter, false},
		{"throttle", &r.Throttle, d.Throttle, true},
		{"timeout", &r.Timeout, d.Timeout, true},
		{"worker_timeout", &r.WorkerTimeout, d.WorkerTimeout, false},
	} {
		if *f.value == 0 {
			*f.value = f.byDefault
		}
		if *f.value < 0 && (*f.value != None || !f.none) {
			bad.add(f.name, "is %v, must not be negative", *f.value)
		}
	}
	for _, f := range []struct {
		name      string
		value     *int
		byDefault int
	}{
		{"max_input", &r.MaxInput, d.MaxInput},
		{"max_payload", &r.MaxPayload, d.MaxPayload},
		{"max_result", &r.MaxResult, d.MaxResult},
		{"max_attempts", &r.MaxAttempts, d.MaxAttempts},
	} {
		if *f.value == 0 {
			*f.value = f.byDefault
		}
		if *f.value < 0 {
			bad.add(f.name, "is %d, must not be negative", *f.value)
		}
	}
	checkAttempts(&bad, "max_attempts", r.MaxAttempts)
	if r.FenceAfter >= r.WorkerTimeout {
		bad.add("fence_after", "is %v, must be less than worker_timeout (%v): a process must stop before its tasks are given away",
			r.FenceAfter, r.WorkerTimeout)
	}
	if 3*r.Heartbeat > r.FenceAfter {
		bad.add("heartbeat", "is %v, three of them must fit into fence_after (%v)", r.Heartbeat, r.FenceAfter)
	}
	if r.Backoff.Base > r.Backoff.Max {
		bad.add("backoff.base", "is %v, must not exceed backoff.max (%v)", r.Backoff.Base, r.Backoff.Max)
	}
	if r.Logger == nil {
		r.Logger = slog.Default()
	}
	if len(r.Queues) == 0 {
		r.Queues = d.Queues
	}
	r.Queues = maps.Clone(r.Queues)
	for _, name := range slices.Sorted(maps.Keys(r.Queues)) {
		checkQueueName(&bad, "queues", name)
		if n := r.Queues[name]; n < 1 || n > maxSlots {
			bad.add(fmt.Sprintf("queues[%q]", name), "has %d slots, must be 1 to %d", n, maxSlots)
		}
	}
	return r, bad.err()
}

const maxSlots = 100_000
