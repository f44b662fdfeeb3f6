package gtf_test

import (
	"context"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/globaltask/gtf"
)

// modelLink is one process's way to the store, which can be broken.
type modelLink struct {
	gtf.Store
	losesSubmits atomic.Bool

	mu      sync.Mutex
	state   modelLinkState
	changed chan struct{}        // closed when the state changes
	since   time.Time            // when it came up
	last    modelLinkState       // how it was broken last
	unheard int                  // so many of the next calls are done, but their answers are lost
	sent    map[string]time.Time // by worker id: when the last beat was sent that the process knows to have succeeded
	stored  map[string]time.Time // by worker id: when the store took the last beat
	left    map[string]bool      // worker ids that were taken off the list
}

type modelLinkState string

const (
	linkUp      modelLinkState = "up"
	linkRefuses modelLinkState = "refuses" // every call fails at once, and nothing is done
	linkHangs   modelLinkState = "hangs"   // calls wait, and those that still want to are done when the link is up again
)

var errModelLink = errors.New("no connection to the store")

func newModelLink(s gtf.Store) *modelLink {
	return &modelLink{Store: s, state: linkUp, changed: make(chan struct{}), since: time.Now(),
		sent: map[string]time.Time{}, stored: map[string]time.Time{}, left: map[string]bool{}}
}

func (l *modelLink) set(s modelLinkState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unheard = 0
	if s == l.state {
		return
	}
	if s == linkUp {
		l.since = time.Now()
	} else {
		l.last = s
	}
	l.state = s
	close(l.changed)
	l.changed = make(chan struct{})
}

// hung tells whether the link hung when it was broken last.
func (l *modelLink) hung() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last == linkHangs
}

// calm tells whether the link has been up for so long.
func (l *modelLink) calm(d time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state == linkUp && l.unheard == 0 && time.Since(l.since) >= d
}

// upSince is when the link came up; ok is false while it is broken.
func (l *modelLink) upSince() (since time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.since, l.state == linkUp && l.unheard == 0
}

// lastBeat is when the last beat of a worker was sent that succeeded; ok is false if the worker is not of this process.
func (l *modelLink) lastBeat(worker string) (sent time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	sent, ok = l.sent[worker]
	return sent, ok
}

// silence is how long the store has heard nothing of a worker of this process; one that left is silent for ever.
func (l *modelLink) silence(worker string) (d time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.stored[worker]
	if l.left[worker] {
		return time.Hour, ok
	}
	return time.Since(at), ok
}

func (l *modelLink) note(do func(now time.Time)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	do(time.Now())
}

// lose has the answer to the next call lost.
func (l *modelLink) lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unheard = 1
}

