package gtf

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// hub brings signals in and out, and keeps the waiters of this process. What a signal says is never trusted: whoever is
// woken reads the row.
type hub struct {
	c         *Client
	transport Signals
	listens   atomic.Bool // somebody has wanted signals
	feeds     feeds

	mu      sync.Mutex
	waiters map[ID][]*waiter
	looking bool  // the look loop runs
	linked  bool  // the transport has said how it is
	link    error // nil: signals of other processes arrive
	outbox  []Signal
	filled  time.Time       // when the first of the outbox came
	queued  map[Signal]bool // what the outbox holds
	sending bool
	idle    chan struct{} // closed when nothing is being sent
	lookNow chan struct{} // wakes the look loop
}

// waiter is somebody who waits for a task.
type waiter struct {
	wake    chan struct{} // holds one
	changes bool          // wake on every change, not only at the end
	version int64         // last seen
}

func newHub(c *Client) *hub {
	h := &hub{
		c: c, transport: c.cfg.Signals, waiters: map[ID][]*waiter{}, queued: map[Signal]bool{}, lookNow: make(chan struct{}, 1),
		link: errNotLinked,
	}
	if source, ok := c.store.(SignalSource); ok && h.transport == nil {
		h.transport = source.Signals()
	}
	if h.transport == nil {
		h.transport = &LocalSignals{}
	}
	return h
}

// connect begins to listen, once: when the client is started, or first waits or runs.
func (h *hub) connect() {
	if h.listens.CompareAndSwap(false, true) {
		h.c.crew.spawn(func(ctx context.Context) { h.transport.Listen(ctx, h) })
	}
}

// publish wakes this process at once and hands the signals to the transport: at once when idle, coalesced while a batch
// is being sent (S9.9).
func (h *hub) publish(signals ...Signal) {
	if len(signals) == 0 {
		return
	}
	for _, s := range signals {
		h.deliver(s)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range signals {
		s.Origin = h.c.id
		if !h.queued[s] {
			if len(h.outbox) == 0 {
				h.filled = time.Now()
			}
			h.queued[s] = true
			h.outbox = append(h.outbox, s)
		}
	}
	if !h.sending {
		if h.sending = h.c.crew.spawn(h.send); h.sending {
			h.idle = make(chan struct{})
		}
	}
}

// publishTx sends signals with a transaction of the caller, if the transport can: they arrive when it commits, here too, so
// that they carry no origin.
func (h *hub) publishTx(ctx context.Context, tx Tx, signals []Signal) error {
	transport, ok := h.transport.(TxSignals)
	if !ok {
		return nil
	}
	slices.SortFunc(signals, func(a, b Signal) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Queue, b.Queue), bytes.Compare(a.ID[:], b.ID[:]))
	})
	if err := transport.PublishTx(ctx, tx, slices.Compact(signals)); err != nil {
		return fmt.Errorf("publish signals in the transaction: %w", err)
	}
	return nil
}

func (h *hub) send(ctx context.Context) {
	for {
		batch, filled := h.takeOutbox()
		if batch == nil {
			return
		}
		err := h.transport.Publish(ctx, batch)
		switch {
		case err == nil:
			h.c.observe(Event{Kind: EventSignaled, Count: len(batch), Took: time.Since(filled)})
		case ctx.Err() == nil:
			h.c.log.Warn("signals not sent; others will notice by polling", "signals", len(batch), "error", err)
			h.c.observe(Event{Kind: EventFailed, Err: err})
		}
	}
}

// takeOutbox takes what is to be sent; with nothing the sending ends.
func (h *hub) takeOutbox() ([]Signal, time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	batch := h.outbox
	h.outbox = nil
	clear(h.queued)
	if len(batch) == 0 {
		h.sending = false
		close(h.idle)
		return nil, time.Time{}
	}
	return batch, h.filled
}

// drain waits until what was published has been sent, or ctx ends.
func (h *hub) drain(ctx context.Context) {
	h.mu.Lock()
	idle := h.idle
	h.mu.Unlock()
	if idle == nil {
		return
	}
	select {
	case <-idle:
	case <-ctx.Done():
	}
}

// Signal takes what the transport brings.
func (h *hub) Signal(s Signal) {
	if s.Origin != h.c.id { // our own were delivered when they were sent
		h.deliver(s)
	}
}

