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
	ended bool               // nothing more begins under this id
	runs  map[Ref]*Execution // by claim: the next attempt of a task may begin while the last one is still leaving
	asked map[ID]bool        // whose rows to look at; empty: all
	doubt int                // looks that are still due after a claim whose answer was lost

	strays map[Ref]int // claims that nothing runs for, and how often they were seen; of the beat alone
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
		users: 1, runs: map[Ref]*Execution{}, asked: map[ID]bool{},
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
	b.runs[x.job.Ref] = x
	return true
}

func (b *life) remove(x *Execution) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.runs, x.job.Ref)
}

// executions is a copy of what runs.
func (b *life) executions() map[Ref]*Execution {
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
			if time.Since(lastSent) > cfg.FenceAfter { // the answer comes after too long a silence, and before the fence
				b.giveUp("no heartbeat could be stored")
				return
			}
			if a.err == nil {
				lastSent = a.sent
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
	if err == nil && alive && (len(runs) > 0 || b.doubting()) {
		var strays []Ref
		if strays, err = b.lookAtHeld(ctx, runs); err == nil {
			b.sight(ctx, strays)
		}
	}
	if err != nil && ctx.Err() != context.Canceled {
		b.c.log.Warn("heartbeat failed", "worker", b.worker, "error", err)
		b.c.observe(Event{Kind: EventFailed, Err: err})
	}
	b.c.observe(Event{Kind: EventBeat, Count: len(runs), Took: time.Since(a.sent), Err: err})
	return a
}

// lookAtHeld compares what runs here with what the store says this worker holds: it finds the tasks to abort, the claims
// that were lost, and those that nothing runs for.
func (b *life) lookAtHeld(ctx context.Context, runs map[Ref]*Execution) (strays []Ref, err error) {
	held, err := b.c.store.Held(ctx, b.worker)
	if err != nil {
		return nil, fmt.Errorf("read held claims: %w", err)
	}
	now := b.executions()
	for _, h := range held {
		if x := runs[h.Ref]; x != nil {
			delete(runs, h.Ref)
			x.heed(h.Status, h.AbortReason)
		} else if now[h.Ref] == nil {
			strays = append(strays, h.Ref)
		}
	}
	for _, x := range runs { // what is left is not ours any more; a finished one does not mind
		x.ask(ErrFenced)
	}
	return strays, nil
}

// sight gives back the claims that were strays in several beats: they are not just being opened.
func (b *life) sight(ctx context.Context, strays []Ref) {
	seen := make(map[Ref]int, len(strays))
	for _, ref := range strays {
		if seen[ref] = b.strays[ref] + 1; seen[ref] >= straySightings {
			b.c.giveBack(ctx, ref)
		}
		b.suspect() // until it is gone
	}
	b.strays = seen
}

// straySightings is in how many beats a claim has to be without an execution.
const straySightings = 3

// suspect has the next beats look for claims whose answer was lost.
func (b *life) suspect() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.doubt = 2 * straySightings
}

func (b *life) doubting() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.doubt = max(0, b.doubt-1)
	return b.doubt > 0
}

// giveBack ends a claim that was committed although its answer was an error: nothing has run under it. It is as if the
// worker had been lost.
func (c *Client) giveBack(ctx context.Context, ref Ref) {
	task, err := c.store.Get(ctx, ref.ID, Viewer{All: true})
	if err != nil {
		return // the next beat will see it
	}
	fin := Finish{
		Update:   Update{Ref: ref},
		Running:  Outcome{Status: StatusFailure, Error: "worker lost"},
		Aborting: Outcome{Status: StatusFailure, Error: "worker lost while aborting"},
	}
	if task.Mode == ModeAsync && int(ref.Claim) < task.MaxAttempts {
		fin.Running.Status = StatusPending
	}
	done, err := c.store.Finish(ctx, []Finish{fin})
	if err != nil || !done[0].Held {
		return
	}
	c.announceSweep(Transition{ID: ref.ID, Type: task.Type, Queue: task.Queue, From: task.Status, To: done[0].Status, Worker: task.Worker})
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
		_, err = b.lookAtHeld(ctx, runs)
	}
	for ref, x := range runs {
		if asked[ref.ID] && err == nil {
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

// wake has the row of one task looked at, if it runs here; wakeAll those of all that do.
func (b *life) wake(id ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for ref := range b.runs {
		if ref.ID == id {
			b.asked[id] = true
			poke(b.wanted)
			return
		}
	}
}

func (b *life) wakeAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.asked)
	if len(b.runs) > 0 {
		poke(b.wanted)
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
func (l *lifelines) checkAll()   { l.each((*life).wakeAll) }

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
		for ref, x := range b.executions() {
			names = append(names, x.job.Type+" "+ref.ID.String())
		}
	})
	slices.Sort(names)
	return names
}

// giveUpAll ends every life for good.
func (l *lifelines) giveUpAll(why string) { l.each(func(b *life) { b.giveUp(why) }) }

// leaveAll takes this process off the list of workers when all its outcomes are stored.
func (l *lifelines) leaveAll(ctx context.Context) {
	l.each(func(b *life) {
		if b.end(always) {
			b.leave(ctx)
		}
	})
}
