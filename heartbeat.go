package gtf

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"
)

// lifelines keep this process known to the others: one worker id at a time, with one heartbeat, as long as it works on
// queues or runs anything inline.
type lifelines struct {
	c *Client

	registering sync.Mutex // one at a time; never held by those who only look

	mu    sync.Mutex
	lives []*life // the last one is current, unless it has ended; others still have executions
}

// life is one worker id from its registration to its end: by leaving, or by giving up after too long a silence.
type life struct {
	c      *Client
	worker string
	works  bool          // on queues
	over   chan struct{} // closed when given up
	wanted chan struct{} // holds one: look at the rows, now

	mu    sync.Mutex
	users int
	ended bool // nothing more begins under this id
	runs  map[ID]*Execution
	asked map[ID]bool // whose rows to look at; empty: all
}

// enlist gives the current life, registering a new one if there is none. It stays until released.
func (l *lifelines) enlist(ctx context.Context, works bool) (*life, func(), error) {
	l.registering.Lock()
	defer l.registering.Unlock()
	if b := l.current(); b != nil && b.use() {
		if works && !b.works {
			if err := l.register(ctx, b, true); err != nil {
				b.release()
				return nil, nil, err
			}
		}
		return b, b.release, nil
	}
	b := &life{
		c: l.c, worker: NewID().String(), over: make(chan struct{}), wanted: make(chan struct{}, 1),
		users: 1, runs: map[ID]*Execution{}, asked: map[ID]bool{},
	}
	sent := time.Now()
	if err := l.register(ctx, b, works); err != nil {
		return nil, nil, err
	}
	if !l.c.crew.spawn(func(ctx context.Context) { b.beat(ctx, sent) }) {
		return nil, nil, ErrStopped
	}
	l.mu.Lock()
	l.lives = append(slices.DeleteFunc(l.lives, (*life).idle), b)
	l.mu.Unlock()
	l.c.hub.connect()
	return b, b.release, nil
}

func (l *lifelines) current() *life {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lives) == 0 {
		return nil
	}
	return l.lives[len(l.lives)-1]
}

func (l *lifelines) register(ctx context.Context, b *life, works bool) error {
	host, _ := os.Hostname()
	w := &Worker{ID: b.worker, Host: host, PID: os.Getpid(), Version: l.c.cfg.Version}
	if works {
		w.Queues, w.Types = l.c.cfg.Queues, l.c.typeNames()
	}
	if err := l.c.store.Register(ctx, w); err != nil {
		return fmt.Errorf("register worker: %w", err)
	}
	b.works = works
	return nil
}

// use adds a user unless the life has ended.
func (b *life) use() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return false
	}
	b.users++
	return true
}

func (b *life) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.users--
}

func (b *life) add(x *Execution) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return false
	}
	b.runs[x.job.ID] = x
	return true
}

func (b *life) remove(x *Execution) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.runs, x.job.ID)
}

// executions is a copy of what runs.
func (b *life) executions() map[ID]*Execution {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.runs)
}

// beat tells the store that this process lives, until ctx ends, the life has no users any more, or it gives up. A beat has
// one interval to succeed. Silence is counted from when the last successful beat was sent, by the monotonic clock (S12.3).
func (b *life) beat(ctx context.Context, lastSent time.Time) {
	cfg := &b.c.cfg
	tick := time.NewTimer(cfg.Heartbeat)
	defer tick.Stop()
	fence := time.NewTimer(cfg.FenceAfter - time.Since(lastSent))
	defer fence.Stop()
	var flying sync.WaitGroup
	defer flying.Wait()
	answers := make(chan beatAnswer, 1)
	pending := false
	send := func() {
		if pending {
			return
		}
		pending = true
		flying.Go(func() { answers <- b.send(ctx) })
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.wanted:
			flying.Go(func() { b.lookAtAsked(ctx) })
		case <-tick.C:
			tick.Reset(cfg.Heartbeat)
			if b.end((*life).unused) { // inline runs are over
				b.leave(ctx)
				return
			}
			send()
		case a := <-answers:
			pending = false
			if a.lost {
				b.giveUp("another process declared this one lost")
				return
			}
			if a.err == nil {
				fence.Reset(cfg.FenceAfter - time.Since(a.sent))
			} else {
				tick.Reset(cfg.Heartbeat / 5) // the sooner it succeeds, the shorter an outage that is forgiven
			}
		case <-fence.C:
			b.giveUp("no heartbeat could be stored")
			return
		}
	}
}

type beatAnswer struct {
	sent time.Time
	lost bool
	err  error
}

func (b *life) send(ctx context.Context) beatAnswer {
	ctx, cancel := context.WithTimeout(ctx, b.c.cfg.Heartbeat)
	defer cancel()
	a := beatAnswer{sent: time.Now()}
	runs := b.executions()
	alive, err := b.c.store.Beat(ctx, b.worker, len(runs))
	a.err, a.lost = err, err == nil && !alive
	if err == nil && alive && len(runs) > 0 {
		err = b.lookAtHeld(ctx, runs)
	}
	if err != nil && ctx.Err() != context.Canceled {
		b.c.log.Warn("heartbeat failed", "worker", b.worker, "error", err)
		b.c.observe(Event{Kind: EventFailed, Err: err})
	}
	b.c.observe(Event{Kind: EventBeat, Count: len(runs), Took: time.Since(a.sent), Err: err})
	return a
}

