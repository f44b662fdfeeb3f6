package servers_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/globaltask/gtf/internal/servers"
)

// parentVariable makes this binary a program that starts servers and does not stop them.
const parentVariable = "GTF_TEST_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(parentVariable) != "" {
		beParent()
	}
	goleak.VerifyTestMain(m)
}

// skipMissing ends the test if the start found no program. CI has to have all.
func skipMissing(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, servers.ErrMissing) && os.Getenv("GTF_TEST_ALL") != "yes" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func startPostgres(t *testing.T, o *servers.PostgresOptions) *servers.Postgres {
	t.Helper()
	if o == nil {
		o = &servers.PostgresOptions{NoSync: true}
	}
	p, err := servers.StartPostgres(t.Context(), o)
	skipMissing(t, err)
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// one returns the only value that the query gives.
func one[T any](ctx context.Context, url, query string, args ...any) (v T, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return v, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = conn.QueryRow(ctx, query, args...).Scan(&v)
	return v, err
}

func wantOne[T comparable](t *testing.T, url, query string, want T) {
	t.Helper()
	if got, err := one[T](t.Context(), url, query); err != nil || got != want {
		t.Errorf("%s gives %v (error %v), want %v", query, got, err, want)
	}
}

func execute(t *testing.T, url, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// within gives what is to happen soon a while.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// inEmptyDir makes the servers of the test put their files into dir, and returns a check that none is left.
func inEmptyDir(t *testing.T) (dir string, wantEmpty func()) {
	t.Helper()
	dir, err := os.MkdirTemp("", "gtf-test-") //nolint:usetesting // one that the user postgres may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", dir)
	return dir, func() {
		t.Helper()
		if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
			t.Errorf("left behind: %s", strings.Join(left, ", "))
		}
	}
}
