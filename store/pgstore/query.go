package pgstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/globaltask/gtf"
)

// defaultSchema is how statements name the schema; another is put in its place.
const defaultSchema = "gtf"

// sql puts the schema in place.
func (s *Store) sql(query string) string {
	if s.opts.Schema == defaultSchema {
		return query
	}
	return strings.ReplaceAll(query, defaultSchema+".", s.schema+".")
}

// scanner reads the columns of one row.
type scanner func(dest ...any) error

// statement is a query and what to do with each of its rows.
type statement struct {
	query string
	args  []any
	row   func(row scanner) error // nil: no rows are expected
}

// lockTimeout is how long a grouped statement waits for a row that another transaction has locked.
const lockTimeout = 250 * time.Millisecond

// prelude bounds what follows in its transaction, and has it planned once for all arguments, whatever the statistics say:
// planning takes longer than claiming, and a plan made while the table was empty is kept while it fills. Should this process
// be cut off or frozen in the middle of the transaction, the server ends it.
const prelude = `SELECT set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true),
	set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true),
	set_config('enable_nestloop', $3, true), set_config('enable_hashjoin', $4, true), set_config('enable_mergejoin', 'off', true),
	set_config('enable_bitmapscan', 'off', true), set_config('enable_material', 'off', true),
	set_config('jit', 'off', true), set_config('idle_in_transaction_session_timeout', $2, true)`

// joining says how a statement joins its arguments: with rows of a table, one look into an index for each; with each other, by
// hashing, for they may be many.
type joining bool

const (
	withRows      joining = true
	withEachOther joining = false
)

// compare sorts withEachOther before withRows.
func (j joining) compare(other joining) int {
	switch j {
	case other:
		return 0
	case withEachOther:
		return -1
	default:
		return 1
	}
}

func (s *Store) preludeArgs(j joining, wait time.Duration) []any {
	return []any{millis(wait), millis(s.opts.StatementTimeout), strconv.FormatBool(bool(j)), strconv.FormatBool(!bool(j))}
}

func each(rows pgx.Rows, do func(row scanner) error) error {
	for rows.Next() {
		if err := do(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// executor is a transaction: pgx's, or one of database/sql that a caller gave.
type executor interface {
	run(ctx context.Context, st statement) error
}

// transaction runs work in one transaction, which waits for locked rows as long as given.
func (s *Store) transaction(ctx context.Context, j joining, wait time.Duration, work func(ctx context.Context, tx pgxTx) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.StatementTimeout)
	defer cancel()
	return explain(pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, prelude, s.preludeArgs(j, wait)...); err != nil {
			return err
		}
		return work(ctx, pgxTx{s, tx})
	}))
}

// pgxTx runs statements in a transaction of pgx.
type pgxTx struct {
	s  *Store
	tx pgx.Tx
}

func (t pgxTx) run(ctx context.Context, st statement) error {
	rows, err := t.tx.Query(ctx, t.s.sql(st.query), st.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	return each(rows, func(row scanner) error {
		if st.row == nil {
			return nil
		}
		return st.row(row)
	})
}

// look runs one statement by itself.
func (s *Store) look(ctx context.Context, query string, args []any, row func(row scanner) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.StatementTimeout)
	defer cancel()
	rows, err := s.pool.Query(ctx, s.sql(query), args...)
	if err != nil {
		return explain(err)
	}
	defer rows.Close()
	return explain(each(rows, row))
}

// single runs each statement by itself.
type single struct{ s *Store }

func (o single) run(ctx context.Context, st statement) error {
	return o.s.look(ctx, st.query, st.args, st.row)
}

// one runs one statement by itself, over the connections of the heartbeat, and tells whether it changed a row.
func (s *Store) one(ctx context.Context, query string, args ...any) (changed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.StatementTimeout)
	defer cancel()
	tag, err := s.vital.Exec(ctx, s.sql(query), args...)
	return tag.RowsAffected() > 0 && err == nil, explain(err)
}

// explain puts a sentinel where a caller should tell the cause.
func explain(err error) error {
	if err == nil {
		return nil
	}
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		if unreachable(err) {
			return fmt.Errorf("%w: %w", gtf.ErrUnavailable, err)
		}
		return err
	}
	switch {
	case e.Code == "55P03", e.Code == "40P01", e.Code == "40001": // lock timeout, deadlock, serialization
		return fmt.Errorf("%w: %w", gtf.ErrLocked, err)
	case e.Code == "25006":
		return fmt.Errorf("%w: %w", gtf.ErrReadOnly, err)
	case e.Code == "42P01", e.Code == "42703", e.Code == "3F000": // table, column, schema
		return fmt.Errorf("%w: %w", gtf.ErrSchema, err)
	case e.Code == "53100":
		return fmt.Errorf("the disk is full: %w", err)
	case e.Code == "57014", strings.HasPrefix(e.Code, "57P"), strings.HasPrefix(e.Code, "08"), strings.HasPrefix(e.Code, "53"):
		return fmt.Errorf("%w: %w", gtf.ErrUnavailable, err) // took too long, is going down, has no connection left
	}
	return err
}

// unreachable tells errors of the connection from others.
func unreachable(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.Timeout(err) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		pgconn.SafeToRetry(err) || strings.Contains(err.Error(), "conn closed")
}

// counter counts statements, but for the settings that a list brings along.
type counter struct{ n *atomic.Int64 }

// TraceQueryStart implements pgx.QueryTracer.
func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.n.Add(1)
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (c *counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TraceBatchStart implements pgx.BatchTracer.
func (c *counter) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

// TraceBatchQuery implements pgx.BatchTracer.
func (c *counter) TraceBatchQuery(_ context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	if data.SQL != planning {
		c.n.Add(1)
	}
}

// TraceBatchEnd implements pgx.BatchTracer.
func (c *counter) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// uuids is a uuid[] argument.
type uuids []gtf.ID

// Dimensions implements pgtype.ArrayGetter.
func (u uuids) Dimensions() []pgtype.ArrayDimension {
	return []pgtype.ArrayDimension{{Length: int32(len(u)), LowerBound: 1}}
}

// Index implements pgtype.ArrayGetter.
func (u uuids) Index(i int) any { return pgtype.UUID{Bytes: u[i], Valid: true} }

// IndexType implements pgtype.ArrayGetter.
func (u uuids) IndexType() any { return pgtype.UUID{} }

// uuid is a uuid argument.
func uuid(id gtf.ID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: true} }

// into reads a uuid.
func into(id *gtf.ID) *[16]byte { return (*[16]byte)(id) }

// instant reads a time; NULL is the zero time.
type instant struct{ to *time.Time }

// ScanTimestamptz implements pgtype.TimestamptzScanner.
func (i instant) ScanTimestamptz(v pgtype.Timestamptz) error {
	*i.to = time.Time{}
	if v.Valid {
		*i.to = v.Time.UTC()
	}
	return nil
}

// maybeText is JSON, or NULL if there is none.
func maybeText(raw []byte) *string {
	if raw == nil {
		return nil
	}
	text := string(raw)
	return &text
}

// millis is how settings are given.
func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// micros is how durations are stored.
func micros(d time.Duration) int64 { return int64(d / time.Microsecond) }

func duration(micros int64) time.Duration { return time.Duration(micros) * time.Microsecond }
