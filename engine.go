package gtf

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Engine is the socket for delivery: it may take over from the store's own queue the question when a worker takes which
// task (S14). It only delivers: the row stays the truth, a claim on it decides who runs, and time limits, retries and the
// rescue of lost work stay gtf's. enginetest is the suite that every engine must pass.
//
// Without an engine the row is the queue, which is faster and needs nothing else.
type Engine interface {
	// Enqueue puts jobs into the engine within tx, the transaction that makes the tasks pending: they exist if and only if
	// it commits. A task may be enqueued more than once.
	Enqueue(ctx context.Context, tx Tx, jobs []Delivery) error
	// Deliver calls deliver for each due job of the queues, for as many at once as they have slots, until ctx ends; it returns
	// when every call has returned, or at once with an error if it cannot begin. A call lasts as long as the attempt. If it
	// returns nil the job is done with, else it is to be delivered again after a pause, for ever.
	Deliver(ctx context.Context, queues map[string]int, deliver func(ctx context.Context, id ID) error) error
}

// Delivery is one job of an engine.
type Delivery struct {
	ID       ID
	Queue    string
	Priority int       // 1 (first) to 9
	DueAt    time.Time // by the store's clock; zero: at once
}

// EngineStore is implemented by stores whose tasks an [Engine] can deliver.
type EngineStore interface {
	// UseEngine has e enqueue every task that becomes pending, in the transaction that makes it so. [New] calls it.
	UseEngine(e Engine)
	// Requeue enqueues pending tasks that are due and were last enqueued longer ago than age, or never; at most limit.
	Requeue(ctx context.Context, age time.Duration, limit int) (int, error)
}

// requeueAfter is when a due task that nobody took is enqueued again: its job may be lost. Often it only waits for a slot, and
// a second job does no harm.
const requeueAfter = 5 * time.Minute

// errNotYet has the engine deliver again.
var errNotYet = errors.New("the task is not due yet")

// deliveries works on what the engine delivers until ctx ends. An engine that cannot begin is asked again.
func (c *Client) deliveries(ctx context.Context) {
	for pause := retryMin; ctx.Err() == nil; pause = min(2*pause, retryMax) {
		err := c.cfg.Engine.Deliver(ctx, c.cfg.Queues, c.deliver)
		if ctx.Err() != nil {
			return
		}
		c.observe(Event{Kind: EventFailed, Err: err})
		c.log.Error("the engine does not deliver; will try again", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// deliver claims the task and runs the attempt. nil: somebody else has it, or it has ended, or its attempt is over.
func (c *Client) deliver(ctx context.Context, id ID) error {
	if !c.Enabled() {
		return ErrDisabled
	}
	if !c.executing.enter(false) {
		return ErrStopped
	}
	defer c.executing.leave()
	life, release, err := c.lifelines.enlist(ctx, true)
	if err != nil {
		return err
	}
	defer release()
	job, err := c.claims.call(ctx, claimOne{life.worker, id})
	switch {
	case err != nil:
		life.suspect() // it may have been committed all the same
		c.observe(Event{Kind: EventFailed, ID: id, Err: err})
		c.log.Error("cannot claim; will try again", "task", id, "error", err)
		return fmt.Errorf("claim task %s: %w", id, err)
	case job == nil:
		look, err := c.look(ctx, id)
		if err == nil && look != nil && look.Status == StatusPending {
			err = errNotYet
		}
		return err
	}
	c.announceClaim(job)
	c.execute(life, job, nil, nil)
	return nil
}

type claimOne struct {
	worker string
	id     ID
}

// claimThese claims tasks by their ids; nil for those that cannot be claimed now.
func (c *Client) claimThese(ctx context.Context, line []claimOne) ([]*Job, error) {
	jobs := make([]*Job, len(line))
	byWorker := map[string][]ID{}
	for _, m := range line {
		byWorker[m.worker] = append(byWorker[m.worker], m.id)
	}
	for worker, ids := range byWorker { // of more than one only after a fence
		claimed, err := c.store.Claim(ctx, &ClaimParams{Worker: worker, Only: ids, Types: c.typeNames()})
		if err != nil {
			return nil, err
		}
		for _, job := range claimed.Jobs {
			for i, m := range line {
				if m == (claimOne{worker, job.ID}) {
					jobs[i] = job
					break // delivered twice at once: one of the two has it
				}
			}
		}
	}
	return jobs, nil
}

// requeue repairs what the engine may have lost.
func (c *Client) requeue(ctx context.Context) error {
	store, ok := c.store.(EngineStore)
	if c.cfg.Engine == nil || !ok {
		return nil
	}
	for {
		n, err := store.Requeue(ctx, requeueAfter, sweepBatch)
		if err != nil {
			return fmt.Errorf("enqueue tasks without a job: %w", err)
		}
		if n > 0 {
			c.log.Info("enqueued tasks that nobody had taken", "tasks", n)
		}
		if n < sweepBatch {
			return nil
		}
	}
}
