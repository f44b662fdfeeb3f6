package pgstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/globaltask/gtf"
)

// Tx lets a task be scheduled within tx, a transaction of the caller on the same database (gtf.ScheduleOpts.Tx).
func Tx(tx pgx.Tx) gtf.Tx { return callerTx{tx} }

// SQLTx is Tx for a transaction of database/sql, of whatever PostgreSQL driver.
func SQLTx(tx *sql.Tx) gtf.Tx { return callerSQLTx{tx} }

type callerTx struct{ tx pgx.Tx }

type callerSQLTx struct{ tx *sql.Tx }

// Unwrap gives the pgx.Tx.
func (c callerTx) Unwrap() any { return c.tx }

// Unwrap gives the *sql.Tx.
func (c callerSQLTx) Unwrap() any { return c.tx }

// executor of a caller's transaction.
func (s *Store) executor(of gtf.Tx) (executor, error) {
	switch c := of.(type) {
	case callerTx:
		return pgxTx{s, c.tx}, nil
	case callerSQLTx:
		return sqlTx{s, c.tx}, nil
	}
	return nil, &gtf.ValidationError{Problems: []gtf.Problem{{
		Field: "tx", Reason: fmt.Sprintf("is a %T, must be made by pgstore.Tx or pgstore.SQLTx", of),
	}}}
}

// SubmitTx submits within the caller's transaction, and waits for locks as long as the caller's context and settings allow.
func (s *Store) SubmitTx(ctx context.Context, of gtf.Tx, subs []*gtf.Submission) ([]gtf.Submitted, error) {
	tx, err := s.executor(of)
	if err != nil {
		return nil, err
	}
	f := fold(subs)
	if err := tx.run(ctx, f.statement()); err != nil {
		return nil, explain(err)
	}
	if err := s.enqueue(ctx, tx, of, f.created()); err != nil {
		return nil, err
	}
	return f.answers()
}

// sqlTx runs statements in a transaction of database/sql.
type sqlTx struct {
	s  *Store
	tx *sql.Tx
}

func (t sqlTx) run(ctx context.Context, st statement) error {
	args, err := literals(st.args)
	if err != nil {
		return err
	}
	rows, err := t.tx.QueryContext(ctx, t.s.sql(st.query), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if st.row == nil {
			continue
		}
		if err := st.row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// literals writes arrays as PostgreSQL's text, which every driver passes on.
func literals(args []any) ([]any, error) {
	m := pgtype.NewMap()
	out := make([]any, len(args))
	for i, arg := range args {
		var oid uint32
		switch arg.(type) {
		case uuids:
			oid = pgtype.UUIDArrayOID
		case []string, []*string:
			oid = pgtype.TextArrayOID
		case []int64:
			oid = pgtype.Int8ArrayOID
		case []int32:
			oid = pgtype.Int4ArrayOID
		case []int16:
			oid = pgtype.Int2ArrayOID
		case []bool:
			oid = pgtype.BoolArrayOID
		case []pgtype.Timestamptz:
			oid = pgtype.TimestamptzArrayOID
		default:
			out[i] = arg
			continue
		}
		text, err := m.Encode(oid, pgtype.TextFormatCode, arg, nil)
		if err != nil {
			return nil, fmt.Errorf("encode argument %d: %w", i+1, err)
		}
		out[i] = string(text)
	}
	return out, nil
}
