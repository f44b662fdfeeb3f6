package cli

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/globaltask/gtf"
	"github.com/spf13/cobra"
)

func TestRun(t *testing.T) {
	t.Run("prints the result on standard output, and the rest beside it", func(t *testing.T) {
		f := newFixture(t)
		a := f.run("run", "test.echo", "--input", `{"text":"hello"}`)
		if a.code != ExitOK || a.out != `{"text":"hello"}`+"\n" || !strings.Contains(a.err, "Success") {
			t.Errorf("exit code %d, output %q, errors %q", a.code, a.out, a.err)
		}
	})
	t.Run("reads its input from a file or standard input", func(t *testing.T) {
		f := newFixture(t)
		path := f.path("input.json")
		if err := os.WriteFile(path, []byte(`{"text":"from a file"}`), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := f.ok("run", "test.echo", "--input", "@"+path); got != `{"text":"from a file"}` {
			t.Errorf("got %s", got)
		}
		if a := f.runWith(`{"text":"piped"}`, "run", "test.echo", "--input", "-"); a.out != `{"text":"piped"}`+"\n" {
			t.Errorf("got %q, errors %q", a.out, a.err)
		}
	})
	t.Run("with --json writes an object at each change, the outcome last", func(t *testing.T) {
		f := newFixture(t)
		a := f.run("run", "test.fail", "--json")
		got := decodeLines(t, a.out)
		last := got[len(got)-1]
		if a.code != ExitFailed || last["status"] != "failure" || last.text("properties", "error_message") != "it broke" {
			t.Errorf("exit code %d, last object %v", a.code, last)
		}
	})
	t.Run("takes the place of nobody in the list of workers", func(t *testing.T) {
		f := newFixture(t)
		f.ok("run", "test.echo")
		if got := f.objects("workers"); len(got) != 0 {
			t.Errorf("workers lists %v", got)
		}
	})
}

func TestLs(t *testing.T) {
	f := newFixture(t)
	mine := f.ok("schedule", "test.private", "--as", "ada", "--name", "Mine")
	f.ok("schedule", "test.private", "--as", "grace", "--name", "Hers", "--queue", "other")
	guest := f.ok("schedule", "test.private", "--as", "ada", "--guest", "--name", "The guest's")
	shared := f.ok("schedule", "test.wait", "--as", "ada", "--input", `{"key":"both"}`)
	if again := f.run("schedule", "test.wait", "--as", "grace", "--input", `{"key":"both"}`); again.out != shared+"\n" || !strings.Contains(again.err, "joined") {
		t.Errorf("the second schedule prints %q and says %q, want to join %s", again.out, again.err, shared)
	}
	system := f.ok("schedule", "test.echo")
	f.ok("cancel", system)
	tests := []struct {
		name string
		args []string
		want int
	}{
		{"shows everything to the host", nil, 5},
		{"shows a user what they follow", []string{"--as", "ada"}, 2},
		{"shows a guest of the same id something else", []string{"--as", "ada", "--guest"}, 1},
		{"shows a stranger nothing", []string{"--as", "alan"}, 0},
		{"shows an admin everything", []string{"--as", "alan", "--admin"}, 5},
		{"shows an admin their own on request", []string{"--as", "ada", "--admin", "--mine"}, 2},
		{"filters by status", []string{"--status", "aborted,failure"}, 1},
		{"filters by type", []string{"--type", "test.private"}, 3},
		{"filters by scope", []string{"--scope", "shared", "--scope", "system"}, 2},
		{"filters by queue", []string{"--queue", "other"}, 1},
		{"filters by creator", []string{"--created-by", "grace"}, 1},
		{"filters by text", []string{"--text", "mine"}, 1},
		{"filters by age", []string{"--since", "1h"}, 5},
		{"shows at most the limit", []string{"--limit", "3"}, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := f.objects(append([]string{"ls"}, tt.args...)...); len(got) != tt.want {
				t.Errorf("lists %d tasks, want %d: %v", len(got), tt.want, got)
			}
		})
	}
	t.Run("lists the newest first, and the oldest with --reverse", func(t *testing.T) {
		if got := f.objects("ls")[0]["uuid"]; got != system {
			t.Errorf("first is %v, want %s", got, system)
		}
		if got := f.objects("ls", "--reverse")[0]["uuid"]; got != mine {
			t.Errorf("first is %v, want %s", got, mine)
		}
	})
	t.Run("prints a table for people, and how many there are beside it", func(t *testing.T) {
		a := f.run("ls", "--limit", "2")
		lines := strings.Split(a.out, "\n")
		if !strings.HasPrefix(lines[0], "ID ") || !strings.Contains(lines[1], "test.echo") || !strings.Contains(lines[1], "Aborted") ||
			!strings.Contains(lines[2], "ada +1") || !strings.Contains(a.err, "2 of 5") {
			t.Errorf("prints\n%s\nand says %q", a.out, a.err)
		}
	})
	t.Run("and show hides what the caller may not see", func(t *testing.T) {
		if a := f.run("show", guest, "--as", "ada"); a.code != ExitNotFound {
			t.Errorf("exit code %d, output %q", a.code, a.out)
		}
		if got := f.ok("show", mine, "--as", "ada"); !strings.Contains(got, "waiting for a worker") {
			t.Errorf("got %s", got)
		}
	})
	t.Run("goes on to further pages", func(t *testing.T) {
		for i := range 110 {
			f.ok("schedule", "test.echo", "--input", fmt.Sprintf(`{"text":"%d"}`, i))
		}
		seen := map[any]bool{}
		for _, o := range f.objects("ls", "--type", "test.echo", "--limit", "105") {
			seen[o["uuid"]] = true
		}
		if len(seen) != 105 {
			t.Errorf("lists %d different tasks, want 105", len(seen))
		}
	})
}

