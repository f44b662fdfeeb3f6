package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// demonstration is the demo in a small repository, with a directory of its own for temporary files.
func demonstration(t *testing.T, args ...string) (cmd *exec.Cmd, temporary string) {
	t.Helper()
	repository, temporary := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{"go.mod": "module example.com/demo\n", "main.go": "package main\n"} {
		if err := os.WriteFile(filepath.Join(repository, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd = exec.Command(binary, append([]string{"demo", "--fast"}, args...)...)
	cmd.Dir = repository
	cmd.Env = append(os.Environ(), "TMPDIR="+temporary, "GTF_ENABLED=false") // settings do not count
	late := time.AfterFunc(4*time.Minute, func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() { late.Stop() })
	return cmd, temporary
}

// leavesNothing wants no file and no worker.
func leavesNothing(t *testing.T, temporary, out string) {
	t.Helper()
	left, err := os.ReadDir(temporary)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		t.Errorf("%s is left", e.Name())
	}
	found := regexp.MustCompile(`the worker is process (\d+)`).FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("the worker is not named:\n%s", out)
	}
	pid, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the worker is still there: %v", err)
	}
}

func TestDemo(t *testing.T) {
	t.Run("shows tasks of every kind, finds all as it should be and leaves nothing", func(t *testing.T) {
		t.Parallel()
		cmd, temporary := demonstration(t)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		raw, err := cmd.Output()
		out := string(raw)
		if err != nil {
			t.Fatalf("%v: %s\n%s", err, errs.String(), out)
		}
		_, lists, ok := strings.Cut(out, "ada sees")
		if !ok {
			t.Fatalf("there are no lists:\n%s", out)
		}
		for _, want := range []string{
			`✓ Success +Nightly clean-up +system +started it`,
			`■ Aborted +Quarterly report +private +as an admin`,
			`✓ Success +Sales as CSV +private`,
			`✓ Success +Checksums of .* +shared +joined it\n`,
			`✓ Success +Thumbnails of 60 pictures +shared +joined it; alan, who started it, has left`,
			`⧖ Timed out +Every sale with every other +private`,
			`✗ Failed +Sales by customer +private`,
			`✓ Success +Sales as JSON lines +private`,
		} {
			if !regexp.MustCompile(want).MatchString(lists) {
				t.Errorf("no list has %q", want)
			}
		}
		if strings.Contains(out, "\x1b") {
			t.Error("there are escape sequences although the output is no terminal")
		}
		if t.Failed() {
			t.Log(out)
		}
		leavesNothing(t, temporary, out)
	})

	t.Run("does without Go and sha256sum, and keeps what it made if asked to", func(t *testing.T) {
		t.Parallel()
		cmd, temporary := demonstration(t, "--keep")
		cmd.Env = append(cmd.Env, "PATH="+temporary)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for _, want := range []string{"no Go toolchain", "a check of our own agrees with checksums of this repository: 2 files\n", "Everything is kept in " + temporary} {
			if !bytes.Contains(out, []byte(want)) {
				t.Errorf("the output has no %q:\n%s", want, out)
			}
		}
		if kept, err := filepath.Glob(filepath.Join(temporary, "gtf-demo-*", "sales.csv")); err != nil || len(kept) != 1 {
			t.Errorf("kept are %q (error %v), want one", kept, err)
		}
	})

	t.Run("leaves nothing when it is interrupted", func(t *testing.T) {
		t.Parallel()
		cmd, temporary := demonstration(t)
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		lines := bufio.NewReader(pipe)
		for !strings.Contains(out.String(), "In progress") {
			line, err := lines.ReadString('\n')
			out.WriteString(line)
			if err != nil {
				t.Fatalf("%v: %s", err, out.String())
			}
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(&out, lines); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 130 {
			t.Errorf("it ends with %v, want exit code 130", err)
		}
		leavesNothing(t, temporary, out.String())
	})
}
