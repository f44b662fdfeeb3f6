package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/globaltask/gtf"
)

// Tx lets a task be scheduled within tx, a transaction of the caller on the same file (gtf.ScheduleOpts.Tx). The caller
// opens the file by a SQLite driver of database/sql, in WAL mode and with a busy timeout. From the first task on the
// transaction holds SQLite's one write lock: keep it short, every other write of gtf waits for it, at most five seconds.
// Begin it with BEGIN IMMEDIATE (_txlock=immediate) if it reads before it writes, as always with SQLite.
//
// A database in memory cannot be shared like this.
func Tx(tx *sql.Tx) gtf.Tx { return callerTx{tx} }

type callerTx struct{ tx *sql.Tx }

// Unwrap gives the *sql.Tx.
func (c callerTx) Unwrap() any { return c.tx }

// SubmitTx submits by the caller's connection.
func (s *Store) SubmitTx(ctx context.Context, of gtf.Tx, subs []*gtf.Submission) (done []gtf.Submitted, err error) {
	caller, ok := of.(callerTx)
	switch {
	case !ok:
		return nil, badTx(fmt.Sprintf("is a %T, must be made by sqlitestore.Tx", of))
	case s.memory:
		return nil, badTx("cannot reach a database in memory, which has one connection")
	}
	stmts := map[string]*sql.Stmt{}
	defer func() {
		for _, stmt := range stmts {
			err = errors.Join(err, stmt.Close())
		}
	}()
	t := &tx{now: time.Now().UnixMicro(), prepare: func(query string) (*sql.Stmt, error) {
		s.count.Add(1)
		if stmts[query] == nil {
			stmt, err := caller.tx.PrepareContext(ctx, query)
			if err != nil {
				return nil, err
			}
			stmts[query] = stmt
		}
		return stmts[query], nil
	}}
	if _, err := caller.tx.ExecContext(ctx, "SAVEPOINT gtf"); err != nil {
		return nil, explain(err)
	}
	done = make([]gtf.Submitted, len(subs))
	for i, sub := range subs {
		if done[i], err = t.submit(sub); err != nil {
			_, undo := caller.tx.ExecContext(context.WithoutCancel(ctx), "ROLLBACK TO gtf; RELEASE gtf") // all or nothing, and the caller may go on
			return nil, explain(errors.Join(err, undo))
		}
	}
	if _, err := caller.tx.ExecContext(ctx, "RELEASE gtf"); err != nil {
		return nil, explain(err)
	}
	return done, nil
}

func badTx(reason string) error {
	return &gtf.ValidationError{Problems: []gtf.Problem{{Field: "tx", Reason: reason}}}
}
