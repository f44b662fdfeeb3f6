package gtf

import (
	"context"
	"runtime"
	"slices"
	"sync"
)

// group lets concurrent callers share statements: while one is in flight everybody else waits in line, and the next
// statement takes the whole line. There is no timer, so nothing is delayed when idle, and groups grow with load.
type group[P, R any] struct {
	most  int // members of one statement
	write func(ctx context.Context, line []P) ([]R, error)
	spawn func(func(ctx context.Context)) bool

	mu     sync.Mutex
	line   []*member[P, R]
	flying bool
	flight chan struct{} // closed when the statement in flight has landed
}

type member[P, R any] struct {
	param  P
	result R
	err    error
	done   chan struct{}
}

// call adds a parameter and returns its own result. If ctx ends while it waits in line, it leaves the line; with its
// statement in flight the statement goes on, and the outcome is unknown to the caller.
func (g *group[P, R]) call(ctx context.Context, param P) (R, error) {
	m := &member[P, R]{param: param, done: make(chan struct{})}
	g.mu.Lock()
	g.line = append(g.line, m)
	if !g.flying {
		g.flying = g.spawn(g.fly)
	}
	flying := g.flying
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

// settle waits until the statement in flight has landed, if there is one.
func (g *group[P, R]) settle() {
	g.mu.Lock()
	flight := g.flight
	g.mu.Unlock()
	if flight != nil {
		<-flight
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
		g.mu.Lock()
		n := min(len(g.line), g.most)
		if n == 0 {
			g.flying = false
			g.mu.Unlock()
			return
		}
		line := slices.Clone(g.line[:n])
		g.line = slices.Delete(g.line, 0, n)
		landed := make(chan struct{})
		g.flight = landed
		g.mu.Unlock()
		g.writeLine(ctx, line)
		close(landed)
	}
}

// writeLine answers every member. If the common statement fails, members run alone, each with its own error: one bad row
// does not fail the others.
func (g *group[P, R]) writeLine(ctx context.Context, line []*member[P, R]) {
	params := make([]P, len(line))
	for i, m := range line {
		params[i] = m.param
	}
	results, err := g.write(ctx, params)
	if err != nil && len(line) > 1 && ctx.Err() == nil {
		for i := range line {
			g.writeLine(ctx, line[i:i+1])
		}
		return
	}
	for i, m := range line {
		if m.err = err; err == nil {
			m.result = results[i]
		}
		close(m.done)
	}
}
