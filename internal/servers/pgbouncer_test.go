package servers_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/globaltask/gtf/internal/servers"
)

// connectSimply asks without preparing, which is all that PgBouncer allows.
func connectSimply(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	conn, err := pgx.ConnectConfig(within(t, 20*time.Second), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func number(t *testing.T, conn *pgx.Conn, query string) (n int) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func TestPgBouncer(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, nil)
	if err := p.CreateDatabase(t.Context(), "other"); err != nil {
		t.Fatal(err)
	}
	b, err := servers.StartPgBouncer(t.Context(), p.URL(), &servers.PgBouncerOptions{Settings: map[string]string{"default_pool_size": "1"}})
	skipMissing(t, err)
	t.Cleanup(func() {
		if err := b.Stop(); err != nil {
			t.Error(err)
		}
	})
	t.Run("gives its clients one connection in turn", func(t *testing.T) {
		const whose = "SELECT pg_backend_pid()"
		one, two := connectSimply(t, b.URL()), connectSimply(t, b.URL())
		if first, second := number(t, one, whose), number(t, two, whose); first != second {
			t.Errorf("the clients have the connections %d and %d, want the same", first, second)
		}
		tx, err := one.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback(context.Background()) }()
		if _, err := two.Exec(within(t, 200*time.Millisecond), "SELECT 1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("during another's transaction the error is %v, want a deadline", err)
		}
	})
	t.Run("knows all databases of the server", func(t *testing.T) {
		var name string
		if err := connectSimply(t, b.URLFor("other")).QueryRow(t.Context(), "SELECT current_database()::text").Scan(&name); err != nil || name != "other" {
			t.Errorf("the database is %q (error %v), want other", name, err)
		}
	})
	t.Run("has a console", func(t *testing.T) {
		console := connectSimply(t, b.AdminURL())
		for _, command := range []string{"PAUSE postgres", "RESUME postgres", "SHOW POOLS"} {
			if _, err := console.Exec(t.Context(), command); err != nil {
				t.Errorf("%s: %v", command, err)
			}
		}
	})
	t.Run("comes back after Kill and Restart", func(t *testing.T) {
		b.Kill()
		if err := b.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := b.Restart(t.Context(), servers.Fast); err != nil {
			t.Fatal(err)
		}
		number(t, connectSimply(t, b.URL()), "SELECT 1")
	})
	t.Run("does not start before a server that is down", func(t *testing.T) {
		r, err := servers.StartProxy("127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		r.Stop()
		ctx := within(t, 500*time.Millisecond)
		if _, err := servers.StartPgBouncer(ctx, "postgres://nobody@"+r.Addr()+"/x?sslmode=disable", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the error is %v, want a deadline", err)
		}
	})
	t.Run("wants a URL", func(t *testing.T) {
		if _, err := servers.StartPgBouncer(t.Context(), "postgres://host:port/", nil); err == nil {
			t.Error("it starts before a server with a wrong URL")
		}
	})
}
