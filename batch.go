package gtf

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"
)

// group lets concurrent callers share statements: while some are in flight everybody else waits in line, and the next
// statement takes the whole line. There is no timer, so nothing is delayed when idle, and groups grow with load.
type group[P, R any] struct {
	most  int // members of one statement
	wide  int // statements in flight
	write func(ctx context.Context, line []P) ([]R, error)
	spawn func(func(ctx context.Context)) bool

	mu      sync.Mutex
	line    []*member[P, R]
	flying  int
	flights map[chan struct{}]bool // each closed when its statement has landed
}

type member[P, R any] struct {
	gone   <-chan struct{} // closed when the caller waits no longer
	param  P
	result R
	err    error
	done   chan struct{}
}

// call adds a parameter and returns its own result. If ctx ends while it waits in line, it leaves the line; with its
// statement in flight the statement goes on, and the outcome is unknown to the caller.
func (g *group[P, R]) call(ctx context.Context, param P) (R, error) {
	m := &member[P, R]{gone: ctx.Done(), param: param, done: make(chan struct{})}
	g.mu.Lock()
	g.line = append(g.line, m)
	if g.flying < g.wide && g.spawn(g.fly) {
		g.flying++
	}
	flying := g.flying > 0
	g.mu.Unlock()
	if !flying {
		g.leave(m)
		return m.result, ErrStopped
	}
	select {
	case <-m.done:
		return m.result, m.err
	case <-ctx.Done():
		g.leave(m)
		return *new(R), ctx.Err()
	}
}

// settle waits until the statements in flight have landed.
func (g *group[P, R]) settle() {
	g.mu.Lock()
	flights := slices.Collect(maps.Keys(g.flights))
	g.mu.Unlock()
	for _, landed := range flights {
		<-landed
	}
}

func (g *group[P, R]) leave(m *member[P, R]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.line, m); i >= 0 {
		g.line = slices.Delete(g.line, i, i+1)
	}
}

// fly writes one line after the other until there is none.
func (g *group[P, R]) fly(ctx context.Context) {
	for {
		runtime.Gosched() // those who are about to call may join: costs nothing when idle
		line, landed := g.take()
		if line == nil {
			return
		}
		g.writeLine(ctx, line)
		g.mu.Lock()
		delete(g.flights, landed)
		g.mu.Unlock()
		close(landed)
	}
}

// take takes the whole line; with none the flight is over.
func (g *group[P, R]) take() (line []*member[P, R], landed chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.line), g.most)
	if n == 0 {
		g.flying--
		return nil, nil
	}
	line = slices.Clone(g.line[:n])
	g.line = slices.Delete(g.line, 0, n)
	landed = make(chan struct{})
	if g.flights == nil {
		g.flights = map[chan struct{}]bool{}
	}
	g.flights[landed] = true
	return line, landed
}

// writeLine answers every member. If the common statement fails, members run alone, each with its own error and context: one
// bad row does not fail the others, and one that waits for another's lock does not hold them up.
func (g *group[P, R]) writeLine(ctx context.Context, line []*member[P, R]) {
	params := make([]P, len(line))
	for i, m := range line {
		params[i] = m.param
	}
	results, err := g.write(ctx, params)
	alone := errors.Is(err, ErrLocked) || err != nil && len(line) > 1 && !errors.Is(err, ErrUnavailable) && ctx.Err() == nil
	for i, m := range line {
		if alone && g.spawn(func(ctx context.Context) { g.writeAlone(ctx, m) }) {
			continue
		}
		if m.err = err; err == nil {
			m.result = results[i]
		}
		close(m.done)
	}
}

// lockPause is how long a member that is alone waits before it asks again for a row that another transaction has locked.
const lockPause = 20 * time.Millisecond

// writeAlone writes one member, as long as its caller waits.
func (g *group[P, R]) writeAlone(ctx context.Context, m *member[P, R]) {
	defer close(m.done)
	for {
		results, err := g.write(ctx, []P{m.param})
		if m.err = err; err == nil {
			m.result = results[0]
		}
		if !errors.Is(err, ErrLocked) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-m.gone:
			return
		case <-time.After(lockPause):
		}
	}
}
