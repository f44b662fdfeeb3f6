// Package bench measures what a store and the machine below it can do with tasks that do nothing.
//
// Everything happens in one process: submitting, executing and waiting. What it leaves in the store are ended tasks of
// the types bench.noop and bench.wait.
package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/globaltask/gtf"
)

// Options says what to measure.
type Options struct {
	// Apart submits and cancels where latencies are measured, over connections of its own, as another process would. Default:
	// the client that also works.
	Apart *Peer
	// Callers are the numbers of callers at once, each measured by itself. Default 8 and 100.
	Callers []int
	// Idle is how long statements are counted in a worker without work; gtf.None skips that. Default 10 s.
	Idle time.Duration
	// Say is told what is being measured. Default nobody.
	Say func(text string)
	// Signals connect the clients. Default: those of the store.
	Signals gtf.Signals
	// Slots of the worker. Default 100.
	Slots int
	// Tasks of each measurement. Default 10,000.
	Tasks int
}

// Peer is another way to the same tasks.
type Peer struct {
	Store   gtf.Store
	Signals gtf.Signals // nil: those of the store
}

// Report is what was measured.
type Report struct {
	Tasks          int      `json:"tasks"` // of each measurement
	Slots          int      `json:"slots"`
	Submit         []Rate   `json:"submit"` // one by one
	SubmitMany     Rate     `json:"submit_many"`
	FullQueue      Rate     `json:"full_queue"` // from the start of the worker to the last outcome stored
	Mixed          []Rate   `json:"mixed"`      // submitted and executed at once, to the last outcome stored
	SubmitToStart  Spread   `json:"submit_to_start"`
	CancelToAbort  Spread   `json:"cancel_to_handler"`
	IdleStatements *float64 `json:"idle_statements_per_second"` // nil: not counted
	PeakMemory     int64    `json:"peak_memory_bytes"`          // of this process; 0 if unknown
}

// Rate is how many tasks went through.
type Rate struct {
	Callers   int     `json:"callers,omitempty"`
	Tasks     int     `json:"tasks"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"tasks_per_second"`
}

func rate(callers, tasks int, took time.Duration) Rate {
	return Rate{Callers: callers, Tasks: tasks, Seconds: took.Seconds(), PerSecond: float64(tasks) / took.Seconds()}
}

var noop = gtf.Define[struct{}, struct{}]("bench.noop", &gtf.DefineOpts[struct{}]{
	Scope: gtf.ScopeSystem, Description: "Does nothing, for measuring",
})

// bench is one run.
type bench struct {
	store gtf.Store
	opts  Options
	id    string // tells this run's queues from those of others
}

// Run measures. The store must be empty for figures that can be compared.
func Run(ctx context.Context, store gtf.Store, opts *Options) (*Report, error) {
	b := &bench{store: store, id: gtf.NewID().String()}
	if opts != nil {
		b.opts = *opts
	}
	b.opts.fill()
	r := &Report{Tasks: b.opts.Tasks, Slots: b.opts.Slots}
	for _, step := range []func(context.Context, *Report) error{
		b.submits, b.submitMany, b.fullQueue, b.mixed, b.submitToStart, b.cancelToAbort, b.idle,
	} {
		if err := step(ctx, r); err != nil {
			return nil, err
		}
	}
	r.PeakMemory = peakMemory()
	return r, nil
}

func (o *Options) fill() {
	if len(o.Callers) == 0 {
		o.Callers = []int{8, 100}
	}
	if o.Idle == 0 {
		o.Idle = 10 * time.Second
	}
	if o.Slots == 0 {
		o.Slots = 100
	}
	if o.Tasks == 0 {
		o.Tasks = 10_000
	}
	if o.Say == nil {
		o.Say = func(string) {}
	}
}

// queue is one that no other worker works on.
func (b *bench) queue(name string) string { return "bench-" + name + "-" + b.id }

// client makes one for a measurement, and start also a worker on a queue.
func (b *bench) client(queue string, observer gtf.Observer, handlers ...gtf.Handler) (*gtf.Client, error) {
	return gtf.New(b.store, &gtf.Config{
		Handlers: handlers, Logger: slog.New(slog.DiscardHandler), Observer: observer,
		Queues: map[string]int{queue: b.opts.Slots}, Retention: gtf.None, Signals: b.opts.Signals,
	})
}

