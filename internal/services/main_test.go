package main_test

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/globaltask/gtf/internal/servers"
)

var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "gtf-test-")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "services")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, ".").CombinedOutput(); err != nil {
		panic("go build: " + err.Error() + "\n" + string(out))
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}

// services is ready to run, and the test fails if it leaves a file behind.
func services(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	dir, err := os.MkdirTemp("", "gtf-test-") //nolint:usetesting // one that the user postgres may enter
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
			t.Errorf("left behind: %s", strings.Join(left, ", "))
		}
		_ = os.RemoveAll(dir)
	})
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "GTF_") {
			cmd.Env = append(cmd.Env, pair)
		}
	}
	cmd.Env = append(cmd.Env, "TMPDIR="+dir)
	errout := new(bytes.Buffer)
	cmd.Stderr = errout
	return cmd, errout
}

// needAll skips the test where a server is not installed; CI has to have all.
func needAll(t *testing.T) {
	t.Helper()
	r, err := servers.StartRedis(t.Context(), nil)
	if err == nil {
		err = r.Stop()
	}
	p, postgresErr := servers.StartPostgres(t.Context(), &servers.PostgresOptions{NoSync: true})
	if postgresErr == nil {
		postgresErr = p.Stop()
	}
	err = errors.Join(err, postgresErr)
	if errors.Is(err, servers.ErrMissing) && os.Getenv("GTF_TEST_ALL") != "yes" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestServices(t *testing.T) {
	t.Parallel()
	needAll(t)
	t.Run("run until they are interrupted", func(t *testing.T) {
		t.Parallel()
		cmd, errout := services(t)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var said strings.Builder
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			said.WriteString(lines.Text() + "\n")
			if strings.HasPrefix(lines.Text(), "The data goes") {
				break
			}
		}
		wanted := regexp.MustCompile(`(?m)^export GTF_DATABASE_URL='postgres://\S+'\nexport GTF_REDIS_URL='redis://\S+'$`)
		if !wanted.MatchString(said.String()) {
			t.Errorf("it says %q and %q, want two lines to paste", said.String(), errout)
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("it ends with %v and says %q, want success", err, errout)
		}
	})
	t.Run("run as long as a command, whose exit code counts", func(t *testing.T) {
		t.Parallel()
		cmd, errout := services(t, "--", "sh", "-c", `echo "$GTF_TEST_POSTGRES_URL $GTF_TEST_REDIS_URL"; exit 7`)
		out, _ := cmd.Output()
		if code := cmd.ProcessState.ExitCode(); code != 7 {
			t.Errorf("the exit code is %d (%q), want 7", code, errout)
		}
		if !regexp.MustCompile(`^postgres://\S+ redis://\S+\n$`).Match(out) {
			t.Errorf("the command sees %q, want two URLs", out)
		}
	})
	t.Run("are not started for URLs that are set", func(t *testing.T) {
		t.Parallel()
		cmd, errout := services(t, "--", "sh", "-c", `echo "$GTF_TEST_POSTGRES_URL $GTF_TEST_REDIS_URL"; ls "$TMPDIR"`)
		cmd.Env = append(cmd.Env, "GTF_TEST_POSTGRES_URL=here", "GTF_TEST_REDIS_URL=there")
		if out, err := cmd.Output(); err != nil || string(out) != "here there\n" {
			t.Errorf("the command sees %q (error %v, %q), want what was set and no file", out, err, errout)
		}
	})
	t.Run("hand a signal to the command", func(t *testing.T) {
		t.Parallel()
		cmd, errout := services(t, "--", "sh", "-c", `echo up; exec sleep 600`)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "up\n" {
			t.Errorf("the command says %q (error %v), want up", line, err)
		}
		started := time.Now()
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 128+int(syscall.SIGTERM) || time.Since(started) > time.Minute {
			t.Errorf("the exit code is %d after %v (%q), want 143", code, time.Since(started), errout)
		}
	})
	t.Run("end if there is no such command", func(t *testing.T) {
		t.Parallel()
		cmd, errout := services(t, "--", "no-such-command")
		if err := cmd.Run(); cmd.ProcessState.ExitCode() != 127 {
			t.Errorf("it ends with %v (%q), want 127", err, errout)
		}
	})
	t.Run("are explained", func(t *testing.T) {
		t.Parallel()
		for _, args := range [][]string{{"--"}, {"no-dashes", "x"}} {
			cmd, errout := services(t, args...)
			if err := cmd.Run(); cmd.ProcessState.ExitCode() != 2 || !strings.Contains(errout.String(), "usage") {
				t.Errorf("%q: it ends with %v (%q), want usage", args, err, errout)
			}
		}
	})
}
