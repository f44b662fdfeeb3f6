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

	"github.com/globaltask/gtf"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the schema up to date, making it if there is none. Many processes may try at once: each step is one
// transaction under an advisory lock of that transaction, which also works behind a transaction pooler.
func (s *Store) Migrate(ctx context.Context) error {
	db := stdlib.OpenDBFromPool(s.pool)
	defer db.Close()
	if _, err := db.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+s.schema); err != nil && !isRace(err) {
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
			_, err := tx.ExecContext(ctx, query, pgx.QueryExecModeSimpleProtocol) // several statements in one
			return err
		}}, nil))
	}
	return goose.NewProvider(goose.DialectPostgres, db, nil,
		goose.WithTableName(s.opts.Schema+".migrations"), goose.WithDisableGlobalRegistry(true), goose.WithGoMigrations(steps...))
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
