package gtf

import (
	"context"
	"errors"
	"slices"
	"time"
)

// lockPause is how long it takes until a row is asked for again that another transaction has locked.
const lockPause = 20 * time.Millisecond

// part has each row of a line written by itself. However many wait for one row, they need one connection of the database
// between them; and all rows together only a few, so that the others find some free.
func (g *group[P, R]) part(line []*member[P, R], err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range line {
		row := g.row(m.param)
		waiting, ok := g.apart[row]
		if !ok && !g.spawn(func(ctx context.Context) { g.writeRow(ctx, row) }) {
			answer([]*member[P, R]{m}, nil, err)
			continue
		}
		g.apart[row] = append(waiting, m)
	}
}

// writeRow writes for those who wait for a row, until nobody does.
func (g *group[P, R]) writeRow(ctx context.Context, row string) {
	for turn := g.tries; ; turn = g.retries {
		select {
		case turn <- struct{}{}:
		case <-ctx.Done():
			g.refuse(row, ctx.Err())
			return
		}
		members := g.waiting(row)
		if members == nil {
			<-turn
			return
		}
		results, err := g.write(ctx, params(members))
		<-turn
		switch {
		case errors.Is(err, ErrLocked):
			select {
			case <-ctx.Done():
				g.refuse(row, err)
				return
			case <-time.After(lockPause):
			}
			continue
		case err != nil && len(members) > 1 && !errors.Is(err, ErrUnavailable):
			g.writeEach(ctx, members)
		default:
			answer(members, results, err)
		}
		if g.depart(row, members); g.waiting(row) == nil {
			return
		}
	}
}

// writeEach writes members of one row one after the other, each with its own error.
func (g *group[P, R]) writeEach(ctx context.Context, members []*member[P, R]) {
	for _, m := range members {
		results, err := g.write(ctx, []P{m.param})
		answer([]*member[P, R]{m}, results, err)
	}
}

// waiting lists who waits for a row; with nobody the row is forgotten.
func (g *group[P, R]) waiting(row string) []*member[P, R] {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.apart[row] = slices.DeleteFunc(g.apart[row], func(m *member[P, R]) bool {
		select {
		case <-m.gone:
			return true
		default:
			return false
		}
	})
	if len(g.apart[row]) == 0 {
		delete(g.apart, row)
		return nil
	}
	return slices.Clone(g.apart[row])
}

// refuse answers all who wait for a row with an error.
func (g *group[P, R]) refuse(row string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	answer(g.apart[row], nil, err)
	delete(g.apart, row)
}

// depart takes members off those who wait for a row.
func (g *group[P, R]) depart(row string, members []*member[P, R]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.apart[row] = slices.DeleteFunc(g.apart[row], func(m *member[P, R]) bool { return slices.Contains(members, m) })
}
