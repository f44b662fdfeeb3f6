package gtf

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
)

// group lets concurrent callers share statements: while some are in flight everybody else waits in line, and the next
// statement takes the whole line. There is no timer, so nothing is delayed when idle, and groups grow with load.
type group[P, R any] struct {
	most  int            // members of one statement
	wide  int            // statements in flight
	row   func(P) string // names what a member writes
	write func(ctx context.Context, line []P) ([]R, error)
	spawn func(func(ctx context.Context)) bool

	mu      sync.Mutex
	line    []*member[P, R]
	apart   map[string][]*member[P, R] // by row: members that are written by themselves
	tries   chan struct{}              // taken while a row is first written by itself
	retries chan struct{}              // taken while that is repeated
	flying  int                        // statements in flight
}

type member[P, R any] struct {
	gone   <-chan struct{} // closed when the caller waits no longer
	param  P
	result R
	err    error
	done   chan struct{}
}

func newGroup[P, R any](crew *crew, most, wide int, row func(P) string, write func(context.Context, []P) ([]R, error)) *group[P, R] {
	return &group[P, R]{
		most: most, wide: wide, row: row, write: write, spawn: crew.spawn, apart: map[string][]*member[P, R]{},
		tries: make(chan struct{}, 4), retries: make(chan struct{}, 2),
	}
}

// call adds a parameter and returns its own result. If ctx ends while it waits in line, it leaves the line; with its
// statement in flight the statement goes on, and the outcome is unknown to the caller.
func (g *group[P, R]) call(ctx context.Context, param P) (R, error) {
	m := &member[P, R]{gone: ctx.Done(), param: param, done: make(chan struct{})}
	if !g.join(m) {
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

// join adds a member to those who wait for its row, if there are any, and else to the line; false if nobody will write it.
func (g *group[P, R]) join(m *member[P, R]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.apart) > 0 {
		row := g.row(m.param)
		if waiting, ok := g.apart[row]; ok {
			g.apart[row] = append(waiting, m)
			return true
		}
	}
	g.line = append(g.line, m)
	if g.flying < g.wide && g.spawn(g.fly) {
		g.flying++
	}
	return g.flying > 0
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
		line := g.take()
		if line == nil {
			return
		}
		g.writeLine(ctx, line)
	}
}

// take takes the whole line; with none the flight is over.
func (g *group[P, R]) take() []*member[P, R] {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.line), g.most)
	if n == 0 {
		g.flying--
		return nil
	}
	line := slices.Clone(g.line[:n])
	g.line = slices.Delete(g.line, 0, n)
	return line
}

// writeLine answers every member. If the common statement fails, members are written apart, row by row: a bad one does not fail
// the others, and one that waits for another's lock does not hold them up.
func (g *group[P, R]) writeLine(ctx context.Context, line []*member[P, R]) {
	results, err := g.write(ctx, params(line))
	if errors.Is(err, ErrLocked) || err != nil && len(line) > 1 && !errors.Is(err, ErrUnavailable) && ctx.Err() == nil {
		g.part(line, err)
		return
	}
	answer(line, results, err)
}

func params[P, R any](line []*member[P, R]) []P {
	params := make([]P, len(line))
	for i, m := range line {
		params[i] = m.param
	}
	return params
}

func answer[P, R any](line []*member[P, R], results []R, err error) {
	for i, m := range line {
		if m.err = err; err == nil {
			m.result = results[i]
		}
		close(m.done)
	}
}
