package riverengine_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/engine/riverengine"
	"github.com/globaltask/gtf/internal/dbtest"
	"github.com/globaltask/gtf/store/pgstore"
)

// What docs/how-to/river.md shows.

func deliverByRiver(ctx context.Context, pool *pgxpool.Pool, store *pgstore.Store, handlers []gtf.Handler) (*gtf.Client, error) {
	engine, err := riverengine.New(pool, nil)
	if err != nil {
		return nil, err
	}
	if err := engine.Migrate(ctx); err != nil { // River's tables, in the schema gtf_river
		return nil, err
	}
	return gtf.New(store, &gtf.Config{Engine: engine, Handlers: handlers})
}

func TestHowTo(t *testing.T) {
	t.Parallel()
	ctx, pool := t.Context(), connect(t, dbtest.Postgres(t))
	store, err := pgstore.New(ctx, pool, &pgstore.Options{Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	client, err := deliverByRiver(ctx, pool, store, []gtf.Handler{work.Handler(echo)})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(ctx); err != nil {
		t.Fatal(err)
	}
	wait(t, schedule(t, client, nil))
	stopping, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := client.Stop(stopping); err != nil {
		t.Errorf("Stop: %v", err)
	}
}
