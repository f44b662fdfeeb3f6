// Package sqlitestore implements gtf.Store in a SQLite file.
//
// One connection writes, each transaction begun with BEGIN IMMEDIATE; a pool of others reads (WAL). Several processes may
// share one file on one machine: they exclude each other by SQLite's locks, and notice each other's commits within a tenth
// of a second. A file on a network file system is not supported, as always with SQLite.
//
// With the default setting synchronous=NORMAL a power failure may lose the last commits, never the file's consistency;
// Options.Synchronous "FULL" waits for the disk at each commit.
package sqlitestore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/globaltask/gtf"
)

// Options says how to open a store.
type Options struct {
	// MaxBytes is the largest size of the database; beyond it writes fail as on a full disk. Default: as the disk has room.
	MaxBytes int64
	// NoMigrate only checks the schema: an older one is gtf.ErrSchema. Default false: Open brings it up to date.
	NoMigrate bool
	// Readers is the number of connections that read. Default 4.
	Readers int
	// Synchronous is "NORMAL" or "FULL". Default "NORMAL".
	Synchronous string
}

// Store is a SQLite file, or a database in memory.
type Store struct {
	path   string
	write  *writer
	read   *sql.DB // the writer's own connection for a database in memory
	writeD *sql.DB
	memory bool
	count  atomic.Int64
	sigs   *signals
}

var (
	_ gtf.Store        = (*Store)(nil)
	_ gtf.SignalSource = (*Store)(nil)
)

//go:embed migrations/*.sql
var migrations embed.FS

// pageSize is SQLite's default.
const pageSize = 4096

// busyTimeout is how long a statement waits for other processes to let go of the file.
const busyTimeout = "5000"

// Open opens the file at path, creating it if there is none, and brings its schema up to date. ":memory:" is a database in
// memory that ends with the store. nil opts are the zero ones.
//
// Errors: gtf.ErrReadOnly for a file that cannot be written, gtf.ErrSchema with NoMigrate.
func Open(ctx context.Context, path string, opts *Options) (*Store, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	switch o.Synchronous = strings.ToUpper(o.Synchronous); o.Synchronous {
	case "":
		o.Synchronous = "NORMAL"
	case "NORMAL", "FULL":
	default:
		return nil, fmt.Errorf("open %s: synchronous is %q, must be NORMAL or FULL", path, o.Synchronous)
	}
	if o.Readers == 0 {
		o.Readers = 4
	}
	s := &Store{path: path, memory: path == ":memory:"}
	s.sigs = newSignals(s)
	if err := s.open(ctx, o); err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, o Options) (err error) {
	if !s.memory {
		if s.path, err = filepath.Abs(s.path); err != nil {
			return err
		}
		if err := writable(s.path); err != nil {
			return err
		}
	}
	pragmas := []string{"synchronous(" + o.Synchronous + ")", "temp_store(memory)", "cache_size(-65536)", "wal_autocheckpoint(4000)"}
	if o.MaxBytes > 0 {
		pragmas = append(pragmas, fmt.Sprintf("max_page_count(%d)", o.MaxBytes/pageSize))
	}
	if s.writeD, err = sql.Open("sqlite", dsn(s.path, pragmas...)); err != nil {
		return err
	}
	s.writeD.SetMaxOpenConns(1)
	s.writeD.SetMaxIdleConns(1)
	if err := s.migrate(ctx, o.NoMigrate); err != nil {
		return explain(err)
	}
	if s.write, err = newWriter(ctx, s.writeD, &s.count); err != nil {
		return explain(err)
	}
	if s.memory {
		return nil
	}
	if s.read, err = sql.Open("sqlite", dsn(s.path, "query_only(1)")); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(o.Readers)
	s.read.SetMaxIdleConns(o.Readers)
	return nil
}

// dsn names a database with the pragmas of every connection.
func dsn(path string, pragmas ...string) string {
	q := url.Values{"_pragma": append([]string{"busy_timeout(" + busyTimeout + ")", "journal_mode(WAL)", "foreign_keys(1)"}, pragmas...)}
	if path == ":memory:" {
		return ":memory:?" + q.Encode()
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: q.Encode()}).String()
}

// writable finds out early what SQLite would say only at the first write.
func writable(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, fs.ErrPermission) || err != nil && strings.Contains(err.Error(), "read-only") {
		return fmt.Errorf("%w: %w", gtf.ErrReadOnly, err)
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// migrate brings the schema up to date, one process at a time: goose runs each step in a transaction, and a step that
// another process has done meanwhile is found done.
func (s *Store) migrate(ctx context.Context, checkOnly bool) error {
	provider, err := s.provider()
	if err != nil {
		return err
	}
	for range 10 {
		var pending bool
		if pending, err = provider.HasPending(ctx); err != nil {
			continue // another process is making the first table
		}
		if !pending {
			return nil
		}
		if checkOnly {
			return fmt.Errorf("%w: run gtf migrate", gtf.ErrSchema)
		}
		_, err = provider.Up(ctx)
	}
	return fmt.Errorf("migrate: %w", err)
}

func (s *Store) provider() (*goose.Provider, error) {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, s.writeD, dir,
		goose.WithTableName("gtf_migrations"), goose.WithDisableGlobalRegistry(true))
}

// Close closes the file. Clients must have been stopped.
func (s *Store) Close() error {
	var errs []error
	if s.write != nil {
		errs = append(errs, s.write.close())
	}
	if s.read != nil {
		errs = append(errs, s.read.Close())
	}
	if s.writeD != nil {
		errs = append(errs, s.writeD.Close())
	}
	return errors.Join(errs...)
}

// Signals wakes the clients of this store in this process, and those of other processes on the same file.
func (s *Store) Signals() gtf.Signals { return s.sigs }

// Statements counts what was sent to SQLite since Open, for benchmarks and tests.
func (s *Store) Statements() int64 { return s.count.Load() }

// Info describes the file.
func (s *Store) Info(ctx context.Context) (*gtf.StoreInfo, error) {
	info := &gtf.StoreInfo{Kind: "sqlite", Where: s.path}
	return info, s.look(ctx, func(q querier) error {
		err := q.QueryRowContext(ctx, `SELECT sqlite_version(),
			(SELECT max(version_id) FROM gtf_migrations WHERE is_applied),
			(SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)`).
			Scan(&info.Version, &info.Schema, &info.Bytes)
		return err
	})
}

// explain puts a sentinel where a caller should tell the cause.
func explain(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY: // another process, or a transaction of the caller, has the file for longer than busyTimeout
		return fmt.Errorf("%w: %w", gtf.ErrLocked, err)
	case sqlite3.SQLITE_READONLY:
		return fmt.Errorf("%w: %w", gtf.ErrReadOnly, err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("the disk is full: %w", err)
	}
	return err
}
