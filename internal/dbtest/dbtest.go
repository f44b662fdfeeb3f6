// Package dbtest gives tests real databases.
//
// [Postgres] and [Redis] share one server each, so they cost a test almost nothing: those of the environment variables
// GTF_TEST_POSTGRES_URL and GTF_TEST_REDIS_URL, which `make test` sets, or else servers that the first call in the
// process starts. TestMain has to call [Main] or [Run], which stop them. Tests that break a server start one of their
// own, with [OwnPostgres] or [OwnRedis], or break the way to it, with [Proxy].
//
// Without the programs the test is skipped, with GTF_TEST_ALL=yes it fails. A server named by the environment has to be one
// that nobody needs: databases come and go, and keys stay.
package dbtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/globaltask/gtf/internal/servers"
)

// The environment is read before TestMain, because some delete all that begins with GTF_.
var (
	postgresURL = os.Getenv("GTF_TEST_POSTGRES_URL")
	redisURL    = os.Getenv("GTF_TEST_REDIS_URL")
	all         = os.Getenv("GTF_TEST_ALL") == "yes"
)

// Main is goleak.VerifyTestMain with the servers stopped before goroutines are looked for. It does not return.
func Main(m *testing.M, o ...goleak.Option) { goleak.VerifyTestMain(runner{m}, o...) }

// Run runs the tests and stops the servers that they have started. It returns the exit code, and does not look for
// goroutines.
func Run(m *testing.M) int { return runner{m}.Run() }

type runner struct{ m *testing.M }

func (r runner) Run() int {
	stopsServers = true
	code := r.m.Run()
	if err := errors.Join(sharedPostgres.stop(), sharedRedis.stop()); err != nil {
		fmt.Fprintf(os.Stderr, "stop the servers of the tests: %v\n", err)
		return max(code, 1)
	}
	return code
}

// IgnoreServers is for tests that look for goroutines themselves: those of the shared servers stay until Main ends them.
func IgnoreServers() goleak.Option {
	return goleak.IgnoreAnyFunction("github.com/globaltask/gtf/internal/servers.(*process).own")
}

// Postgres returns the URL of an empty database. It is dropped when the test ends, with connections that are still open.
// The user may do everything.
func Postgres(t testing.TB) string {
	t.Helper()
	server := postgresURL
	if server == "" {
		server = sharedPostgres.start(t).URL()
	}
	name := "gtf_test_" + unique()
	execute(t, server, "CREATE DATABASE "+name+" TEMPLATE template0")
	t.Cleanup(func() { execute(t, server, "DROP DATABASE "+name+" WITH (FORCE)") })
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("GTF_TEST_POSTGRES_URL is not a URL: %v", err)
	}
	u.Path = "/" + name
	return u.String()
}

// PgBouncer returns the URL of a PgBouncer of the test's own before the database, in transaction mode: its clients have to do
// without prepared statements and without LISTEN.
func PgBouncer(t testing.TB, postgresURL string) string {
	t.Helper()
	b, err := servers.StartPgBouncer(context.Background(), postgresURL, nil)
	need(t, err)
	stopAfter(t, b.Server)
	return b.URL()
}

// Redis returns the URL of a server that other tests use, too: all keys have to begin with the test's [RedisPrefix].
func Redis(t testing.TB) string {
	t.Helper()
	if redisURL != "" {
		return redisURL
	}
	return sharedRedis.start(t).URL()
}

// RedisPrefix returns a beginning for keys and channels that nobody else has. It is another one at each call.
func RedisPrefix(testing.TB) string { return "gtf-test-" + unique() + ":" }

// OwnPostgres starts a server for this test alone, to be killed and restarted. Options may be nil: then it does not wait for
// the disk.
func OwnPostgres(t testing.TB, o *servers.PostgresOptions) *servers.Postgres {
	t.Helper()
	if o == nil {
		o = &servers.PostgresOptions{NoSync: true}
	}
	p, err := servers.StartPostgres(context.Background(), o)
	need(t, err)
	stopAfter(t, p.Server)
	return p
}

// OwnRedis starts a server for this test alone, to be killed and restarted. Options may be nil.
func OwnRedis(t testing.TB, o *servers.RedisOptions) *servers.Redis {
	t.Helper()
	r, err := servers.StartRedis(context.Background(), o)
	need(t, err)
	stopAfter(t, r.Server)
	return r
}

// Proxy returns a network to break, and the URL of the server through it.
func Proxy(t testing.TB, serverURL string) (p *servers.Proxy, throughURL string) {
	t.Helper()
	u, err := url.Parse(serverURL)
	if err != nil {
		t.Fatal(err)
	}
	if p, err = servers.StartProxy(u.Host); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	u.Host = p.Addr()
	return p, u.String()
}

func stopAfter(t testing.TB, s *servers.Server) {
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// need ends a test whose server did not start.
func need(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, servers.ErrMissing) && !all {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

var stopsServers bool // written before the tests run

var (
	sharedPostgres = shared[*servers.Postgres]{open: func() (*servers.Postgres, error) {
		return servers.StartPostgres(context.Background(), &servers.PostgresOptions{NoSync: true})
	}}
	sharedRedis = shared[*servers.Redis]{open: func() (*servers.Redis, error) {
		return servers.StartRedis(context.Background(), nil)
	}}
)

// shared is a server that is started once, by the first test that asks.
type shared[S interface{ Stop() error }] struct {
	open   func() (S, error)
	once   sync.Once
	server S
	err    error
	opened bool
}

func (s *shared[S]) start(t testing.TB) S {
	t.Helper()
	if !stopsServers {
		t.Fatal("TestMain of this package has to call dbtest.Main or dbtest.Run, which stop the servers")
	}
	s.once.Do(func() {
		s.server, s.err = s.open()
		s.opened = s.err == nil
	})
	need(t, s.err)
	return s.server
}

func (s *shared[S]) stop() error {
	if !s.opened {
		return nil
	}
	return s.server.Stop()
}

// execute runs a statement that belongs to no test's context: cleanups come after its end.
func execute(t testing.TB, server, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func unique() string { return strings.ToLower(rand.Text()) }