func TestCancel(t *testing.T) {
	f := newFixture(t)
	schedule := func(key string, users ...string) string {
		t.Helper()
		var id string
		for _, u := range users {
			id = f.ok("schedule", "test.wait", "--input", fmt.Sprintf(`{"key":%q}`, key), "--as", u)
		}
		return id
	}
	t.Run("by one of several leaves the task", func(t *testing.T) {
		id := schedule("a", "ada", "grace")
		if got := f.ok("cancel", id, "--as", "ada"); got != "left; the task goes on for others" {
			t.Errorf("says %q", got)
		}
		if a := f.run("show", id, "--as", "ada"); a.code != ExitNotFound {
			t.Errorf("who has left still sees it: exit code %d", a.code)
		}
	})
	t.Run("by the last one stops the task", func(t *testing.T) {
		id := schedule("b", "ada")
		o := f.objects("cancel", id, "--as", "ada")[0]
		if o["action"] != "aborted" || o.text("task", "status") != "aborted" {
			t.Errorf("got %v", o)
		}
		if a := f.run("cancel", id, "--as", "ada"); a.code != ExitFailed || !strings.Contains(a.err, "finished already") {
			t.Errorf("a second one exits with %d and says %q", a.code, a.err)
		}
	})
	t.Run("by the host needs --force on a shared task, and is not for everybody", func(t *testing.T) {
		id := schedule("c", "ada", "grace")
		if a := f.run("cancel", id); a.code != ExitNotFound || !strings.Contains(a.err, "--force") {
			t.Errorf("exit code %d, errors %q", a.code, a.err)
		}
		if a := f.run("cancel", id, "--as", "ada", "--force"); a.code != ExitNotFound {
			t.Errorf("exit code %d, errors %q", a.code, a.err)
		}
		if got := f.ok("cancel", id, "--force"); got != "aborted" {
			t.Errorf("says %q", got)
		}
	})
	t.Run("does nothing if the effect is not the expected one", func(t *testing.T) {
		id := schedule("d", "ada", "grace")
		a := f.run("cancel", id, "--as", "ada", "--expect", "abort")
		if a.code != ExitFailed || !strings.Contains(a.err, "unsubscribe") {
			t.Errorf("exit code %d, errors %q", a.code, a.err)
		}
		if o := f.objects("show", id)[0]; o["subscriber_count"] != 2.0 {
			t.Errorf("the task has %v subscribers, want 2", o["subscriber_count"])
		}
	})
}

