package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/globaltask/gtf"
)

// Spread is how long something took: of all samples, the given part was at least as quick.
type Spread struct {
	Samples int     `json:"samples"`
	P50     float64 `json:"p50_ms"`
	P95     float64 `json:"p95_ms"`
	P99     float64 `json:"p99_ms"`
}

func spread(samples []time.Duration) Spread {
	slices.Sort(samples)
	at := func(part float64) float64 {
		if len(samples) == 0 {
			return 0
		}
		i := int(part*float64(len(samples))+0.999999) - 1 // nearest rank
		return float64(samples[min(max(i, 0), len(samples)-1)].Nanoseconds()) / 1e6
	}
	return Spread{Samples: len(samples), P50: at(0.50), P95: at(0.95), P99: at(0.99)}
}

const (
	startSamples  = 1000
	cancelSamples = 300
)

// submitToStart measures from the call of Schedule to the first line of the function, one task after the other.
func (b *bench) submitToStart(ctx context.Context, r *Report) error {
	b.opts.Say("submit to start")
	started := make(chan time.Time, 1)
	handler := noop.Handler(func(context.Context, struct{}) (struct{}, error) {
		started <- time.Now()
		return struct{}{}, nil
	})
	queue := b.queue("start")
	samples, err := b.sample(ctx, min(startSamples, b.opts.Tasks), queue, handler, func(c *gtf.Client) (time.Duration, error) {
		began := time.Now()
		h, err := noop.Schedule(ctx, c, struct{}{}, &gtf.ScheduleOpts{Queue: queue})
		if err != nil {
			return 0, err
		}
		at, err := receive(ctx, started)
		if err != nil {
			return 0, err
		}
		_, err = h.Wait(ctx) // so that its last write is not in the way of the next
		return at.Sub(began), err
	})
	r.SubmitToStart = spread(samples)
	return err
}

var wait = gtf.Define[struct{}, struct{}]("bench.wait", &gtf.DefineOpts[struct{}]{
	Scope: gtf.ScopeSystem, Description: "Waits to be cancelled, for measuring",
})

// cancelToAbort measures from the call of Cancel to the first line of the abort handler, one task after the other.
func (b *bench) cancelToAbort(ctx context.Context, r *Report) error {
	b.opts.Say("cancel to abort handler")
	ready, aborted := make(chan time.Time, 1), make(chan time.Time, 1)
	handler := wait.Handler(func(ctx context.Context, _ struct{}) (struct{}, error) {
		gtf.FromContext(ctx).OnAbort(func(context.Context) error {
			aborted <- time.Now()
			return nil
		})
		ready <- time.Now()
		<-ctx.Done()
		return struct{}{}, ctx.Err()
	})
	queue := b.queue("cancel")
	samples, err := b.sample(ctx, min(cancelSamples, b.opts.Tasks), queue, handler, func(c *gtf.Client) (time.Duration, error) {
		h, err := wait.Schedule(ctx, c, struct{}{}, &gtf.ScheduleOpts{Queue: queue})
		if err != nil {
			return 0, err
		}
		if _, err := receive(ctx, ready); err != nil {
			return 0, err
		}
		began := time.Now()
		if _, err := h.Cancel(ctx, nil); err != nil {
			return 0, err
		}
		at, err := receive(ctx, aborted)
		if err != nil {
			return 0, err
		}
		if _, err := h.Wait(ctx); !errors.Is(err, gtf.ErrAborted) {
			return 0, fmt.Errorf("cancelled task: %w", err)
		}
		return at.Sub(began), nil
	})
	r.CancelToAbort = spread(samples)
	return err
}

// sample measures the same again and again with one worker.
func (b *bench) sample(ctx context.Context, n int, queue string, h gtf.Handler, once func(*gtf.Client) (time.Duration, error)) (samples []time.Duration, err error) {
	worker, err := b.client(queue, nil, h)
	if err != nil {
		return nil, err
	}
	if err := worker.Start(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, worker.Stop(context.WithoutCancel(ctx))) }()
	submitter, stop, err := b.submitter(worker)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop(context.WithoutCancel(ctx))) }()
	for range n {
		took, err := once(submitter)
		if err != nil {
			return nil, err
		}
		samples = append(samples, took)
	}
	return samples, nil
}

func receive(ctx context.Context, from <-chan time.Time) (time.Time, error) {
	select {
	case t := <-from:
		return t, nil
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	}
}

// counting is what a store may offer: how many statements it has sent so far.
type counting interface{ Statements() int64 }

// idle counts the statements of a worker that has nothing to do.
func (b *bench) idle(ctx context.Context, r *Report) error {
	counter, ok := b.store.(counting)
	if !ok || b.opts.Idle == gtf.None {
		return nil
	}
	b.opts.Say(fmt.Sprintf("statements of an idle worker, %v", b.opts.Idle))
	c, err := b.client(b.queue("idle"), nil, noop.Handler(func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }))
	if err != nil {
		return err
	}
	if err := c.Start(ctx); err != nil {
		return err
	}
	err = pause(ctx, settling)
	before, began := counter.Statements(), time.Now()
	if err == nil {
		err = pause(ctx, b.opts.Idle)
	}
	perSecond := float64(counter.Statements()-before) / time.Since(began).Seconds()
	r.IdleStatements = &perSecond
	return errors.Join(err, c.Stop(context.WithoutCancel(ctx)))
}

// settling is how long a worker may take to find that there is nothing to do.
const settling = time.Second

func pause(ctx context.Context, d time.Duration) error {
	over := time.NewTimer(d)
	defer over.Stop()
	select {
	case <-over.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
