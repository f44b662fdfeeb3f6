package cli

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) untilRunning(n int) {
	f.t.Helper()
	eventually(f.t, fmt.Sprintf("%d tasks run", n), func() bool { return f.statuses()["in_progress"] == n })
}

func TestWorker(t *testing.T) { onEachDatabase(t, testWorker) }

func testWorker(t *testing.T, newFixture func(*testing.T) *fixture) {
	t.Run("runs what another process schedules, and wakes who waits there", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		f.worker(quick...)
		p := f.start(append([]string{"schedule", "test.echo", "--input", `{"text":"hello"}`, "--wait"}, quick...)...)
		if code := p.code(); code != ExitOK {
			t.Errorf("schedule --wait exits with %d, want 0", code)
		}
		if got, want := p.out.String(), `{"text":"hello"}`+"\n"; got != want {
			t.Errorf("schedule --wait prints %q, want %q", got, want)
		}
	})

	t.Run("finishes what it runs on SIGTERM, and claims no more", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		w := f.worker(append([]string{"--queues", "default=1"}, quick...)...)
		file := f.path("go on")
		f.ok("schedule", "test.hold", "--input", fmt.Sprintf(`{"until":%q}`, file))
		f.untilRunning(1)
		f.ok("schedule", "test.echo")
		w.signal(syscall.SIGTERM)
		w.says("stopping")
		touch(t, file)
		if code := w.code(); code != ExitOK {
			t.Errorf("the worker exits with %d, want 0", code)
		}
		if got := f.statuses(); got["success"] != 1 || got["pending"] != 1 {
			t.Errorf("the tasks are %v, want one success and one pending", got)
		}
		if got := f.objects("workers"); len(got) != 0 {
			t.Errorf("the stopped worker is still listed: %v", got)
		}
	})

	t.Run("interrupts what still runs after the grace", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		w := f.worker(append([]string{"--grace", "100ms"}, quick...)...)
		id := f.ok("schedule", "test.wait", "--input", `{"key":"a"}`)
		f.untilRunning(1)
		w.signal(syscall.SIGTERM)
		if code := w.code(); code != ExitOK {
			t.Errorf("the worker exits with %d, want 0", code)
		}
		o := f.objects("show", id)[0]
		text := o.text("properties", "error_message")
		if o["status"] != "failure" || !strings.Contains(text, "interrupted by shutdown") {
			t.Errorf("the task is %v with error %v, want a failure by shutdown", o["status"], text)
		}
	})

	t.Run("leaves at once with a second signal", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		w := f.worker(quick...)
		f.ok("schedule", "test.hold", "--input", `{"until":"/does/not/come"}`)
		f.untilRunning(1)
		w.signal(syscall.SIGTERM)
		w.says("stopping")
		began := time.Now()
		w.signal(syscall.SIGTERM)
		if code := w.code(); code != ExitFailed {
			t.Errorf("the worker exits with %d, want 1: it has left a task behind", code)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("leaving at once took %v", took)
		}
	})

	t.Run("refuses to work without task types", func(t *testing.T) {
		a := runApp(t.Context(), &App{Name: "bare"}, "", "worker", "--database-url", newFixture(t).url)
		if a.code != ExitUsage || !strings.Contains(a.err, "no task types") {
			t.Errorf("exit code %d, errors %q", a.code, a.err)
		}
	})
}

func TestWorkers(t *testing.T) { onEachDatabase(t, testWorkers) }

func testWorkers(t *testing.T, newFixture func(*testing.T) *fixture) {
	t.Run("that are killed lose their tasks to the others within their timeout and a beat", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		doomed := f.worker(append([]string{"--queues", "default=20"}, quick...)...)
		var waiters []*process
		for i := range 20 {
			args := []string{"schedule", "test.wait", "--input", fmt.Sprintf(`{"key":"%d"}`, i)}
			if i%2 == 0 {
				args = append(args, "--max-attempts", "2")
			}
			if i == 1 {
				waiters = append(waiters, f.start(append(append(args, "--wait"), quick...)...))
				continue
			}
			f.ok(args...)
		}
		f.untilRunning(20)
		survivor := f.worker(append([]string{"--queues", "default=20"}, quick...)...)
		if err := doomed.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		killed := time.Now()
		<-doomed.done
		eventually(t, "ten tasks have failed, and ten run again", func() bool {
			got := f.objects("ls", "--limit", "100")
			failed, again := 0, 0
			for _, o := range got {
				switch {
				case o["status"] == "failure":
					failed++
				case o["status"] == "in_progress" && o["attempt"] == 2.0:
					again++
				}
			}
			return failed == 10 && again == 10
		})
		var last time.Duration
		for _, o := range f.objects("ls", "--limit", "100", "--status", "failure") {
			ended, err := time.Parse(time.RFC3339, o.text("ended_at"))
			if err != nil {
				t.Fatal(err)
			}
			last = max(last, ended.Sub(killed))
		}
		t.Logf("the last task was taken %v after the kill", last)
		if limit := time.Second + 200*time.Millisecond + time.Second; last > limit { // timeout, beat, a busy machine
			t.Errorf("the last task was taken %v after the kill, want at most %v", last, limit)
		}
		for _, w := range waiters {
			if code := w.code(); code != ExitFailed || !strings.Contains(w.errs.String(), "worker lost") {
				t.Errorf("the waiter exits with %d and says %q, want 1 and worker lost", code, w.errs.String())
			}
		}
		if got := f.ok("schedule", "test.wait", "--input", `{"key":"3"}`, "--json"); !strings.Contains(got, `"joined":false`) {
			t.Errorf("the key of a failed task is still busy: %s", got)
		}
		survivor.signal(syscall.SIGKILL)
	})

	t.Run("on one file never run one task twice", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		f.worker(quick...)
		f.worker(quick...)
		for range 40 {
			f.ok("schedule", "test.echo")
		}
		eventually(t, "all have succeeded", func() bool { return f.statuses()["success"] == 40 })
		for _, o := range f.objects("ls", "--limit", "100") {
			if o["attempt"] != 1.0 {
				t.Errorf("task %v has had %v attempts, want 1", o["uuid"], o["attempt"])
			}
		}
	})
}