// pass waits while the link hangs. It tells whether the answer will be heard.
func (l *modelLink) pass(ctx context.Context) (heard bool, err error) {
	for {
		l.mu.Lock()
		state, changed := l.state, l.changed
		heard = l.unheard == 0
		if state == linkUp && !heard {
			l.unheard--
			l.since = time.Now()
		}
		l.mu.Unlock()
		switch state {
		case linkUp:
			return heard, nil
		case linkRefuses:
			return false, errModelLink
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

func modelCall[R any](ctx context.Context, l *modelLink, do func() (R, error)) (R, error) {
	var none R
	heard, err := l.pass(ctx)
	if err != nil {
		return none, err
	}
	answer, err := do()
	if err == nil && !heard {
		return none, errModelLink
	}
	return answer, err
}

func modelTell(ctx context.Context, l *modelLink, do func() error) error {
	_, err := modelCall(ctx, l, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

func (l *modelLink) Register(ctx context.Context, worker *gtf.Worker) error {
	sent := time.Now()
	err := modelTell(ctx, l, func() error {
		err := l.Store.Register(ctx, worker)
		if err == nil {
			l.note(func(now time.Time) { l.stored[worker.ID] = now })
		}
		return err
	})
	if err == nil {
		l.note(func(time.Time) { l.sent[worker.ID] = sent })
	}
	return err
}

func (l *modelLink) Beat(ctx context.Context, id string, running int) (bool, error) {
	sent := time.Now()
	alive, err := modelCall(ctx, l, func() (bool, error) {
		alive, err := l.Store.Beat(ctx, id, running)
		if alive {
			l.note(func(now time.Time) { l.stored[id] = now })
		}
		return alive, err
	})
	if alive {
		l.note(func(now time.Time) {
			if now.Sub(l.sent[id]) < modelFence { // else the answer comes too late: the worker has given up
				l.sent[id] = sent
			}
		})
	}
	return alive, err
}

func (l *modelLink) Acquire(ctx context.Context, name, token string, ttl time.Duration) (bool, error) {
	return modelCall(ctx, l, func() (bool, error) { return l.Store.Acquire(ctx, name, token, ttl) })
}

func (l *modelLink) Renew(ctx context.Context, name, token string, ttl time.Duration) (bool, error) {
	return modelCall(ctx, l, func() (bool, error) { return l.Store.Renew(ctx, name, token, ttl) })
}

func (l *modelLink) Release(ctx context.Context, name, token string) error {
	return modelTell(ctx, l, func() error { return l.Store.Release(ctx, name, token) })
}

func (l *modelLink) Submit(ctx context.Context, subs []*gtf.Submission) ([]gtf.Submitted, error) {
	if l.losesSubmits.Load() {
		l.lose()
	}
	return modelCall(ctx, l, func() ([]gtf.Submitted, error) { return l.Store.Submit(ctx, subs) })
}

func (l *modelLink) Claim(ctx context.Context, p *gtf.ClaimParams) (*gtf.Claimed, error) {
	return modelCall(ctx, l, func() (*gtf.Claimed, error) { return l.Store.Claim(ctx, p) })
}

func (l *modelLink) Resume(ctx context.Context, id gtf.ID, worker string) (*gtf.Job, error) {
	return modelCall(ctx, l, func() (*gtf.Job, error) { return l.Store.Resume(ctx, id, worker) })
}

func (l *modelLink) Update(ctx context.Context, updates []gtf.Update) ([]bool, error) {
	return modelCall(ctx, l, func() ([]bool, error) { return l.Store.Update(ctx, updates) })
}

func (l *modelLink) Expire(ctx context.Context, ref gtf.Ref) (bool, error) {
	return modelCall(ctx, l, func() (bool, error) { return l.Store.Expire(ctx, ref) })
}

func (l *modelLink) Finish(ctx context.Context, finishes []gtf.Finish) ([]gtf.Finished, error) {
	return modelCall(ctx, l, func() ([]gtf.Finished, error) { return l.Store.Finish(ctx, finishes) })
}

func (l *modelLink) Cancel(ctx context.Context, id gtf.ID, decide func(*gtf.Task) (gtf.Deed, error)) (*gtf.Task, error) {
	return modelCall(ctx, l, func() (*gtf.Task, error) { return l.Store.Cancel(ctx, id, decide) })
}

func (l *modelLink) Look(ctx context.Context, ids []gtf.ID) ([]gtf.Look, error) {
	return modelCall(ctx, l, func() ([]gtf.Look, error) { return l.Store.Look(ctx, ids) })
}

func (l *modelLink) Held(ctx context.Context, id string) ([]gtf.Held, error) {
	return modelCall(ctx, l, func() ([]gtf.Held, error) { return l.Store.Held(ctx, id) })
}

func (l *modelLink) Leave(ctx context.Context, id string) error {
	return modelTell(ctx, l, func() error {
		err := l.Store.Leave(ctx, id)
		if err == nil {
			l.note(func(time.Time) { l.left[id] = true })
		}
		return err
	})
}

func (l *modelLink) Reap(ctx context.Context, silence time.Duration, limit int) ([]gtf.Transition, error) {
	return modelCall(ctx, l, func() ([]gtf.Transition, error) { return l.Store.Reap(ctx, silence, limit) })
}

func (l *modelLink) ExpireQueued(ctx context.Context, limit int) ([]gtf.Transition, error) {
	return modelCall(ctx, l, func() ([]gtf.Transition, error) { return l.Store.ExpireQueued(ctx, limit) })
}

func (l *modelLink) Prune(ctx context.Context, age time.Duration, limit int) (int, error) {
	return modelCall(ctx, l, func() (int, error) { return l.Store.Prune(ctx, age, limit) })
}

// workers are the ids under which the process has registered.
func (l *modelLink) workers() map[string]time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.stored)
}