func TestPrune(t *testing.T) {
	f := newFixture(t)
	for range 3 {
		f.ok("run", "test.echo")
	}
	f.ok("schedule", "test.echo")
	if got := f.ok("prune", "--older-than", "1d"); got != "pruned 0 tasks" {
		t.Errorf("says %q", got)
	}
	if got := f.ok("prune", "--older-than", "1us", "--max-rows", "2"); got != "pruned 2 tasks" {
		t.Errorf("says %q", got)
	}
	if got := f.objects("prune", "--older-than", "1us")[0]["pruned"]; got != 1.0 {
		t.Errorf("pruned %v, want 1", got)
	}
	if got := f.statuses(); got["pending"] != 1 || len(got) != 1 {
		t.Errorf("what is left is %v, want the pending one", got)
	}
}

func TestWatchAndLogs(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.worker(quick...)
	id := f.ok("schedule", "test.wait", "--input", `{"key":"a"}`)
	w, l := f.start(append([]string{"watch", id}, quick...)...), f.start("logs", id, "--follow")
	eventually(t, "watch sees it run", func() bool { return strings.Contains(w.out.String(), "1 of 4 (25%)") })
	f.untilAbortable()
	f.ok("cancel", id, "--force")
	if code := w.code(); code != ExitFailed || !strings.Contains(w.out.String(), "Aborted  asked by host") {
		t.Errorf("watch exits with %d and prints %q", code, w.out.String())
	}
	if code := l.code(); code != ExitOK || strings.Count(l.out.String(), "\n") != 2 || !strings.Contains(l.out.String(), "INFO  asked to stop") {
		t.Errorf("logs exits with %d and prints %q", code, l.out.String())
	}
	if got := f.objects("logs", id); len(got) != 2 || got[0]["text"] != "waiting" {
		t.Errorf("logs --json prints %v", got)
	}
	if a := f.run("watch", f.ok("schedule", "test.echo"), "--json"); a.code != ExitOK {
		t.Errorf("watching a success exits with %d", a.code)
	}
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if a := f.run("doctor"); a.code != ExitUnreachable || !strings.Contains(a.out, "does not exist") {
		t.Errorf("without a database: exit code %d, output %q", a.code, a.out)
	}
	f.ok("migrate")
	if a := f.run("doctor"); a.code != ExitOK || !strings.Contains(a.out, "no worker is alive") {
		t.Errorf("with an empty database: exit code %d, output %q", a.code, a.out)
	}
	f.ok("schedule", "test.echo")
	f.ok("schedule", "test.echo", "--queue", "other")
	if a := f.run("doctor"); a.code != ExitFailed || !strings.Contains(a.out, "WRONG  queues    1 pending task of type test.echo in queue default: no live worker handles the type") {
		t.Errorf("with pending tasks and no worker: exit code %d, output %q", a.code, a.out)
	}
	w := f.worker(quick...)
	eventually(t, "the first has run", func() bool { return f.statuses()["success"] == 1 })
	if a := f.run("doctor"); a.code != ExitFailed || !strings.Contains(a.out, "in queue other: no live worker works on the queue (those that live have [default])") {
		t.Errorf("with a queue nobody works on: exit code %d, output %q", a.code, a.out)
	}
	f.ok("cancel", f.objects("ls", "--status", "pending")[0].text("uuid"))
	if a := f.run("doctor"); a.code != ExitOK || !strings.Contains(a.out, "1 worker is alive") {
		t.Errorf("with all well: exit code %d, output %q", a.code, a.out)
	}
	w.signal(syscall.SIGKILL)
	<-w.done
	eventually(t, "the silence is noticed", func() bool {
		a := f.run(append([]string{"doctor"}, quick...)...)
		return a.code == ExitFailed && strings.Contains(a.out, "has been silent for")
	})
	if a := f.run("doctor", "--heartbeat", "1h"); a.code != ExitFailed || !strings.Contains(a.out, "WRONG  settings") {
		t.Errorf("with settings that contradict each other: exit code %d, output %q", a.code, a.out)
	}
	for _, o := range decodeLines(t, f.run("doctor", "--json").out) {
		if o["level"] == nil || o["about"] == nil || o["text"] == nil {
			t.Errorf("doctor --json prints %v", o)
		}
	}
}

