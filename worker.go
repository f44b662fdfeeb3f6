package gtf

import (
	"context"
	"time"
)

// work claims and starts tasks until ctx ends. When this process has given up its worker id, it goes on under a new one.
func (c *Client) work(ctx context.Context, life *life, release func()) {
	if c.cfg.Engine != nil {
		defer release() // each delivery finds the worker id of its time
		c.deliveries(ctx)
		return
	}
	for life != nil {
		c.claimAll(ctx, life)
		release()
		life, release = c.reenlist(ctx)
	}
}

// reenlist tries to register until it succeeds; nil if ctx ends before.
func (c *Client) reenlist(ctx context.Context) (*life, func()) {
	for pause := retryMin; ctx.Err() == nil; pause = min(2*pause, retryMax) {
		stmt, cancel := context.WithTimeout(ctx, c.cfg.Heartbeat)
		life, release, err := c.lifelines.enlist(stmt, true)
		cancel()
		if err == nil {
			c.log.Info("working again, under a new worker id", "worker", life.worker)
			return life, release
		}
		c.log.Error("cannot register as a worker; will try again", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return nil, nil
}

// claimAll claims whenever there is a free slot and a reason to think that there is work: a signal, the last claim took
// all it could, a task became due, or it is time to look without a signal.
func (c *Client) claimAll(ctx context.Context, life *life) {
	more := true // the last claim left work behind
	for {
		wait := c.hub.claimInterval()
		offer := c.slots.offer()
		if more && len(offer) > 0 && c.Enabled() {
			more, wait = c.claim(ctx, life, offer, wait)
			if more {
				continue
			}
		}
		freed := c.slots.freed
		if !more {
			freed = nil // nothing was left behind: a free slot is no reason to look
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-life.over:
			timer.Stop()
			return
		case <-freed:
			c.slots.settle() // tasks that end together are replaced together, by one claim
		case <-c.slots.woken:
			more = true
		case <-timer.C:
			more = true
		}
		timer.Stop()
		if !c.Enabled() {
			more = false
		}
	}
}

// claim takes a batch and starts it. It tells whether there may be more, and else how long to wait. The statement is not
// given up when the worker drains: what it has claimed must be run.
func (c *Client) claim(ctx context.Context, life *life, offer []QueueSlots, wait time.Duration) (more bool, _ time.Duration) {
	stmt, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.FenceAfter)
	defer cancel()
	claimed, err := c.store.Claim(stmt, &ClaimParams{Worker: life.worker, Queues: offer, Types: c.typeNames()})
	if err != nil {
		life.suspect() // it may have been committed all the same
		c.observe(Event{Kind: EventFailed, Err: err})
		c.log.Error("cannot claim; will try again", "error", err)
		return false, min(wait, time.Second)
	}
	taken := map[string]int{}
	for _, job := range claimed.Jobs {
		taken[job.Queue]++
		slot := c.slots.take(job.Queue)
		c.executing.enter(true)
		go func() {
			defer c.executing.leave()
			defer slot.end()
			c.execute(life, job, nil, slot)
		}()
	}
	c.announceClaim(claimed.Jobs...)
	for _, q := range offer {
		more = more || taken[q.Queue] == q.Free
	}
	if claimed.Next > 0 {
		wait = min(wait, claimed.Next)
	}
	return more, wait
}

// announceClaim sends what a committed claim calls for.
func (c *Client) announceClaim(jobs ...*Job) {
	started := make([]Signal, 0, len(jobs))
	for _, job := range jobs {
		started = append(started, Signal{Kind: SignalChanged, ID: job.ID})
		c.observe(Event{Kind: EventTransition, ID: job.ID, Type: job.Type, Queue: job.Queue, From: StatusPending, Status: StatusInProgress})
	}
	c.hub.publish(started...)
}
