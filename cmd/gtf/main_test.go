package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var binary string

func TestMain(m *testing.M) { os.Exit(build(m)) }

// build makes the binary once for all tests.
func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "gtf-test-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "gtf")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		panic(string(out))
	}
	return m.Run()
}

// command is the binary on a database of the test's own.
func command(t *testing.T, database string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(binary, args...)
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "GTF_") {
			cmd.Env = append(cmd.Env, pair)
		}
	}
	cmd.Env = append(cmd.Env, "GTF_DATABASE_URL=sqlite://"+database)
	return cmd
}

func output(t *testing.T, database string, args ...string) string {
	t.Helper()
	cmd := command(t, database, args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v: %s%s", args, err, out, errs.String())
	}
	return strings.TrimSpace(string(out))
}

func TestBinary(t *testing.T) {
	database := filepath.Join(t.TempDir(), "gtf.db")

	t.Run("offers exec.command only with --allow-exec", func(t *testing.T) {
		if got := output(t, database, "types"); strings.Contains(got, "exec.command") || !strings.Contains(got, "demo.shared") {
			t.Errorf("types prints\n%s", got)
		}
		if got := output(t, database, "types", "--allow-exec"); !strings.Contains(got, "exec.command") {
			t.Errorf("types --allow-exec prints\n%s", got)
		}
	})

	t.Run("runs a task and prints its result", func(t *testing.T) {
		if got := output(t, database, "run", "demo.system", "--input", `{"steps":2,"step_ms":1}`); got != `{"steps":2}` {
			t.Errorf("run prints %s", got)
		}
	})

	t.Run("schedules for a worker that stops on SIGTERM", func(t *testing.T) {
		worker := command(t, database, "worker")
		if err := worker.Start(); err != nil {
			t.Fatal(err)
		}
		late := time.AfterFunc(time.Minute, func() { _ = worker.Process.Kill() })
		defer late.Stop()
		if got := output(t, database, "schedule", "demo.private", "--as", "ada", "--wait", "--input", `{"steps":2,"step_ms":1}`); got != `{"steps":2}` {
			t.Errorf("schedule prints %s", got)
		}
		if err := worker.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := worker.Wait(); err != nil {
			t.Errorf("the worker ends with %v", err)
		}
	})
}

func TestSettingsPage(t *testing.T) {
	t.Run("is what the table says; else: go generate ./cmd/gtf", func(t *testing.T) {
		var out bytes.Buffer
		if code := app().Run(t.Context(), []string{"settings", "--markdown"}, nil, &out, os.Stderr); code != 0 {
			t.Fatalf("exit code %d", code)
		}
		page, err := os.ReadFile("../../docs/settings.md")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(page, out.Bytes()) {
			t.Error("docs/settings.md is not up to date")
		}
	})
}
