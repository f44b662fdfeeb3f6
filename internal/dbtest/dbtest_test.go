package dbtest_test

import (
	"context"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/globaltask/gtf/internal/dbtest"
	"github.com/globaltask/gtf/internal/servers"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	t.Run("gives every caller an empty database", func(t *testing.T) {
		t.Parallel()
		for range 2 {
			conn := connect(t, dbtest.Postgres(t))
			if _, err := conn.Exec(t.Context(), "CREATE TABLE mine (n INT)"); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("drops it after the test, although it is in use", func(t *testing.T) {
		t.Parallel()
		var name string
		var conn *pgx.Conn
		t.Run("test", func(t *testing.T) {
			u := dbtest.Postgres(t)
			name = u[strings.LastIndexByte(u, '/')+1:]
			var err error
			if conn, err = pgx.Connect(t.Context(), u); err != nil { // and leave it open
				t.Fatal(err)
			}
		})
		if conn == nil {
			t.SkipNow()
		}
		if err := conn.Ping(t.Context()); err == nil {
			t.Error("its connection lives")
		}
		name, _, _ = strings.Cut(name, "?")
		var left int
		const q = "SELECT count(*) FROM pg_database WHERE datname = $1"
		if err := connect(t, dbtest.Postgres(t)).QueryRow(t.Context(), q, name).Scan(&left); err != nil || left != 0 {
			t.Errorf("%d databases are called %q (error %v), want 0", left, name, err)
		}
	})
}

func TestPgBouncer(t *testing.T) {
	t.Parallel()
	t.Run("leads to the same database", func(t *testing.T) {
		t.Parallel()
		direct := dbtest.Postgres(t)
		if _, err := connect(t, direct).Exec(t.Context(), "CREATE TABLE here (n INT)"); err != nil {
			t.Fatal(err)
		}
		var n int
		conn := connect(t, dbtest.PgBouncer(t, direct))
		if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM here", pgx.QueryExecModeSimpleProtocol).Scan(&n); err != nil {
			t.Error(err)
		}
	})
}

func TestRedis(t *testing.T) {
	t.Parallel()
	t.Run("is the same server for all", func(t *testing.T) {
		t.Parallel()
		one, two := dbtest.Redis(t), dbtest.Redis(t)
		u, err := url.Parse(one)
		if err != nil || u.Scheme != "redis" || one != two {
			t.Fatalf("got %s and %s (error %v), want the same redis:// URL", one, two, err)
		}
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
	})
	t.Run("has a prefix for every caller", func(t *testing.T) {
		t.Parallel()
		if one, two := dbtest.RedisPrefix(t), dbtest.RedisPrefix(t); one == two || !strings.HasSuffix(one, ":") {
			t.Errorf("the prefixes are %q and %q", one, two)
		}
	})
}

func TestOwn(t *testing.T) {
	t.Parallel()
	t.Run("servers are not shared", func(t *testing.T) {
		t.Parallel()
		if own := dbtest.OwnRedis(t, nil); own.URL() == dbtest.Redis(t) {
			t.Errorf("%s is shared", own.URL())
		}
		if err := dbtest.OwnPostgres(t, nil).Restart(t.Context(), servers.Immediate); err != nil {
			t.Error(err)
		}
	})
}

func TestProxy(t *testing.T) {
	t.Parallel()
	t.Run("is a way to the server", func(t *testing.T) {
		t.Parallel()
		p, through := dbtest.Proxy(t, dbtest.Postgres(t))
		conn := connect(t, through)
		if err := conn.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		p.Reset()
		if err := conn.Ping(t.Context()); err == nil {
			t.Error("the connection outlives a reset")
		}
	})
}
