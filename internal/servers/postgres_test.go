package servers_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/globaltask/gtf/internal/servers"
)

func TestPostgres(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, &servers.PostgresOptions{
		NoSync: true, Settings: map[string]string{"shared_preload_libraries": "pg_stat_statements", "max_connections": "50"},
	})
	t.Run("makes databases that know nothing of each other", func(t *testing.T) {
		for _, name := range []string{"one", `two "quoted"/with?signs`} {
			if err := p.CreateDatabase(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			wantOne(t, p.URLFor(name), "SELECT current_database()::text", name)
			execute(t, p.URLFor(name), "CREATE TABLE same (n INT)")
			if err := p.DropDatabase(t.Context(), name); err != nil {
				t.Error(err)
			}
		}
		if err := p.DropDatabase(t.Context(), "never made"); err != nil {
			t.Errorf("dropping no database: %v", err)
		}
	})
	t.Run("has the settings", func(t *testing.T) {
		execute(t, p.URL(), "CREATE EXTENSION pg_stat_statements")
		wantOne(t, p.URL(), "SELECT count(*) > 0 FROM pg_stat_statements", true)
		wantOne(t, p.URL(), "SHOW max_connections", "50")
		wantOne(t, p.URL(), "SHOW shared_buffers", "128MB")
		wantOne(t, p.URL(), "SHOW fsync", "off")
	})
}

func TestPostgresGoesDown(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, nil)
	url := p.URL()
	execute(t, url, "CREATE TABLE kept (n INT); INSERT INTO kept VALUES (7)")
	recovered := func() int { return strings.Count(p.Log(), "automatic recovery in progress") }
	wantKept := func(t *testing.T, recoveries int) {
		t.Helper()
		wantOne(t, url, "SELECT n FROM kept", 7)
		if n := recovered(); n != recoveries {
			t.Errorf("recovered %d times, want %d; log:\n%s", n, recoveries, p.Log())
		}
	}
	t.Run("Restart in order needs no recovery", func(t *testing.T) {
		if err := p.Restart(t.Context(), servers.Fast); err != nil {
			t.Fatal(err)
		}
		wantKept(t, 0)
	})
	t.Run("Restart at once recovers", func(t *testing.T) {
		if err := p.Restart(t.Context(), servers.Immediate); err != nil {
			t.Fatal(err)
		}
		wantKept(t, 1)
	})
	t.Run("Kill ends what runs, and Start recovers", func(t *testing.T) {
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		failed := make(chan error)
		go func() { // keeps its process busy: one that only waits would notice the end by itself
			_, err := conn.Exec(t.Context(), "SELECT count(*) FROM generate_series(1, 1000000000000) n WHERE n % 2 = 3")
			failed <- err
		}()
		for running := 0; running == 0; {
			if running, err = one[int](t.Context(), url, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%generate_series%' AND pid <> pg_backend_pid() AND state = 'active'"); err != nil {
				t.Fatal(err)
			}
		}
		p.Kill()
		if err := <-failed; err == nil {
			t.Error("the query succeeded")
		}
		if _, err := one[int](t.Context(), url, "SELECT 1"); err == nil {
			t.Error("the server still answers")
		}
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantKept(t, 2)
	})
	t.Run("Pause makes it silent until Continue", func(t *testing.T) {
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		if err := p.Pause(); err != nil {
			t.Fatal(err)
		}
		answer := make(chan error)
		go func() { answer <- conn.Ping(t.Context()) }()
		short := within(t, 300*time.Millisecond)
		if _, err := one[int](short, url, "SELECT 1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a new connection ends with %v, want a deadline", err)
		}
		select {
		case err := <-answer:
			t.Errorf("an old connection is answered (error %v)", err)
			return
		default:
		}
		if err := p.Continue(); err != nil {
			t.Fatal(err)
		}
		if err := <-answer; err != nil {
			t.Errorf("after Continue: %v", err)
		}
	})
	t.Run("Start does nothing while it is up, Halt while it is down", func(t *testing.T) {
		if err := p.Start(t.Context()); err != nil {
			t.Error(err)
		}
		for range 2 {
			if err := p.Halt(t.Context(), servers.Fast); err != nil {
				t.Error(err)
			}
		}
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantKept(t, 2)
	})
	t.Run("the address stays", func(t *testing.T) {
		if p.URL() != url {
			t.Errorf("the URL is %s, was %s", p.URL(), url)
		}
	})
}

// Not parallel: the directory for temporary files is that of the process.
func TestPostgresLeavesNothing(t *testing.T) {
	endings := map[string]func(t *testing.T, p *servers.Postgres){
		"stopped": func(*testing.T, *servers.Postgres) {},
		"killed":  func(_ *testing.T, p *servers.Postgres) { p.Kill() },
		"paused": func(t *testing.T, p *servers.Postgres) {
			t.Helper()
			if err := p.Pause(); err != nil {
				t.Error(err)
			}
		},
	}
	for how, end := range endings {
		t.Run(how, func(t *testing.T) {
			dir, wantEmpty := inEmptyDir(t)
			p := startPostgres(t, nil)
			memory := segment(t, dir)
			end(t, p)
			for range 2 {
				if err := p.Stop(); err != nil {
					t.Error(err)
				}
			}
			wantEmpty()
			if err := p.Start(t.Context()); err == nil {
				t.Error("it starts after Stop")
			}
			if memory != "" && slices.Contains(segments(t), memory) {
				t.Errorf("the shared memory %s stays", memory)
			}
		})
	}
}

// segment is the number of the shared memory that the only server in the directory has.
func segment(t *testing.T, dir string) string {
	t.Helper()
	names, _ := filepath.Glob(filepath.Join(dir, "*", "data", "postmaster.pid"))
	if len(names) != 1 {
		t.Fatalf("%d servers are there, want 1", len(names))
	}
	text, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 2 {
			return f[1]
		}
	}
	t.Fatalf("no line of %s is about shared memory", text)
	return ""
}

// segments lists the shared memory of the machine; nothing if there is no tool for that.
func segments(t *testing.T) (numbers []string) {
	t.Helper()
	out, _ := exec.CommandContext(t.Context(), "ipcs", "-m").Output()
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) > 1 {
			numbers = append(numbers, f[1])
		}
	}
	return numbers
}

func TestPostgresStart(t *testing.T) {
	t.Parallel()
	t.Run("gives many at once ports of their own", func(t *testing.T) {
		t.Parallel()
		var all sync.Map
		t.Run("start", func(t *testing.T) {
			for range 3 {
				t.Run("one", func(t *testing.T) {
					t.Parallel()
					p := startPostgres(t, nil)
					if other, taken := all.LoadOrStore(p.Addr(), p); taken {
						t.Errorf("%s is given twice, to %v", p.Addr(), other)
					}
				})
			}
		})
	})
	t.Run("shows the log of a server that does not start", func(t *testing.T) {
		t.Parallel()
		_, err := servers.StartPostgres(t.Context(), &servers.PostgresOptions{Settings: map[string]string{"max_connections": "none"}})
		if errors.Is(err, servers.ErrMissing) {
			skipMissing(t, err)
		}
		if err == nil || !strings.Contains(err.Error(), `invalid value for parameter "max_connections"`) {
			t.Errorf("the error is %v, want one with what the server says", err)
		}
	})
	t.Run("ends with its context", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := servers.StartPostgres(ctx, nil); !errors.Is(err, servers.ErrMissing) && !errors.Is(err, context.Canceled) {
			t.Errorf("the error is %v, want context.Canceled", err)
		}
	})
}