func TestRunProcess(t *testing.T) { onEachDatabase(t, testRunProcess) }

func testRunProcess(t *testing.T, newFixture func(*testing.T) *fixture) {
	t.Run("aborts its task on Ctrl-C", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		p := f.start("run", "test.wait", "--input", `{"key":"a"}`)
		p.says("In progress")
		f.untilAbortable()
		p.signal(syscall.SIGINT)
		if code := p.code(); code != ExitFailed {
			t.Errorf("run exits with %d, want 1", code)
		}
		if got := f.statuses(); got["aborted"] != 1 {
			t.Errorf("the tasks are %v, want one aborted", got)
		}
	})

	t.Run("leaves at once on a second Ctrl-C", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		p := f.start("run", "test.hold", "--input", `{"until":"/does/not/come"}`)
		p.says("In progress")
		p.signal(syscall.SIGINT)
		p.says("cannot be aborted")
		p.signal(syscall.SIGINT)
		if code := p.code(); code != ExitInterrupted {
			t.Errorf("run exits with %d, want %d", code, ExitInterrupted)
		}
	})

	t.Run("lets its task finish on SIGTERM within the grace, else fails it as shut down", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		file := f.path("go on")
		p := f.start("run", "test.hold", "--input", fmt.Sprintf(`{"until":%q}`, file))
		p.says("In progress")
		p.signal(syscall.SIGTERM)
		p.says("stopping")
		touch(t, file)
		if code := p.code(); code != ExitOK {
			t.Errorf("run exits with %d, want 0", code)
		}
		p = f.start("run", "test.wait", "--input", `{"key":"a"}`, "--grace", "50ms")
		p.says("In progress")
		p.signal(syscall.SIGTERM)
		if code := p.code(); code != ExitFailed || !strings.Contains(p.errs.String(), "interrupted by shutdown") {
			t.Errorf("run exits with %d and says %q, want 1 and interrupted by shutdown", code, p.errs.String())
		}
	})

	t.Run("that joined a task leaves it to the others on Ctrl-C", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		f.worker(quick...)
		id := f.ok("schedule", "test.wait", "--input", `{"key":"a"}`, "--as", "ada")
		f.untilRunning(1)
		p := f.start("run", "test.wait", "--input", `{"key":"a"}`, "--as", "grace")
		p.says("joined task " + id)
		p.says("In progress")
		p.signal(syscall.SIGINT)
		if code := p.code(); code != ExitInterrupted || !strings.Contains(p.errs.String(), "goes on for others") {
			t.Errorf("run exits with %d and says %q", code, p.errs.String())
		}
		if o := f.objects("show", id)[0]; o["status"] != "in_progress" || o["subscriber_count"] != 1.0 {
			t.Errorf("the task is %v with %v subscribers, want in_progress with 1", o["status"], o["subscriber_count"])
		}
	})
}

// untilAbortable waits for the one task to have its abort handler stored.
func (f *fixture) untilAbortable() {
	f.t.Helper()
	eventually(f.t, "the task is abortable", func() bool {
		got := f.objects("ls")
		if len(got) != 1 {
			return false
		}
		abortable, _ := got[0].at("properties", "is_abortable").(bool)
		return abortable
	})
}

func TestSchedule(t *testing.T) { onEachDatabase(t, testSchedule) }

func testSchedule(t *testing.T, newFixture func(*testing.T) *fixture) {
	t.Run("with --wait stops only the waiting on Ctrl-C", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		p := f.start("schedule", "test.echo", "--wait")
		p.says("Pending")
		p.signal(syscall.SIGINT)
		if code := p.code(); code != ExitInterrupted {
			t.Errorf("schedule exits with %d, want %d", code, ExitInterrupted)
		}
		if got := f.statuses(); got["pending"] != 1 {
			t.Errorf("the tasks are %v, want one pending", got)
		}
	})

	t.Run("by several processes with one key gives one task that all follow", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		f.ok("migrate")
		var callers []*process
		for i := range 6 {
			callers = append(callers, f.start("schedule", "test.wait", "--input", `{"key":"same"}`, "--as", fmt.Sprint("user", i)))
		}
		ids := map[string]bool{}
		for _, p := range callers {
			if code := p.code(); code != ExitOK {
				t.Errorf("schedule exits with %d: %s", code, p.errs.String())
			}
			ids[p.out.String()] = true
		}
		o := f.objects("ls")
		if len(ids) != 1 || len(o) != 1 || o[0]["subscriber_count"] != 6.0 {
			t.Errorf("got ids %v and tasks %v, want one task with 6 subscribers", ids, o)
		}
	})
}
