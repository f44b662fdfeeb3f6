package docs_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestQuickstart(t *testing.T) {
	t.Parallel()
	all, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	text := all["docs/quickstart.md"]
	program, err := os.ReadFile(filepath.Join(root, "examples", "owncli", "main.go"))
	if err != nil {
		t.Fatal(err)
	}

	t.Run("shows the program of examples/owncli", func(t *testing.T) {
		t.Parallel()
		if got := blocks(text, "go")[0].text; got != string(program) {
			t.Errorf("it shows\n%s\nwant examples/owncli/main.go", got)
		}
	})

	t.Run("shows commands that do what it says", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		commands := blocks(text, "sh", "text")
		for i, part := range []string{"go mod init", "go build -o reports ."} {
			if !strings.Contains(commands[i].text, part) {
				t.Fatalf("block %d is\n%s\nwant one with %q: it is not run but replaced", i+1, commands[i].text, part)
			}
		}
		makeModule(t, dir, string(program))
		play(t, dir, commands[2:])
	})
}

// makeModule is what the first two blocks of commands do, without a network: a module of its own that has gtf from here.
func makeModule(t *testing.T, dir, program string) {
	t.Helper()
	ours, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	module := strings.Replace(string(ours), "module github.com/globaltask/gtf", "module example.com/reports", 1) +
		fmt.Sprintf("\nrequire github.com/globaltask/gtf v0.0.0\nreplace github.com/globaltask/gtf => %q\n", here)
	for name, content := range map[string]string{"go.mod": module, "go.sum": string(sums), "main.go": program} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-mod=mod", "-buildvcs=false", "-o", "reports", ".")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
}

// play runs the blocks of commands one after the other in one shell, those of another terminal beside it, and compares what
// they print with the block that follows.
func play(t *testing.T, dir string, parts []block) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var script strings.Builder
	for i, b := range parts {
		if b.language != "sh" {
			continue
		}
		if b.before == "<!-- another terminal -->" { // one command, and the shell's place is its own, so that it can be stopped
			fmt.Fprintf(&script, "(exec %s) >%d.txt 2>&1 &\nothers=\"$others $!\"\n", strings.TrimSpace(b.text), i)
			continue
		}
		fmt.Fprintf(&script, "{\n%s} >%d.txt 2>&1\n", b.text, i)
		if strings.Contains(b.text, "./reports schedule") { // people are slower than the worker
			script.WriteString("until ./reports ls --status in_progress --json | grep -q uuid; do :; done\n")
		}
	}
	const stop = "kill $others 2>/dev/null || :"
	cmd := exec.CommandContext(ctx, "sh", "-euc", "others=\ntrap '"+stop+"' EXIT\ntrap 'exit 1' TERM\n"+script.String()+stop+"\nwait")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GTF_DATABASE_URL=sqlite://reports.db")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s\n%s", errors.Join(err, ctx.Err()), out, script.String())
	}
	for i, b := range parts {
		if b.language != "text" {
			continue
		}
		got, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("%d.txt", i-1)))
		if err != nil {
			t.Fatal(err)
		}
		if !matches(string(got), b.text) {
			t.Errorf("%s\nprints\n%s\nwant\n%s", parts[i-1].text, got, b.text)
		}
	}
}

// matches compares lines. In what is wanted, … is any text within a line, and alone any number of lines.
func matches(got, want string) bool {
	pattern := regexp.QuoteMeta(want)
	pattern = regexp.MustCompile(`(?m)^…\n`).ReplaceAllString(pattern, `(?:.*\n)*`)
	pattern = strings.ReplaceAll(pattern, "…", ".*")
	return regexp.MustCompile(`^` + pattern + `$`).MatchString(got)
}
