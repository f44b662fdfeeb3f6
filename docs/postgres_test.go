package docs_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/gtftest"
	"github.com/globaltask/gtf/internal/dbtest"
	"github.com/globaltask/gtf/store/pgstore"
)

// What docs/how-to/postgresql.md shows and no example has.

var receipt = gtf.Define[string, string]("order.receipt", &gtf.DefineOpts[string]{Scope: gtf.ScopeSystem})

func sendReceipt(_ context.Context, customer string) (string, error) {
	return "receipt for " + customer, nil
}

// open is the short way to a client.
func open(ctx context.Context, url string, handlers []gtf.Handler) (*pgstore.Store, *gtf.Client, error) {
	store, err := pgstore.Open(ctx, url, nil)
	if err != nil {
		return nil, nil, err // gtf.ErrSchema: run gtf migrate
	}
	client, err := gtf.New(store, &gtf.Config{Handlers: handlers})
	return store, client, err
}

// openPool has a pool that the program uses for its own tables, too.
func openPool(ctx context.Context, url string) (*pgxpool.Pool, *pgstore.Store, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, nil, err
	}
	cfg.MaxConns = 20
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	store, err := pgstore.New(ctx, pool, nil) // close the pool after the store
	return pool, store, err
}

// orderWithReceipt stores an order and the task that sends its receipt, by database/sql.
func orderWithReceipt(ctx context.Context, db *sql.DB, client *gtf.Client, customer string) (*gtf.Handle[string], error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // after the commit it does nothing
	if _, err := tx.ExecContext(ctx, "INSERT INTO orders (customer) VALUES ($1)", customer); err != nil {
		return nil, err
	}
	h, err := receipt.Schedule(ctx, client, customer, &gtf.ScheduleOpts{Tx: pgstore.SQLTx(tx)})
	if err != nil {
		return nil, err
	}
	return h, tx.Commit()
}

func TestPostgresSnippets(t *testing.T) {
	t.Parallel()
	url := dbtest.Postgres(t)
	if _, _, err := open(t.Context(), url, nil); !errors.Is(err, gtf.ErrSchema) {
		t.Errorf("an empty database is %v, want ErrSchema", err)
	}
	if store, err := pgstore.Open(t.Context(), url, &pgstore.Options{Migrate: true}); err != nil {
		t.Fatal(err)
	} else if err := store.Close(); err != nil {
		t.Fatal(err)
	}

	t.Run("a transaction of database/sql takes a task along", func(t *testing.T) {
		t.Parallel()
		store, client, err := open(t.Context(), url, []gtf.Handler{receipt.Handler(sendReceipt)})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := errors.Join(client.Stop(context.WithoutCancel(t.Context())), store.Close()); err != nil {
				t.Error(err)
			}
		}()
		if err := client.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		db, err := sql.Open("pgx", url)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := orderWithReceipt(t.Context(), db, client, "Ada"); err == nil {
			t.Error("without a table for orders there was no error")
		}
		if _, err := db.ExecContext(t.Context(), "CREATE TABLE orders (customer text)"); err != nil {
			t.Fatal(err)
		}
		h, err := orderWithReceipt(t.Context(), db, client, "Ada")
		if err != nil {
			t.Fatal(err)
		}
		if got, want := gtftest.Wait(t, h), "receipt for Ada"; got != want {
			t.Errorf("the task returned %q, want %q", got, want)
		}
	})

	t.Run("a pool of the program's own does", func(t *testing.T) {
		t.Parallel()
		pool, store, err := openPool(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		if info, err := store.Info(t.Context()); err != nil || info.Kind != "postgresql" {
			t.Errorf("Info returned %+v and %v", info, err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
}
