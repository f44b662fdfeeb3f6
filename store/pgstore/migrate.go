package pgstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"github.com/globaltask/gtf"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the schema up to date, making it if there is none. Many processes may try at once: each step is one
// transaction under an advisory lock of that transaction, which also works behind a transaction pooler.
func (s *Store) Migrate(ctx context.Context) error {
	db := stdlib.OpenDBFromPool(s.pool)
	defer db.Close()
	if err := s.createSchema(ctx, db); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	provider, err := s.provider(db)
	if err != nil {
		return err
	}
	for range 10 {
		if _, err = provider.Up(ctx); err == nil {
			return nil
		}
		if still, checkErr := provider.HasPending(ctx); checkErr == nil && !still {
			return nil // another process was faster
		}
	}
	return fmt.Errorf("migrate: %w", err)
}

// createSchema looks first: IF NOT EXISTS asks for the right to create also where there is nothing to do.
func (s *Store) createSchema(ctx context.Context, db *sql.DB) error {
	var there bool
	if err := db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)", s.opts.Schema).Scan(&there); err != nil || there {
		return err
	}
	if _, err := db.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+s.schema); err != nil && !isRace(err) {
		return err
	}
	return nil
}

// errDone rolls a step back that another process has done meanwhile.
var errDone = errors.New("another process has done it")

// isRace tells that another process did the same at the same time: IF NOT EXISTS does not help against that.
func isRace(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "23505" || e.Code == "42P06")
}

// provider has the schema's name put into every step, so that they are functions and not files.
func (s *Store) provider(db *sql.DB) (*goose.Provider, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	var steps []*goose.Migration
	for _, name := range names {
		text, err := migrations.ReadFile(name)
		if err != nil {
			return nil, err
		}
		version, err := goose.NumericComponent(name)
		if err != nil {
			return nil, err
		}
		query := strings.ReplaceAll(string(text), defaultSchema+".", s.schema+".")
		steps = append(steps, goose.NewGoMigration(version, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", s.opts.ChannelPrefix+s.opts.Schema); err != nil {
				return err
			}
			done := false
			if err := tx.QueryRowContext(ctx, s.sql("SELECT EXISTS (SELECT 1 FROM gtf.migrations WHERE version_id = $1 AND is_applied)"),
				version).Scan(&done); err != nil || done {
				return errors.Join(err, errDone)
			}
			_, err := tx.ExecContext(ctx, query, pgx.QueryExecModeSimpleProtocol) // several statements in one
			return err
		}}, nil))
	}
	versions, err := database.NewStore(database.DialectPostgres, s.schema+".migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectCustom, db, nil,
		goose.WithStore(quoted{versions}), goose.WithDisableGlobalRegistry(true), goose.WithGoMigrations(steps...))
}

// quoted finds a table whose name is in quotes, which goose takes for a part of it.
type quoted struct{ database.Store }

// TableExists tells whether there is a record of migrations.
func (q quoted) TableExists(ctx context.Context, db database.DBTxConn) (exists bool, err error) {
	err = db.QueryRowContext(ctx, "SELECT to_regclass($1) IS NOT NULL", q.Tablename()).Scan(&exists)
	return exists, err
}

// checkSchema accepts this program's schema and newer ones: they only expand.
func (s *Store) checkSchema(ctx context.Context) error {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	need, err := goose.NumericComponent(names[len(names)-1])
	if err != nil {
		return err
	}
	var have int64
	err = s.look(ctx, "SELECT coalesce(max(version_id), 0) FROM gtf.migrations WHERE is_applied", nil,
		func(row scanner) error { return row(&have) })
	switch {
	case errors.Is(err, gtf.ErrSchema):
		return fmt.Errorf("%w: there are no tables in schema %s: run gtf migrate", gtf.ErrSchema, s.opts.Schema)
	case err != nil:
		return err
	case have < need:
		return fmt.Errorf("%w: schema %s is at %d, this program needs %d: run gtf migrate", gtf.ErrSchema, s.opts.Schema, have, need)
	}
	return nil
}
