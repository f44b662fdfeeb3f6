//go:build unix

package tasks_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/tasks"
)

func shell(script string) tasks.CommandInput {
	return tasks.CommandInput{Argv: []string{"sh", "-c", script}}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	t.Run("its output becomes log, progress and result", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		h := start(ctx, t, c, tasks.Command, shell("echo one; echo two >&2; echo PROGRESS 3/10; printf three"))
		out, err := h.Wait(ctx)
		if want := (tasks.CommandOutput{StdoutLines: 2, StderrLines: 1, LastLine: "three"}); err != nil || out != want {
			t.Errorf("output is %+v, error %v; want %+v", out, err, want)
		}
		task, err := c.Get(ctx, h.ID)
		if err != nil || task.Progress != (gtf.Progress{Form: gtf.FormTotal, Current: 3, Total: 10}) || task.Name != "Run sh" {
			t.Errorf("%q is at %v (error %v), want Run sh at 3 of 10", task.Name, task.Progress, err)
		}
		log := logOf(ctx, t, c, h.ID)
		for _, line := range []string{"INFO one\n", "WARN two\n", "INFO three\n"} {
			if !strings.Contains(log, line) {
				t.Errorf("the log lacks %q:\n%s", line, log)
			}
		}
		if strings.Contains(log, "PROGRESS") {
			t.Errorf("the log holds the progress:\n%s", log)
		}
	})
	t.Run("an exit code is a failure with the last words", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		_, err := tasks.Command.Run(ctx, c, shell("for i in 1 2 3 4 5 6 7; do echo word $i >&2; done; exit 3"), nil)
		if !errors.Is(err, gtf.ErrFailed) || !strings.Contains(err.Error(), "sh: exit code 3: word 3\nword 4\nword 5\nword 6\nword 7") {
			t.Errorf("error is %v, want exit code 3 and the last five lines", err)
		}
	})
	t.Run("a killed program is a failure that names the signal", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		if _, err := tasks.Command.Run(ctx, c, shell("kill -9 $$"), nil); err == nil || !strings.Contains(err.Error(), "sh: signal: killed") {
			t.Errorf("error is %v, want one that names the signal", err)
		}
	})
	t.Run("a program that does not exist is named", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		_, err := tasks.Command.Run(ctx, c, tasks.CommandInput{Argv: []string{"gtf-no-such-program", "secret"}}, nil)
		if err == nil || !strings.Contains(err.Error(), "start gtf-no-such-program") || strings.Contains(err.Error(), "secret") {
			t.Errorf("error is %v, want one that names the program and no arguments", err)
		}
	})
	t.Run("very long lines and bytes that are no text are kept as far as they fit", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		h := start(ctx, t, c, tasks.Command, shell(`head -c 3000000 /dev/zero | tr '\0' x; echo; printf 'bad \377 and \000 end\n'`))
		out, err := h.Wait(ctx)
		if err != nil || out.StdoutLines != 2 || out.LastLine != "bad \uFFFD and \uFFFD end" {
			t.Errorf("output is %+v, error %v; want 2 lines, the last one readable", out, err)
		}
		if log := logOf(ctx, t, c, h.ID); !strings.Contains(log, "xxx … (2992000 more bytes)") {
			t.Errorf("the log does not say what is missing: %.200s", log)
		}
	})
	t.Run("gets directory and environment, but nothing of gtf's own", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		dir, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		in := shell(`echo "$(pwd) $COLOUR [$GTF_DATABASE_URL] $HOME"`)
		in.Dir, in.Env = dir, map[string]string{"COLOUR": "blue", "HOME": "/other"}
		out, err := tasks.Command.Run(ctx, c, in, nil)
		if want := dir + " blue [] /other"; err != nil || out.LastLine != want {
			t.Errorf("printed %q (error %v), want %q", out.LastLine, err, want)
		}
	})
	t.Run("what it leaves behind is killed and no wait", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		h := start(ctx, t, c, tasks.Command, shell("echo group $$; sleep 1000 & exit 0"))
		if _, err := h.Wait(ctx); err != nil {
			t.Fatal(err)
		}
		log := logOf(ctx, t, c, h.ID)
		wantGone(t, log)
		if !strings.Contains(log, "left processes behind") {
			t.Errorf("the log does not say so:\n%s", log)
		}
	})
}

func TestCommandAbort(t *testing.T) {
	t.Parallel()
	t.Run("asks the whole group to end and lets it", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		file := filepath.Join(t.TempDir(), "tidied")
		// the shell ends at once, its child only when it has tidied up
		h := start(ctx, t, c, tasks.Command, shell(`echo group $$
			sh -c 'trap "sleep 0.3; echo yes > `+file+`; exit" TERM; echo PROGRESS 1/2; while :; do sleep 0.1; done'`))
		await(ctx, t, h, "its child has begun", begun)
		abort(ctx, t, c, h)
		if got := string(read(t, file)); got != "yes\n" {
			t.Errorf("the child wrote %q, want yes", got)
		}
		wantGone(t, logOf(ctx, t, c, h.ID))
	})
	t.Run("kills what ignores it after the grace", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		in := shell(`trap "" TERM; echo group $$; sh -c 'trap "" TERM; echo PROGRESS 1/2; while :; do sleep 0.1; done' & wait; while :; do sleep 0.1; done`)
		in.GraceMS = 100
		h := start(ctx, t, c, tasks.Command, in)
		await(ctx, t, h, "its child has begun", begun)
		began := time.Now()
		abort(ctx, t, c, h)
		if took := time.Since(began); took < 100*time.Millisecond {
			t.Errorf("took %v, less than the grace", took)
		}
		wantGone(t, logOf(ctx, t, c, h.ID))
	})
	t.Run("a time limit stops it, too", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		_, err := tasks.Command.Run(ctx, c, shell("sleep 1000"), &gtf.RunOpts{Timeout: 50 * time.Millisecond})
		if !errors.Is(err, gtf.ErrTimedOut) {
			t.Errorf("error is %v, want that it timed out", err)
		}
	})
}

// wantGone checks that nothing runs in the process group whose number a program has printed. What has ended and only waits
// for its parent (Z) does not run.
func wantGone(t *testing.T, log string) {
	t.Helper()
	m := regexp.MustCompile(`group (\d+)`).FindStringSubmatch(log)
	if m == nil {
		t.Fatalf("the log names no group:\n%s", log)
	}
	list, err := exec.CommandContext(t.Context(), "ps", "-eo", "pgid=,stat=,args=").Output()
	if err != nil {
		t.Skipf("cannot list processes: %v", err)
	}
	for line := range strings.Lines(string(list)) {
		if f := strings.Fields(line); len(f) > 2 && f[0] == m[1] && !strings.HasPrefix(f[1], "Z") {
			t.Errorf("still runs in group %s: %s", m[1], line)
		}
	}
}
