package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/globaltask/gtf"
)

func TestCode(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want int
	}{
		{"nothing wrong", nil, ExitOK},
		{"a task that failed", &gtf.TaskError{Status: gtf.StatusFailure}, ExitFailed},
		{"a refusal", stored(fmt.Errorf("cancel: %w", gtf.ErrFinished)), ExitFailed},
		{"a mistake", usage("no"), ExitUsage},
		{"bad input", stored(&gtf.ValidationError{}), ExitUsage},
		{"no task", stored(fmt.Errorf("get: %w", gtf.ErrNotFound)), ExitNotFound},
		{"not allowed", stored(fmt.Errorf("cancel: %w", gtf.ErrForbidden)), ExitNotFound},
		{"a broken store", stored(errors.New("disk I/O error")), ExitUnreachable},
		{"a store that cannot be written", fmt.Errorf("open: %w", gtf.ErrReadOnly), ExitUnreachable},
		{"a store that is too old", fmt.Errorf("open: %w", gtf.ErrSchema), ExitUnreachable},
		{"a signal", stored(&gtf.WaitError{Err: context.Canceled}), ExitInterrupted},
		{"something else", errors.New("no space left"), ExitFailed},
		{"all said", quietError(ExitFailed), ExitFailed},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("of %s is %d", tt.name, tt.want), func(t *testing.T) {
			if got := code(tt.err); got != tt.want {
				t.Errorf("code(%v) = %d, want %d", tt.err, got, tt.want)
			}
		})
	}
}

func TestExitCodes(t *testing.T) {
	f := newFixture(t)
	if a := f.run("ls"); a.code != ExitUnreachable || !strings.Contains(a.err, "does not exist") {
		t.Errorf("ls on a missing database exits with %d and says %q", a.code, a.err)
	}
	f.ok("migrate")
	unknown := gtf.NewID().String()
	done := f.ok("schedule", "test.echo", "--json")
	if !strings.Contains(done, `"joined":false`) {
		t.Errorf("schedule --json prints %s", done)
	}
	tests := []struct {
		args []string
		want int
		says string
	}{
		{[]string{"frobnicate"}, ExitUsage, "unknown command"},
		{[]string{"ls", "--frobnicate"}, ExitUsage, "unknown flag"},
		{[]string{"ls", "extra"}, ExitUsage, "unexpected argument"},
		{[]string{"show"}, ExitUsage, "ID is missing"},
		{[]string{"ls", "--status", "broken"}, ExitUsage, `"broken"`},
		{[]string{"ls", "--limit", "0"}, ExitUsage, "--limit"},
		{[]string{"ls", "--mine"}, ExitUsage, "--as"},
		{[]string{"ls", "--admin"}, ExitUsage, "--as"},
		{[]string{"ls", "--as", "ada", "--admin", "--guest"}, ExitUsage, "guest"},
		{[]string{"schedule"}, ExitUsage, "TYPE is missing"},
		{[]string{"schedule", "test.nothing"}, ExitUsage, "test.echo"},
		{[]string{"run", "test.nothing"}, ExitUsage, "test.echo"},
		{[]string{"types", "test.nothing"}, ExitUsage, "test.echo"},
		{[]string{"schedule", "test.echo", "--input", "{"}, ExitUsage, "not JSON"},
		{[]string{"schedule", "test.echo", "--input", "@/does/not/exist"}, ExitUsage, "/does/not/exist"},
		{[]string{"schedule", "test.echo", "--input", `{"txt":1}`}, ExitUsage, "txt"},
		{[]string{"schedule", "test.echo", "--priority", "12"}, ExitUsage, "priority"},
		{[]string{"schedule", "test.wait"}, ExitUsage, "key"},
		{[]string{"schedule", "test.private"}, ExitUsage, "--as USER"},
		{[]string{"schedule", "test.echo", "--key", strings.Repeat("k", 300)}, ExitUsage, "256"},
		{[]string{"schedule", "test.echo", "--input", `{"text":"a\u0000b"}`}, ExitUsage, "NUL"},
		{[]string{"schedule", "test.echo", "--enabled=false"}, ExitFailed, "switched off"},
		{[]string{"show", unknown}, ExitNotFound, "not found"},
		{[]string{"show", "7"}, ExitNotFound, "not found"},
		{[]string{"watch", unknown}, ExitNotFound, "not found"},
		{[]string{"logs", unknown}, ExitNotFound, "not found"},
		{[]string{"cancel", unknown}, ExitNotFound, "not found"},
		{[]string{"cancel", unknown, "--expect", "explode"}, ExitUsage, "expect"},
		{[]string{"prune", "--older-than", "soon"}, ExitUsage, "soon"},
		{[]string{"prune", "--older-than", "0s"}, ExitUsage, "--older-than"},
		{[]string{"prune", "--max-rows", "-1"}, ExitUsage, "--max-rows"},
		{[]string{"prune", "--retention", "none"}, ExitUsage, "--older-than"},
		{[]string{"bench", "-n", "0"}, ExitUsage, "at least 1"},
		{[]string{"serve", "--listen", "0.0.0.0:8080"}, ExitUsage, "loopback"},
		{[]string{"serve", "--listen", "example.org:8080"}, ExitUsage, "loopback"},
		{[]string{"worker", "--fence-after", "30s", "--worker-timeout", "20s"}, ExitUsage, "worker_timeout"},
		{[]string{"worker", "--heartbeat", "10s"}, ExitUsage, "fence_after"},
		{[]string{"run", "test.fail"}, ExitFailed, "it broke"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%.60s is %d", strings.Join(tt.args, " "), tt.want), func(t *testing.T) {
			a := f.run(tt.args...)
			if a.code != tt.want || !strings.Contains(a.err, tt.says) {
				t.Errorf("exit code %d, errors %q, want %d and %q", a.code, a.err, tt.want, tt.says)
			}
		})
	}
	t.Run("nothing was written by what was refused", func(t *testing.T) {
		if got := f.statuses(); got["pending"] != 1 || got["failure"] != 1 || len(got) != 2 {
			t.Errorf("the tasks are %v, want the first one and the one that failed", got)
		}
	})
	t.Run("a database whose directory is missing is 4", func(t *testing.T) {
		f := &fixture{t: t, url: sqliteURL(filepath.Join(t.TempDir(), "missing", "tasks.db"))}
		if a := f.run("migrate"); a.code != ExitUnreachable {
			t.Errorf("exit code %d, errors %q, want 4", a.code, a.err)
		}
	})
	t.Run("a database that is none is 4", func(t *testing.T) {
		f := &fixture{t: t, url: sqliteURL(writeFile(t, strings.Repeat("this is no database ", 100)))}
		if a := f.run("ls"); a.code != ExitUnreachable {
			t.Errorf("exit code %d, errors %q, want 4", a.code, a.err)
		}
	})
	t.Run("with --json the error is an object", func(t *testing.T) {
		a := f.run("show", unknown, "--json")
		if o := decodeLines(t, a.err); len(o) != 1 || o[0]["exit_code"] != 3.0 {
			t.Errorf("got %q", a.err)
		}
	})
	t.Run("help tells them", func(t *testing.T) {
		a := f.run("--help")
		for _, text := range []string{"0    success", "1    the task", "2    usage", "3    not found", "4    the store", "130  interrupted"} {
			if !strings.Contains(a.out, text) {
				t.Errorf("help lacks %q", text)
			}
		}
	})
}
