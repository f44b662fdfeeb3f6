package pgstore

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/globaltask/gtf"
)

// pipeline lets calls of different kinds share a transaction, and so a commit: submits, claims and finishes that wait while
// others are in flight go together. A commit costs as much as the rows of ten tasks.
type pipeline struct {
	mu     sync.Mutex
	line   []*passenger
	flying int
}

// passenger is one call: its statements, which are asked for at each try and then forget what was answered before, and the
// outcome.
type passenger struct {
	joining joining
	build   func() []statement
	done    chan error // holds one
}

const pipelines = 2 // in flight at a time

// shared runs statements in a transaction that other calls may share. If it fails, each call has one of its own. With the
// statements in flight the end of ctx leaves them be, and their outcome unknown.
func (s *Store) shared(ctx context.Context, j joining, build func() []statement) error {
	p := &passenger{joining: j, build: build, done: make(chan error, 1)}
	l := &s.pipeline
	l.mu.Lock()
	l.line = append(l.line, p)
	if l.flying < pipelines {
		l.flying++
		s.flights.Go(s.fly)
	}
	l.mu.Unlock()
	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line = slices.DeleteFunc(l.line, func(other *passenger) bool { return other == p })
	return ctx.Err()
}

// grouped runs the statements of a group that writes so many rows. A single row goes alone: it may be one that another
// transaction has locked, and all who share its transaction would wait with it.
func (s *Store) grouped(ctx context.Context, j joining, rows int, build func() []statement) error {
	if rows == 1 {
		return s.alone(ctx, j, build()...)
	}
	return s.shared(ctx, j, build)
}

// fly takes the whole line, again and again, until there is none.
func (s *Store) fly() {
	l := &s.pipeline
	for {
		l.mu.Lock()
		line := l.line
		l.line = nil
		if len(line) == 0 {
			l.flying--
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		err := s.send(context.Background(), line)
		if err != nil && len(line) > 1 && !errors.Is(err, gtf.ErrUnavailable) {
			for _, p := range line { // rolled back: each by itself, in its turn
				p.done <- s.send(context.Background(), []*passenger{p})
			}
			continue
		}
		for _, p := range line {
			p.done <- err
		}
	}
}

// alone runs statements as a transaction of their own.
func (s *Store) alone(ctx context.Context, j joining, statements ...statement) error {
	return s.send(ctx, []*passenger{{joining: j, build: func() []statement { return statements }}})
}

// send runs the statements of calls in one transaction and one round trip, waiting for locked rows only for a moment.
func (s *Store) send(ctx context.Context, line []*passenger) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.StatementTimeout)
	defer cancel()
	// What joins its arguments with each other comes first: submits, whose tasks a claim behind them may take already.
	slices.SortStableFunc(line, func(a, b *passenger) int { return a.joining.compare(b.joining) })
	b := &pgx.Batch{}
	for i, p := range line {
		if i == 0 || p.joining != line[i-1].joining {
			b.Queue(prelude, s.preludeArgs(p.joining, lockTimeout)...)
		}
		s.queue(b, p.build())
	}
	return explain(s.pool.SendBatch(ctx, b).Close())
}

// queue adds statements to a batch.
func (s *Store) queue(b *pgx.Batch, statements []statement) {
	for _, st := range statements {
		q := b.Queue(s.sql(st.query), st.args...)
		if st.row != nil {
			q.Query(func(rows pgx.Rows) error { return each(rows, st.row) })
		}
	}
}
