package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// contender is one framework. The tasks are all the same: no input to speak of, a function that returns at once, a
// result to be stored. A worker of it runs place.Slots tasks at once.
type contender interface {
	// Key chooses it on the command line; Name heads its column.
	Key() string
	Name() string
	// On is the server that it needs.
	On() engine
	// Prepare makes its tables in an empty database, and a client that submits.
	Prepare(ctx context.Context, at *place) error
	// Submit stores one task and returns when it is stored. It is called by many goroutines at once.
	Submit(ctx context.Context) error
	// SubmitMany stores n tasks by one call; errors.ErrUnsupported if the framework has none for that.
	SubmitMany(ctx context.Context, n int) error
	// Work starts a worker. Its function calls t.run; whoever learns that an outcome is stored calls t.end.
	Work(ctx context.Context, t *tally) error
	// Stop ends the worker after its last task.
	Stop(ctx context.Context) error
	// Close gives back what Prepare took. The worker is stopped.
	Close(ctx context.Context) error
}

// polled is a contender that cannot call tally.end, because its framework does not tell when an outcome is stored. It is
// asked instead, after the last function has returned.
type polled interface {
	Unfinished(ctx context.Context) (int, error)
}

// engine is a kind of server.
type engine string

const (
	postgres engine = "PostgreSQL"
	redis    engine = "Redis"
)

// place is where a contender may work.
type place struct {
	DatabaseURL string // of a database of its own
	RedisURL    string
	Slots       int
}

// contenders are all that can be measured, in the order of the columns.
func contenders() []contender {
	return []contender{
		&gtfTasks{key: "gtf", name: "gtf"},
		&gtfTasks{key: "gtf-nobody", name: "gtf, no subscriber", nobody: true},
		&gtfTasks{key: "gtf-apart", name: "gtf, two clients", apart: true},
		&riverJobs{},
		&asynqTasks{},
		&dbosWorkflows{},
	}
}

// tally counts what one worker does.
type tally struct {
	ran, ended atomic.Int64
	first      atomic.Int64   // when the first function began, in nanoseconds of the epoch
	started    chan time.Time // if not nil, told of every beginning
}

// run is the whole function of a task.
func (t *tally) run() {
	now := time.Now()
	if t.ran.Add(1) == 1 {
		t.first.Store(now.UnixNano())
	}
	if t.started != nil {
		t.started <- now
	}
}

// end counts an outcome that is stored.
func (t *tally) end() { t.ended.Add(1) }

// took is how long ago the first function began.
func (t *tally) took() time.Duration { return time.Since(time.Unix(0, t.first.Load())) }

// glance is how often counters are looked at: short against what is measured, long against the work of looking.
const glance = time.Millisecond

// await returns when n outcomes are stored; for a polled contender n has to be all there are.
func (t *tally) await(ctx context.Context, c contender, n int64) error {
	count := &t.ended
	asked, ask := c.(polled)
	if ask {
		count = &t.ran
	}
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for count.Load() < n {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s has run %d and ended %d of %d tasks: %w", c.Key(), t.ran.Load(), t.ended.Load(), n, ctx.Err())
		}
	}
	for ask {
		left, err := asked.Unfinished(ctx)
		if err != nil || left == 0 {
			return err
		}
		<-tick.C
	}
	return nil
}