func (h *hub) deliver(s Signal) {
	if s.Kind != SignalAbort { // which only repeats what was told as a change
		h.feeds.wakeAll()
	}
	switch s.Kind {
	case SignalWork:
		h.c.slots.wakeUp()
	case SignalAbort:
		h.c.lifelines.check(s.ID)
	case SignalFinished, SignalChanged:
		h.wake(s)
	case SignalAny:
		h.c.slots.wakeUp()
		h.c.lifelines.checkAll()
		poke(h.lookNow)
	}
}

func (h *hub) wake(s Signal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.waiters[s.ID] {
		if w.changes || s.Kind == SignalFinished {
			poke(w.wake)
		}
	}
}

var errNotLinked = errors.New("not connected yet")

// Link is told by the transport. When signals begin or cease to arrive, everybody looks once.
func (h *hub) Link(err error) {
	h.mu.Lock()
	first, changed := !h.linked, (h.link == nil) != (err == nil)
	h.linked, h.link = true, err
	h.mu.Unlock()
	if !first && !changed {
		return
	}
	h.c.observe(Event{Kind: EventLinked, Err: err})
	switch {
	case err != nil:
		h.c.log.Warn("signals of other processes do not arrive; polling", "reason", err)
	case !first:
		h.c.log.Info("signals of other processes arrive again")
	}
	h.deliver(Signal{Kind: SignalAny})
}

// LinkError says why signals of other processes do not arrive, so that this client polls; nil if they do, and as long as
// nothing has needed them: Start, Wait, Watch, Run or Feed.
func (c *Client) LinkError() error {
	if !c.hub.listens.Load() {
		return nil
	}
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	return c.hub.link
}

// await registers a waiter. The caller looks at the row after it, so that no end is missed in between (S9.4).
func (h *hub) await(id ID, changes bool) *waiter {
	h.connect()
	w := &waiter{wake: make(chan struct{}, 1), changes: changes}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiters[id] = append(h.waiters[id], w)
	if !h.looking {
		h.looking = h.c.crew.spawn(h.lookLoop)
	}
	return w
}

// poke wakes whoever reads a channel that holds one; a second poke before that is the same one.
func poke(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

func (h *hub) forget(id ID, w *waiter) {
	h.mu.Lock()
	defer h.mu.Unlock()
	rest := slices.DeleteFunc(h.waiters[id], func(other *waiter) bool { return other == w })
	if len(rest) == 0 {
		delete(h.waiters, id)
	} else {
		h.waiters[id] = rest
	}
}

// lookLoop looks without a signal, for all waiters of the process in one statement, as long as there are any (S9.8). It
// ends at the first look with nobody waiting.
func (h *hub) lookLoop(ctx context.Context) {
	timer := time.NewTimer(h.interval())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-h.lookNow:
		}
		ids := h.awaited()
		if ids == nil {
			return
		}
		h.lookAt(ctx, ids)
		timer.Reset(h.interval())
	}
}

// awaited lists the tasks waited for; with none it marks the loop as ended.
func (h *hub) awaited() []ID {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.waiters) == 0 {
		h.looking = false
		return nil
	}
	ids := make([]ID, 0, len(h.waiters))
	for id := range h.waiters {
		ids = append(ids, id)
	}
	return ids
}

func (h *hub) lookAt(ctx context.Context, ids []ID) {
	found, err := h.c.store.Look(ctx, ids)
	if err != nil {
		if ctx.Err() == nil {
			h.c.observe(Event{Kind: EventFailed, Err: err})
			h.c.log.Warn("cannot look at awaited tasks; will look again", "tasks", len(ids), "error", err)
		}
		return
	}
	seen := make(map[ID]*Look, len(found))
	for i := range found {
		seen[found[i].ID] = &found[i]
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, id := range ids {
		look := seen[id]
		for _, w := range h.waiters[id] {
			if look == nil || look.Status.Terminal() || w.changes && w.version != look.Version {
				poke(w.wake)
			}
		}
	}
}

func (h *hub) interval() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.link == nil {
		return h.c.cfg.LookInterval
	}
	return h.c.cfg.LookPolling
}

// claimInterval is the same for claims, with jitter so that processes do not look in step.
func (h *hub) claimInterval() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.link == nil {
		return jitter(h.c.cfg.ClaimInterval)
	}
	return jitter(h.c.cfg.ClaimPolling)
}

// jitter takes up to a tenth off.
func jitter(d time.Duration) time.Duration {
	return d - time.Duration(rand.Float64()*float64(d)/10)
}
