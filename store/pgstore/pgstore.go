// Package pgstore implements gtf.Store in PostgreSQL, from version 14 on.
//
// Any number of processes share one database. Workers claim with FOR UPDATE SKIP LOCKED, every time that is stored or
// compared is the database's, and signals go by LISTEN and NOTIFY on a connection of their own. The tables live in a schema
// of their own.
//
// A transaction pooler such as PgBouncer may stand between: then statements are not prepared by name, and signals do not
// arrive, so that clients poll, unless Options.ListenURL leads past it.
package pgstore

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/globaltask/gtf"
)

// Options says how to use a database.
type Options struct {
	// ChannelPrefix begins the name of the NOTIFY channel; the schema follows. Default "gtf:".
	ChannelPrefix string
	// ListenURL is where to LISTEN, if not where everything else goes: past a transaction pooler. Default: the same.
	ListenURL string
	// Migrate brings the schema up to date, making it if there is none. Default false: an older one is gtf.ErrSchema, and the
	// command gtf migrate mends it.
	Migrate bool
	// Schema holds the tables. Default "gtf".
	Schema string
	// StatementTimeout is how long one statement may take, and the wait for a connection. Default 10 s.
	StatementTimeout time.Duration
}

// Store is a schema in a PostgreSQL database.
type Store struct {
	opts   Options
	pool   *pgxpool.Pool
	own    bool          // the pool is to be closed
	vital  *pgxpool.Pool // for heartbeats alone, so that no load delays them
	schema string        // quoted
	count  atomic.Int64
	sigs   *signals
	marks  marks

	pipeline pipeline
	flights  sync.WaitGroup

	engine atomic.Pointer[gtf.Engine]
}

var (
	_ gtf.Store        = (*Store)(nil)
	_ gtf.SignalSource = (*Store)(nil)
	_ gtf.EngineStore  = (*Store)(nil)
	_ gtf.Wide         = (*Store)(nil)
)

// defaultConns is the size of Open's pool where the URL does not say pool_max_conns.
const defaultConns = 10

// Open connects to the database that url names: postgres://user:password@host:port/database, with the parameters of
// libpq and those of pgxpool, such as pool_max_conns (default 10). Three connections more serve heartbeats and signals. nil
// opts are the zero ones. ctx bounds the opening.
//
// Errors: gtf.ErrSchema if the schema is missing or older than this program and Migrate is not set; gtf.ErrUnavailable.
func Open(ctx context.Context, url string, opts *Options) (*Store, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("open PostgreSQL: %w", err) // pgx leaves the password out
	}
	if !strings.Contains(url, "pool_max_conns") {
		cfg.MaxConns = defaultConns
	}
	s, err := newStore(opts)
	if err != nil {
		return nil, err
	}
	s.own = true
	if cfg.ConnConfig.Tracer == nil {
		cfg.ConnConfig.Tracer = &counter{&s.count}
	}
	if err := s.suitPooler(ctx, cfg); err != nil {
		return nil, s.cannotOpen(cfg, err)
	}
	if s.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, s.cannotOpen(cfg, err)
	}
	if err := s.begin(ctx); err != nil {
		_ = s.Close()
		return nil, s.cannotOpen(cfg, err)
	}
	return s, nil
}

// New uses a pool of the caller's, who closes it after the store. Behind a transaction pooler its connections must be
// configured not to prepare statements by name (default_query_exec_mode=cache_describe). The pool's configuration also serves
// the three connections that the store opens beside it. Errors are those of Open.
func New(ctx context.Context, pool *pgxpool.Pool, opts *Options) (*Store, error) {
	s, err := newStore(opts)
	if err != nil {
		return nil, err
	}
	s.pool = pool
	if err := s.begin(ctx); err != nil {
		_ = s.Close()
		return nil, s.cannotOpen(pool.Config(), err)
	}
	return s, nil
}

