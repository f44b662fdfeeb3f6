// Package riverengine has River deliver the tasks of a PostgreSQL store.
//
// River only delivers: a job holds the id of a task, and the row of the task stays the truth. A claim on it decides who
// runs, so time limits, retries, cancels and the rescue of lost work are gtf's; River's own are switched off as far as it
// lets them be. Every job is a second row beside the task's, so this is slower than the store's own queue. It is for those
// who run River already and want to see and pause the delivery by its tools.
package riverengine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"github.com/globaltask/gtf"
)

// DefaultSchema holds River's tables unless Options say otherwise.
const DefaultSchema = "gtf_river"

// Options says how to use River; nil are the zero ones.
type Options struct {
	// FetchCooldown is the least time between two looks into a queue. A queue with n slots begins at most n tasks in that
	// time, and a task waits up to that long for the next look. Default 10 ms.
	FetchCooldown time.Duration
	// FetchPollInterval is how often each queue is looked into without a notification: how exactly a due time is kept, and
	// one statement per queue and process each time. Default 1 s.
	FetchPollInterval time.Duration
	// Logger gets what River says. Default slog.Default(), warnings and errors only.
	Logger *slog.Logger
	// PollOnly does without LISTEN, for a pool that leads to a transaction pooler. Default false.
	PollOnly bool
	// Retention is how long jobs that are done with stay to be seen; gtf.None keeps them for ever. Shared, the application's
	// clients decide. Default 1 min.
	Retention time.Duration
	// Schema holds River's tables. Two stores in one database need two. Default DefaultSchema; Shared, wherever the
	// connection's search_path finds them.
	Schema string
	// Shared says that the tables are also those of the application's own River clients, and only those know the application's
	// jobs: they do the maintenance, and at least one has to run. Default false: gtf's clients do it.
	Shared bool
}

// Engine is a gtf.Engine. Its methods may be called by many goroutines, and any number of clients may share it.
type Engine struct {
	pool   *pgxpool.Pool
	opts   Options
	pgx    *riverpgxv5.Driver
	sql    *riverdatabasesql.Driver // for callers' transactions alone
	prefix string                   // of River's tables
}

var _ gtf.Engine = (*Engine)(nil)

// schemas are the names that River accepts.
var schemas = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// New makes an engine that works over pool, which leads to the database of the store and may be the store's own. Each
// delivering client takes a connection out of it to LISTEN. Nothing is read or written yet; [Engine.Migrate] makes the tables.
func New(pool *pgxpool.Pool, opts *Options) (*Engine, error) {
	e := &Engine{pool: pool, pgx: riverpgxv5.New(pool), sql: riverdatabasesql.New(nil)}
	if opts != nil {
		e.opts = *opts
	}
	o := &e.opts
	o.FetchCooldown = cmp.Or(o.FetchCooldown, 10*time.Millisecond)
	o.FetchPollInterval = cmp.Or(o.FetchPollInterval, max(time.Second, o.FetchCooldown))
	o.Retention = cmp.Or(o.Retention, time.Minute)
	if o.Logger == nil {
		o.Logger = slog.New(loud{slog.Default().Handler()})
	}
	if o.Schema == "" && !o.Shared {
		o.Schema = DefaultSchema
	}
	if o.Schema != "" {
		if !schemas.MatchString(o.Schema) {
			return nil, fmt.Errorf("use River: schema is %q, must be letters, digits and _, no digit first", o.Schema)
		}
		e.prefix = pgx.Identifier{o.Schema}.Sanitize() + "."
	}
	if _, err := river.NewClient(e.pgx, e.config()); err != nil { // River checks the rest
		return nil, fmt.Errorf("use River: %w", err)
	}
	return e, nil
}

// config is what all of River's clients have in common.
func (e *Engine) config() *river.Config {
	return &river.Config{
		CompletedJobRetentionPeriod: e.opts.Retention,
		FetchCooldown:               e.opts.FetchCooldown,
		FetchPollInterval:           e.opts.FetchPollInterval,
		Hooks:                       []rivertype.Hook{&insertion{}},
		LeaderElectionDisabled:      e.opts.Shared,
		Logger:                      e.opts.Logger,
		MaxAttempts:                 endless,
		PollOnly:                    e.opts.PollOnly,
		Schema:                      e.opts.Schema,
	}
}

// migrateLock is held by whoever migrates: River's migrations do not exclude each other.
const migrateLock = 0x6774665f72697672

// Migrate makes the schema, brings River's tables in it to the version that this program needs, and adds an index of what
// waits. Several processes may call it at once. It needs two connections of the pool.
func (e *Engine) Migrate(ctx context.Context) error {
	m, err := rivermigrate.New(e.pgx, &rivermigrate.Config{Logger: e.opts.Logger, Schema: e.opts.Schema})
	if err != nil {
		return fmt.Errorf("migrate River: %w", err)
	}
	err = pgx.BeginFunc(ctx, e.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrateLock)); err != nil {
			return err
		}
		if err := e.makeSchema(ctx); err != nil {
			return err
		}
		if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
			return err
		}
		_, err := e.pool.Exec(ctx, e.index())
		return err
	})
	if err != nil {
		return fmt.Errorf("migrate River: %w", err)
	}
	return nil
}

// makeSchema leaves a schema that is there alone: who made it may have the right to, and this program not. It is not part of the
// transaction that holds the lock, for the migrations have to see it.
func (e *Engine) makeSchema(ctx context.Context) error {
	var there bool
	err := e.pool.QueryRow(ctx, "SELECT $1 = '' OR EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", e.opts.Schema).Scan(&there)
	if err == nil && !there {
		_, err = e.pool.Exec(ctx, "CREATE SCHEMA "+pgx.Identifier{e.opts.Schema}.Sanitize())
	}
	return err
}

// explain says what to do about tables that are not there.
func explain(err error) error {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && (e.Code == "42P01" || e.Code == "42703" || e.Code == "3F000") {
		return fmt.Errorf("%w: River's tables are missing or old, Engine.Migrate mends them", err)
	}
	return err
}

// loud keeps what River tells of every start and retry from those who did not ask for it.
type loud struct{ slog.Handler }

// Enabled implements slog.Handler.
func (h loud) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (h loud) WithAttrs(attrs []slog.Attr) slog.Handler { return loud{h.Handler.WithAttrs(attrs)} }

// WithGroup implements slog.Handler.
func (h loud) WithGroup(name string) slog.Handler { return loud{h.Handler.WithGroup(name)} }