// submitter is the client beside a worker: the worker's own, or one that is apart.
func (b *bench) submitter(worker *gtf.Client) (c *gtf.Client, stop func(context.Context) error, err error) {
	peer := b.opts.Apart
	if peer == nil {
		return worker, func(context.Context) error { return nil }, nil
	}
	c, err = gtf.New(peer.Store, &gtf.Config{Logger: slog.New(slog.DiscardHandler), Retention: gtf.None, Signals: peer.Signals})
	if err != nil {
		return nil, nil, err
	}
	return c, c.Stop, nil
}

// submitAll has so many callers submit the tasks between them, each one after the other.
func (b *bench) submitAll(ctx context.Context, c *gtf.Client, queue string, callers int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var next atomic.Int64
	for range callers {
		wg.Go(func() {
			for next.Add(1) <= int64(b.opts.Tasks) {
				if _, err := noop.Schedule(ctx, c, struct{}{}, &gtf.ScheduleOpts{Queue: queue}); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// submits fills the queue, one task a call.
func (b *bench) submits(ctx context.Context, r *Report) error {
	for _, callers := range b.opts.Callers {
		b.opts.Say(fmt.Sprintf("submit one by one, %d callers", callers))
		c, err := b.client(b.queue("full"), nil)
		if err != nil {
			return err
		}
		began := time.Now()
		err = b.submitAll(ctx, c, b.queue("full"), callers)
		r.Submit = append(r.Submit, rate(callers, b.opts.Tasks, time.Since(began)))
		if err = errors.Join(err, c.Stop(ctx)); err != nil {
			return fmt.Errorf("submit one by one: %w", err)
		}
	}
	return nil
}

// submitMany fills the queue further, a thousand tasks a call.
func (b *bench) submitMany(ctx context.Context, r *Report) error {
	b.opts.Say("submit many")
	c, err := b.client(b.queue("full"), nil)
	if err != nil {
		return err
	}
	opts := &gtf.ScheduleOpts{Queue: b.queue("full")}
	began := time.Now()
	for left := b.opts.Tasks; left > 0 && err == nil; left -= 1000 {
		items := make([]gtf.Item[struct{}], min(left, 1000))
		for i := range items {
			items[i].Opts = opts
		}
		_, err = noop.ScheduleMany(ctx, c, items)
	}
	r.SubmitMany = rate(1, b.opts.Tasks, time.Since(began))
	if err = errors.Join(err, c.Stop(ctx)); err != nil {
		return fmt.Errorf("submit many: %w", err)
	}
	return nil
}

// fullQueue runs what the measurements before have submitted.
func (b *bench) fullQueue(ctx context.Context, r *Report) error {
	tasks := b.opts.Tasks * (len(b.opts.Callers) + 1)
	b.opts.Say(fmt.Sprintf("run %d tasks from a full queue, %d slots", tasks, b.opts.Slots))
	took, err := b.work(ctx, b.queue("full"), tasks, nil)
	r.FullQueue = rate(0, tasks, took)
	if err != nil {
		return fmt.Errorf("run from a full queue: %w", err)
	}
	return nil
}

func (b *bench) mixed(ctx context.Context, r *Report) error {
	for _, callers := range b.opts.Callers {
		b.opts.Say(fmt.Sprintf("submit and run at once, %d callers, %d slots", callers, b.opts.Slots))
		queue := b.queue(fmt.Sprintf("mixed-%d", callers))
		took, err := b.work(ctx, queue, b.opts.Tasks, func(c *gtf.Client) error { return b.submitAll(ctx, c, queue, callers) })
		if err != nil {
			return fmt.Errorf("submit and run at once: %w", err)
		}
		r.Mixed = append(r.Mixed, rate(callers, b.opts.Tasks, took))
	}
	return nil
}

// work runs a worker, and beside it the submitting, until so many outcomes are stored.
func (b *bench) work(ctx context.Context, queue string, tasks int, submit func(*gtf.Client) error) (time.Duration, error) {
	done := &outcomes{want: int64(tasks), reached: make(chan struct{})}
	c, err := b.client(queue, done, noop.Handler(func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }))
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := c.Start(ctx); err != nil {
		return 0, err
	}
	if submit != nil {
		err = submit(c)
	}
	if err == nil {
		select {
		case <-done.reached:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	took := time.Since(began)
	return took, errors.Join(err, c.Stop(context.WithoutCancel(ctx)))
}

// outcomes counts what was stored as ended.
type outcomes struct {
	want    int64
	got     atomic.Int64
	reached chan struct{}
}

// Observe implements gtf.Observer.
func (o *outcomes) Observe(e gtf.Event) {
	if e.Kind == gtf.EventTransition && e.Status.Terminal() && o.got.Add(1) == o.want {
		close(o.reached)
	}
}