func newStore(opts *Options) (*Store, error) {
	s := &Store{}
	if opts != nil {
		s.opts = *opts
	}
	o := &s.opts
	if o.ChannelPrefix == "" {
		o.ChannelPrefix = "gtf:"
	}
	if o.Schema == "" {
		o.Schema = defaultSchema
	}
	if o.StatementTimeout == 0 {
		o.StatementTimeout = 10 * time.Second
	}
	if o.StatementTimeout < time.Second {
		return nil, fmt.Errorf("open PostgreSQL: statement timeout is %v, must be at least 1s", o.StatementTimeout)
	}
	if !schemaName.MatchString(o.Schema) {
		return nil, fmt.Errorf("open PostgreSQL: schema is %q, must be at most %d lower-case letters, digits and _, no digit first", o.Schema, maxIdentifier)
	}
	if channel := o.ChannelPrefix + o.Schema; strings.ContainsRune(channel, 0) || len(channel) > maxIdentifier {
		return nil, fmt.Errorf("open PostgreSQL: channel is %q, must be at most %d bytes without NUL: shorten prefix or schema", channel, maxIdentifier)
	}
	s.schema = pgx.Identifier{o.Schema}.Sanitize() // it may be a word that SQL reserves
	return s, nil
}

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// maxIdentifier is how long names may be in PostgreSQL.
const maxIdentifier = 63

// begin checks the schema and prepares what works beside the pool.
func (s *Store) begin(ctx context.Context) (err error) {
	cfg := s.pool.Config()
	cfg.MinConns, cfg.MinIdleConns, cfg.MaxConns = 0, 0, 2
	if s.vital, err = pgxpool.NewWithConfig(context.WithoutCancel(ctx), cfg); err != nil {
		return err
	}
	if s.sigs, err = newSignals(s); err != nil {
		return err
	}
	if s.opts.Migrate {
		return s.Migrate(ctx)
	}
	return s.checkSchema(ctx)
}

func (s *Store) cannotOpen(cfg *pgxpool.Config, err error) error {
	return fmt.Errorf("open PostgreSQL at %s: %w", where(cfg.ConnConfig), explain(err))
}

// where names a database without secrets.
func where(cfg *pgx.ConnConfig) string {
	return fmt.Sprintf("%s:%d/%s", cfg.Host, cfg.Port, cfg.Database)
}

// suitPooler sees whether a pooler stands between: the process that the connection was told of is then not the one that
// answers. Behind one that changes servers between transactions a named statement may be gone.
func (s *Store) suitPooler(ctx context.Context, cfg *pgxpool.Config) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.StatementTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, cfg.ConnConfig)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	pooled, err := behindPooler(ctx, conn)
	if err == nil && pooled && cfg.ConnConfig.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	return err
}

func behindPooler(ctx context.Context, conn *pgx.Conn) (bool, error) {
	var pid uint32
	err := conn.QueryRow(ctx, "SELECT pg_backend_pid()", pgx.QueryExecModeExec).Scan(&pid)
	return pid != conn.PgConn().PID(), err
}

// Close closes what the store has opened. Clients must have been stopped.
func (s *Store) Close() error {
	s.flights.Wait()
	if s.vital != nil {
		s.vital.Close()
	}
	if s.own && s.pool != nil {
		s.pool.Close()
	}
	return nil
}

// InFlight says that two grouped statements of a kind are best: one is worked on while the other is on its way.
func (s *Store) InFlight() int { return 2 }

// Signals reaches every process on the same database and schema.
func (s *Store) Signals() gtf.Signals { return s.sigs }

// Statements counts what was sent to PostgreSQL since Open, for benchmarks and tests, but for the settings that go along with a
// list; 0 for a pool of the caller's.
func (s *Store) Statements() int64 { return s.count.Load() }

// Info describes the database.
func (s *Store) Info(ctx context.Context) (*gtf.StoreInfo, error) {
	info := &gtf.StoreInfo{Kind: "postgresql", Where: where(s.pool.Config().ConnConfig)}
	err := s.look(ctx, `SELECT current_setting('server_version'), (SELECT max(version_id) FROM gtf.migrations WHERE is_applied),
		pg_total_relation_size('gtf.tasks') + pg_total_relation_size('gtf.subscribers') + pg_total_relation_size('gtf.task_logs')`,
		nil, func(row scanner) error { return row(&info.Version, &info.Schema, &info.Bytes) })
	if err != nil {
		return nil, err
	}
	return info, nil
}

var errSilent = fmt.Errorf("a notification did not come back within %v", selfTest)

var errPooler = errors.New("LISTEN does not deliver: a transaction pooler stands between; let a listen URL lead past it")
