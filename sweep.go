package gtf

import (
	"context"
	"fmt"
	"time"
)

// How the house is kept (S13.2).
const (
	sweepLease    = "gtf:sweep"
	sweepBatch    = 500
	queuePasses   = 4 // tasks that waited too long are looked for in every fourth pass
	pruneEvery    = time.Hour
	pruneBatch    = 1000
	prunePerSweep = 100_000
)

// keepHouse reaps, ends what waited too long, and prunes, while this client holds the store's lease; one client at a time
// does it, and two at once would do no harm. An idle pass is one or two statements.
func (c *Client) keepHouse(ctx context.Context) {
	tick := time.NewTimer(jitter(c.cfg.Heartbeat))
	defer tick.Stop()
	h := housekeeper{c: c}
	defer h.resign(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			tick.Reset(jitter(c.cfg.Heartbeat))
		}
		if err := h.pass(ctx); err != nil && ctx.Err() == nil {
			c.observe(Event{Kind: EventFailed, Err: err})
			c.log.Warn("housekeeping failed; will try again", "error", err)
		}
	}
}

type housekeeper struct {
	c      *Client
	passes int
	until  time.Time // the lease is ours, by this process's clock
	pruned time.Time
}

// lead renews the lease when less than two passes of it are left. It ends a beat before a silent worker's time is up: where
// the two are one process, its successor is there in time.
func (h *housekeeper) lead(ctx context.Context) (bool, error) {
	if time.Until(h.until) > 2*h.c.cfg.Heartbeat {
		return true, nil
	}
	ttl := h.c.cfg.WorkerTimeout - h.c.cfg.Heartbeat
	asked := time.Now()
	leader, err := h.c.store.Acquire(ctx, sweepLease, h.c.id, ttl)
	if leader {
		h.until = asked.Add(ttl)
	}
	return leader, err
}

func (h *housekeeper) resign(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.c.cfg.Heartbeat)
	defer cancel()
	_ = h.c.store.Release(ctx, sweepLease, h.c.id) // else it ends by itself
}

func (h *housekeeper) pass(ctx context.Context) error {
	leader, err := h.lead(ctx)
	if err != nil || !leader {
		return err
	}
	c := h.c
	if err := c.sweep("reap lost workers", func() ([]Transition, error) {
		taken, err := c.store.Reap(ctx, c.cfg.WorkerTimeout, sweepBatch)
		for _, t := range taken {
			c.observe(Event{Kind: EventReaped, ID: t.ID, Type: t.Type, Queue: t.Queue, From: t.From, Status: t.To})
		}
		return taken, err
	}); err != nil {
		return err
	}
	if h.passes++; h.passes%queuePasses == 1 {
		if err := c.sweep("end tasks that waited too long", func() ([]Transition, error) {
			return c.store.ExpireQueued(ctx, sweepBatch)
		}); err != nil {
			return err
		}
		if err := c.requeue(ctx); err != nil {
			return err
		}
	}
	if c.cfg.Retention != None && time.Since(h.pruned) >= pruneEvery {
		if _, err := c.Prune(ctx, nil); err != nil {
			return err
		}
		h.pruned = time.Now()
	}
	return nil
}

// sweep takes batch after batch and announces what it took.
func (c *Client) sweep(what string, take func() ([]Transition, error)) error {
	for {
		taken, err := take()
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		for _, t := range taken {
			c.announceSweep(t)
		}
		if len(taken) < sweepBatch {
			return nil
		}
	}
}

// announceSweep sends what a change by housekeeping calls for: only the winner of the statement gets here.
func (c *Client) announceSweep(t Transition) {
	if t.To == StatusPending {
		c.hub.publish(Signal{Kind: SignalWork, Queue: t.Queue}, Signal{Kind: SignalChanged, ID: t.ID})
	} else {
		c.hub.publish(Signal{Kind: SignalFinished, ID: t.ID})
	}
	c.observe(Event{Kind: EventTransition, ID: t.ID, Type: t.Type, Queue: t.Queue, From: t.From, Status: t.To})
	c.log.Info("task ended by housekeeping", "task", t.ID, "type", t.Type, "status", t.To, "from", t.From, "worker", t.Worker)
}

// PruneOpts says what to delete.
type PruneOpts struct {
	// MaxRows is the most tasks of one call. Default 100,000.
	MaxRows int
	// OlderThan is the least age of a task's end. Default Config.Retention.
	OlderThan time.Duration
}

// Prune deletes terminal tasks that ended longer ago than the given age, oldest first, with their subscribers and logs, in
// batches of a transaction each (S13.1). It returns how many, also beside an error. Active tasks are never deleted.
//
// Started clients do this by themselves every hour.
func (c *Client) Prune(ctx context.Context, opts *PruneOpts) (int, error) {
	var o PruneOpts
	if opts != nil {
		o = *opts
	}
	age, most := or(o.OlderThan, c.cfg.Retention), or(o.MaxRows, prunePerSweep)
	var bad problems
	if age < 0 {
		bad.add("older_than", "is %v, must be a positive duration", age)
	}
	if most < 1 {
		bad.add("max_rows", "is %d, must be at least 1", most)
	}
	if err := bad.err(); err != nil {
		return 0, err
	}
	total := 0
	for total < most {
		batch := min(pruneBatch, most-total)
		n, err := c.store.Prune(ctx, age, batch)
		if err != nil {
			return total, fmt.Errorf("prune tasks older than %v: %w", age, err)
		}
		total += n
		if n < batch {
			break
		}
	}
	if total > 0 {
		c.observe(Event{Kind: EventPruned, Count: total})
		c.log.Info("pruned", "tasks", total, "older_than", age)
	}
	return total, nil
}

// Workers lists the processes that execute, living first. Only admins and the host may ask.
func (c *Client) Workers(ctx context.Context) ([]Worker, error) {
	if !ViewerFrom(ctx).All {
		return nil, fmt.Errorf("list workers: %w", ErrForbidden)
	}
	workers, err := c.store.Workers(ctx)
	if err != nil {
		return nil, fmt.Errorf("list workers: %w", err)
	}
	for i := range workers {
		workers[i].Lost = workers[i].Lost || workers[i].Silence > c.cfg.WorkerTimeout
	}
	return workers, nil
}
