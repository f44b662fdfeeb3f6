package riverengine_test

import (
	"context"
	"database/sql"
	"log/slog"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/engine/enginetest"
	"github.com/globaltask/gtf/engine/riverengine"
	"github.com/globaltask/gtf/internal/dbtest"
	"github.com/globaltask/gtf/store/pgstore"
)

// rig is a store with River in a database of its own.
type rig struct {
	url    string
	pool   *pgxpool.Pool
	store  *pgstore.Store
	engine *riverengine.Engine
}

// open makes one until the test ends.
func open(t *testing.T, opts *riverengine.Options) *rig {
	t.Helper()
	return openAt(t, dbtest.Postgres(t), opts)
}

func openAt(t *testing.T, url string, opts *riverengine.Options) *rig {
	t.Helper()
	r := &rig{url: url, pool: connect(t, url)}
	var err error
	if r.store, err = pgstore.New(t.Context(), r.pool, &pgstore.Options{Migrate: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.store.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	var own riverengine.Options
	if opts != nil {
		own = *opts
	}
	if own.Logger == nil {
		own.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	if r.engine, err = riverengine.New(r.pool, &own); err != nil {
		t.Fatal(err)
	}
	if err := r.engine.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

func connect(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	cfg.MaxConns = 8
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// count counts jobs of River.
func (r *rig) count(t *testing.T, where string) (n int) {
	t.Helper()
	if err := r.pool.QueryRow(t.Context(), "SELECT count(*) FROM gtf_river.river_job WHERE "+where).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestEnginePassesTheSuite(t *testing.T) {
	t.Parallel()
	var rigs sync.Map // by store and by engine
	find := func(t *testing.T, of any) *rig {
		t.Helper()
		r, ok := rigs.Load(of)
		if !ok {
			t.Fatalf("a %T that was not opened here", of)
		}
		return r.(*rig) //nolint:errcheck // nothing else is in it
	}
	enginetest.Run(t, func(t *testing.T) (gtf.Store, gtf.Engine) {
		r := open(t, nil)
		rigs.Store(r.store, r)
		rigs.Store(r.engine, r)
		return r.store, r.engine
	}, &enginetest.Options{
		Begin: map[string]func(*testing.T, gtf.Store) (gtf.Tx, func(bool) error){
			"pgx":          func(t *testing.T, s gtf.Store) (gtf.Tx, func(bool) error) { return find(t, s).begin(t) },
			"database/sql": func(t *testing.T, s gtf.Store) (gtf.Tx, func(bool) error) { return find(t, s).beginSQL(t) },
		},
		Jobs: func(t *testing.T, e gtf.Engine) int {
			return find(t, e).count(t, "state NOT IN ('completed', 'cancelled', 'discarded')")
		},
		Lose: func(t *testing.T, e gtf.Engine) {
			if _, err := find(t, e).pool.Exec(t.Context(), "DELETE FROM gtf_river.river_job"); err != nil {
				t.Fatal(err)
			}
		},
	})
}

func (r *rig) begin(t *testing.T) (gtf.Tx, func(commit bool) error) {
	t.Helper()
	tx, err := r.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return pgstore.Tx(tx), func(commit bool) error {
		if commit {
			return tx.Commit(context.Background())
		}
		return tx.Rollback(context.Background())
	}
}

func (r *rig) beginSQL(t *testing.T) (gtf.Tx, func(commit bool) error) {
	t.Helper()
	db, err := sql.Open("pgx", r.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return pgstore.SQLTx(tx), func(commit bool) error {
		if commit {
			return tx.Commit()
		}
		return tx.Rollback()
	}
}
