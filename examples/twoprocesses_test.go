package examples_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	t.Run("have one schedule and the other work", func(t *testing.T) {
		t.Parallel()
		database := filepath.Join(t.TempDir(), "gtf.db")
		web := start(t, "web", "-db", database, "-listen", "127.0.0.1:0")
		url, ok := strings.CutPrefix(web.line(), "serving ")
		if !ok {
			t.Fatal("the web process does not say where it serves")
		}
		site := &site{t: t, url: url}

		first := site.ask(http.StatusAccepted, "ada", http.MethodPost, "/reports/sales")
		second := site.ask(http.StatusAccepted, "grace", http.MethodPost, "/reports/sales")
		if joined, _ := second["joined"].(bool); !joined || first["id"] != second["id"] {
			t.Errorf("two people who asked for one report got %v and %v, want one task", first, second)
		}
		path := fmt.Sprint("/tasks/", first["id"])
		if got := site.ask(http.StatusOK, "grace", http.MethodGet, path); got["status"] != "pending" {
			t.Errorf("without a worker the task is %v, want pending", got)
		}

		worker := start(t, "worker", "-db", database)
		if got := worker.line(); got != "working" {
			t.Fatalf("the worker says %q, want working", got)
		}
		task := site.until("grace", path, "success")
		result, _ := task["result"].(map[string]any)
		if task["progress"] != "3 of 3 (100%)" || result["file"] != "reports/sales.pdf" {
			t.Errorf("the task ended as %v", task)
		}
		site.ask(http.StatusNotFound, "alan", http.MethodGet, path)
		site.ask(http.StatusNotFound, "grace", http.MethodGet, "/tasks/nonsense")
		site.ask(http.StatusUnauthorized, "", http.MethodGet, path)

		worker.stop()
		if got := worker.line(); got != "stopped" {
			t.Errorf("at its end the worker says %q, want stopped", got)
		}
		web.stop()
	})
}

// process is an example that goes on until it is stopped.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string   // what it prints; closed at its end
	done  chan struct{} // closed after lines
}

func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(filepath.Join(programs, name), args...), lines: make(chan string, 100), done: make(chan struct{})}
	p.cmd.Stderr = t.Output()
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		defer close(p.lines)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			p.lines <- scan.Text()
		}
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // harmless if it has ended
		<-p.done
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("%s ended with %v", name, err)
		}
	})
	return p
}

// line is the next line that the process prints; empty if it has ended.
func (p *process) line() string {
	p.t.Helper()
	select {
	case line := <-p.lines:
		return line
	case <-time.After(patience):
		p.t.Fatalf("%s prints nothing", p.cmd.Path)
		return ""
	}
}

// stop asks the process to end, and waits until it has closed its output.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("%s does not stop", p.cmd.Path)
	}
}

const patience = 30 * time.Second

// site is the web process from outside.
type site struct {
	t   *testing.T
	url string
}

// ask sends a request as a user, and returns the answer, which must have the status.
func (s *site) ask(want int, user, method, path string) map[string]any {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("X-User", user)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	var body map[string]any
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil || res.StatusCode != want {
		s.t.Fatalf("%s %s as %q: status %d, body %v, error %v, want %d", method, path, user, res.StatusCode, body, err, want)
	}
	return body
}

// until asks for a task again and again until it has the status.
func (s *site) until(user, path, status string) map[string]any {
	s.t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	late := time.After(patience)
	for {
		task := s.ask(http.StatusOK, user, http.MethodGet, path)
		if task["status"] == status {
			return task
		}
		select {
		case <-again.C:
		case <-late:
			s.t.Fatalf("the task is %v, want %s", task, status)
		}
	}
}
