package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// writer is the one connection that writes. Its statements are prepared once, and run in one goroutine: SQLite needs a deep
// stack, and this one has grown it.
type writer struct {
	work  chan func()
	done  chan struct{}
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
	count *atomic.Int64
}

func newWriter(ctx context.Context, db *sql.DB, count *atomic.Int64) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &writer{work: make(chan func()), done: make(chan struct{}), conn: conn, stmts: map[string]*sql.Stmt{}, count: count}
	go func() {
		defer close(w.done)
		for f := range w.work {
			f()
		}
	}()
	return w, nil
}

func (w *writer) close() error {
	close(w.work)
	<-w.done
	var errs []error
	for _, stmt := range w.stmts {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(append(errs, w.conn.Close())...)
}

// run has f run by the writer's goroutine when it is its turn. ctx bounds the wait for that.
func (w *writer) run(ctx context.Context, f func() error) (err error) {
	done := make(chan struct{})
	turn := func() {
		defer close(done)
		err = f()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case w.work <- turn:
		<-done
		return err
	}
}

// tx is a write transaction. Its statements run without the caller's context: a short transaction is finished rather than
// broken off, and SQLite answers at once anyway.
type tx struct {
	w       *writer
	prepare func(query string) (*sql.Stmt, error)
	now     int64 // of the transaction
	version int64 // 0: not raised yet
}

// errNothing rolls a transaction back without an error.
var errNothing = errors.New("nothing to write")

// do runs one transaction when it is the caller's turn. ctx bounds the wait for it.
func (w *writer) do(ctx context.Context, work func(t *tx) error) error {
	return w.run(ctx, func() error { return w.transact(work) })
}

func (w *writer) transact(work func(t *tx) error) error {
	t := &tx{w: w, prepare: w.stmt}
	if _, err := t.exec("BEGIN IMMEDIATE"); err != nil {
		return explain(err)
	}
	committed := false
	defer func() {
		if !committed {
			_, rollback := t.exec("ROLLBACK") // also when work panics; after some errors SQLite has done it already
			_ = rollback
		}
	}()
	t.now = time.Now().UnixMicro() // with the lock held: the order of times is the order of commits
	if err := work(t); err != nil {
		if errors.Is(err, errNothing) {
			return nil
		}
		return explain(err)
	}
	if _, err := t.exec("COMMIT"); err != nil {
		return explain(err)
	}
	committed = true
	return nil
}

// peek works on the writer's connection outside a transaction.
func (w *writer) peek(ctx context.Context, work func(t *tx) error) error {
	return w.run(ctx, func() error { return explain(work(&tx{w: w, prepare: w.stmt, now: time.Now().UnixMicro()})) })
}

// one runs a single statement, which is a transaction of its own. args are made when it is the caller's turn, from the clock.
func (w *writer) one(ctx context.Context, query string, args func(now int64) []any) (changed bool, err error) {
	err = w.peek(ctx, func(t *tx) error {
		changed, err = t.changed(query, args(t.now)...)
		return err
	})
	return changed && err == nil, err
}

func (w *writer) stmt(query string) (*sql.Stmt, error) {
	w.count.Add(1)
	stmt, ok := w.stmts[query]
	if !ok {
		var err error
		if stmt, err = w.conn.PrepareContext(context.Background(), query); err != nil {
			return nil, fmt.Errorf("prepare %q: %w", query, err)
		}
		w.stmts[query] = stmt
	}
	return stmt, nil
}

func (t *tx) exec(query string, args ...any) (sql.Result, error) {
	stmt, err := t.prepare(query)
	if err != nil {
		return nil, err
	}
	return stmt.Exec(args...)
}

// changed runs a statement and tells whether it changed a row.
func (t *tx) changed(query string, args ...any) (bool, error) {
	res, err := t.exec(query, args...)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

func (t *tx) query(query string, args ...any) (*sql.Rows, error) {
	stmt, err := t.prepare(query)
	if err != nil {
		return nil, err
	}
	return stmt.Query(args...)
}

// row reads one row; found is false if there is none.
func (t *tx) row(dest []any, query string, args ...any) (found bool, err error) {
	stmt, err := t.prepare(query)
	if err != nil {
		return false, err
	}
	err = stmt.QueryRow(args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// raise gives a transaction its version and its time, which is not before that of the last, unless the clock was set back by
// more than a second: then a new era begins.
const raise = `
UPDATE versions SET n = n + 1, at = CASE WHEN ?1 < at - 1000000 THEN ?1 ELSE max(at, ?1) END,
	era = CASE WHEN ?1 < at - 1000000 THEN lower(hex(randomblob(8))) ELSE era END
RETURNING n, at`

// next is the transaction's version: one number for all it changes, raised once. From then on now is its time.
func (t *tx) next() (int64, error) {
	if t.version != 0 {
		return t.version, nil
	}
	_, err := t.row([]any{&t.version, &t.now}, raise, t.now)
	return t.version, err
}

// querier reads: a pooled connection, or the only one of a database in memory.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// snapshot reads one state of the file by all statements of work.
func (s *Store) snapshot(ctx context.Context, work func(q querier) error) error {
	if s.read == nil {
		return s.look(ctx, work) // nobody writes meanwhile
	}
	tx, err := s.read.BeginTx(ctx, nil)
	if err != nil {
		return explain(err)
	}
	err = work(counting{tx, &s.count})
	return explain(errors.Join(err, tx.Rollback()))
}

// look reads by one statement, or the whole of work for a database in memory.
func (s *Store) look(ctx context.Context, work func(q querier) error) error {
	if s.read != nil {
		return explain(work(counting{s.read, &s.count}))
	}
	return s.write.peek(ctx, func(t *tx) error { return work(counting{t.w.conn, &s.count}) })
}

type counting struct {
	querier
	count *atomic.Int64
}

func (c counting) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	c.count.Add(1)
	return c.querier.QueryContext(ctx, query, args...)
}

func (c counting) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	c.count.Add(1)
	return c.querier.QueryRowContext(ctx, query, args...)
}