// lookAtHeld compares what runs here with what the store says this worker holds: it finds the tasks to abort and the
// claims that were lost.
func (b *life) lookAtHeld(ctx context.Context, runs map[ID]*Execution) error {
	held, err := b.c.store.Held(ctx, b.worker)
	if err != nil {
		return fmt.Errorf("read held claims: %w", err)
	}
	for _, h := range held {
		if x := runs[h.ID]; x != nil && x.job.Claim == h.Claim {
			delete(runs, h.ID)
			x.heed(h.Status, h.AbortReason)
		}
	}
	for _, x := range runs { // what is left is not ours any more; a finished one does not mind
		x.ask(ErrFenced)
	}
	return nil
}

// heed acts on what the row says.
func (x *Execution) heed(status Status, reason AbortReason) {
	if status != StatusAborting {
		return
	}
	if reason == AbortByTimeout {
		x.ask(ErrTimedOut)
	} else {
		x.ask(ErrAborted)
	}
}

// lookAtAsked reads the rows that signals named, or everything held.
func (b *life) lookAtAsked(ctx context.Context) {
	b.mu.Lock()
	asked := b.asked
	b.asked = map[ID]bool{}
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, b.c.cfg.Heartbeat)
	defer cancel()
	runs := b.executions()
	if len(runs) == 0 {
		return
	}
	var err error
	if len(asked) == 0 {
		err = b.lookAtHeld(ctx, runs)
	}
	for id := range asked {
		if x := runs[id]; x != nil && err == nil {
			err = b.lookAt(ctx, x)
		}
	}
	if err != nil && ctx.Err() != context.Canceled {
		b.c.log.Warn("cannot look whether tasks should abort; the next heartbeat will", "worker", b.worker, "error", err)
	}
}

func (b *life) lookAt(ctx context.Context, x *Execution) error {
	look, err := b.c.looks.call(ctx, x.job.ID)
	switch {
	case err != nil:
		return err
	case look == nil || look.Claim != x.job.Claim:
		x.ask(ErrFenced)
	default:
		x.heed(look.Status, look.AbortReason)
	}
	return nil
}

// idle reports whether the life has ended and nothing runs under it any more.
func (b *life) idle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ended && len(b.runs) == 0
}

func (b *life) unused() bool { return b.users == 0 && len(b.runs) == 0 }

// end lets nothing more begin, once, if the condition holds under the lock.
func (b *life) end(condition func(*life) bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended || !condition(b) {
		return false
	}
	b.ended = true
	return true
}

func always(*life) bool { return true }

// leave takes the worker off the list.
func (b *life) leave(ctx context.Context) {
	if err := b.c.store.Leave(ctx, b.worker); err != nil {
		b.c.log.Warn("cannot take this worker off the list; it will be found silent", "worker", b.worker, "error", err)
	}
}

// giveUp ends the life for good: every execution under it is fenced. Whoever needs one registers under a new id (S12.3).
func (b *life) giveUp(why string) {
	if !b.end(always) {
		return
	}
	close(b.over)
	runs := b.executions()
	b.c.log.Warn("gave up the claims of this process", "worker", b.worker, "tasks", len(runs), "reason", why)
	b.c.observe(Event{Kind: EventFenced, Count: len(runs)})
	for _, x := range runs {
		x.ask(ErrFenced)
	}
}

// wake has the rows of some executions looked at; with none named, of all.
func (b *life) wake(ids ...ID) {
	b.mu.Lock()
	for _, id := range ids {
		if b.runs[id] != nil {
			b.asked[id] = true
		}
	}
	idle := len(b.runs) == 0 || len(ids) > 0 && len(b.asked) == 0
	if len(ids) == 0 {
		clear(b.asked)
	}
	b.mu.Unlock()
	if idle {
		return
	}
	select {
	case b.wanted <- struct{}{}:
	default:
	}
}

func (l *lifelines) each(do func(*life)) {
	l.mu.Lock()
	lives := slices.Clone(l.lives)
	l.mu.Unlock()
	for _, b := range lives {
		do(b)
	}
}

// check looks at the row of one task, if it runs here; checkAll at all.
func (l *lifelines) check(id ID) { l.each(func(b *life) { b.wake(id) }) }
func (l *lifelines) checkAll()   { l.each(func(b *life) { b.wake() }) }

// interruptAll asks every execution to stop.
func (l *lifelines) interruptAll(cause error) {
	l.each(func(b *life) {
		for _, x := range b.executions() {
			x.ask(cause)
		}
	})
}

// running names what still runs.
func (l *lifelines) running() []string {
	var names []string
	l.each(func(b *life) {
		for id, x := range b.executions() {
			names = append(names, x.job.Type+" "+id.String())
		}
	})
	slices.Sort(names)
	return names
}

// leaveAll takes this process off the list of workers when all its outcomes are stored.
func (l *lifelines) leaveAll(ctx context.Context) {
	l.each(func(b *life) {
		if b.end(always) {
			b.leave(ctx)
		}
	})
}