func TestDoctorNamesVariables(t *testing.T) {
	t.Setenv("GTF_HARTBEAT", "3s")
	if a := newFixture(t).run("doctor"); !strings.Contains(a.out, "the variable GTF_HARTBEAT is no setting") {
		t.Errorf("output %q", a.out)
	}
}

func TestTypes(t *testing.T) {
	f := newFixture(t)
	if got := f.ok("types"); !strings.Contains(got, "test.echo     system   default  gives back its input") {
		t.Errorf("prints\n%s", got)
	}
	if got := f.ok("types", "test.echo"); !strings.Contains(got, `"text": ""`) {
		t.Errorf("prints\n%s", got)
	}
	if got := f.objects("types"); len(got) != 6 || got[0]["task_type"] != "test.echo" {
		t.Errorf("prints %v", got)
	}
}

func TestApp(t *testing.T) {
	t.Run("has the commands and settings of the binary", func(t *testing.T) {
		app := testApp()
		var token string
		app.Commands = func(c *Console) []*cobra.Command {
			return []*cobra.Command{{Use: "greet", RunE: func(cmd *cobra.Command, _ []string) error {
				token = c.Settings.Text("license")
				conn, err := c.Connect(cmd.Context(), ConnectOpts{Create: true})
				if err != nil {
					return err
				}
				h, err := echo.Schedule(cmd.Context(), conn.Client, echoInput{}, nil)
				if err != nil {
					return err
				}
				if _, err := h.Cancel(cmd.Context(), nil); err != nil {
					return err
				}
				tasks, err := c.Follow(cmd.Context(), conn.Client, h.ID)
				if err == nil && tasks[0].Status != gtf.StatusAborted {
					t.Errorf("the task is %s", tasks[0].Status)
				}
				return err
			}}}
		}
		a := runApp(t.Context(), app, "", "greet", "--license", "abc", "--database-url", newFixture(t).url)
		if a.code != ExitOK || token != "abc" || !strings.Contains(a.err, "Aborted") {
			t.Errorf("exit code %d, token %q, errors %q", a.code, token, a.err)
		}
	})
	t.Run("tells its version", func(t *testing.T) {
		if a := runApp(t.Context(), testApp(), "", "version", "--config", "/does/not/exist"); a.code != ExitOK || !strings.HasPrefix(a.out, "tool v1.2.3 go") {
			t.Errorf("exit code %d, output %q", a.code, a.out)
		}
	})
	t.Run("completes types and statuses", func(t *testing.T) {
		if a := runApp(t.Context(), testApp(), "", "__complete", "run", ""); !strings.Contains(a.out, "test.echo\n") {
			t.Errorf("output %q, errors %q", a.out, a.err)
		}
		if a := runApp(t.Context(), testApp(), "", "__complete", "ls", "--status", ""); !strings.Contains(a.out, "timed_out\n") {
			t.Errorf("output %q, errors %q", a.out, a.err)
		}
		if a := runApp(t.Context(), testApp(), "", "completion", "bash"); a.code != ExitOK || !strings.Contains(a.out, "tool") {
			t.Errorf("exit code %d", a.code)
		}
	})
	t.Run("lists a flag in the help of the commands it matters to", func(t *testing.T) {
		worker, ls := runApp(t.Context(), testApp(), "", "worker", "--help").out, runApp(t.Context(), testApp(), "", "ls", "--help").out
		if !strings.Contains(worker, "--queues") || strings.Contains(ls, "--queues") || strings.Contains(worker, "--heartbeat") {
			t.Errorf("worker:\n%s\nls:\n%s", worker, ls)
		}
	})
}
