package tasks_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/tasks"
	"github.com/globaltask/gtf/store/sqlitestore"
)

// newClient returns a client that writes every report at once, and a context of ada, who may do what users do.
func newClient(t *testing.T) (context.Context, *gtf.Client) {
	t.Helper()
	store, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "gtf.db"), nil)
	if err != nil {
		t.Fatalf("open a store: %v", err)
	}
	c, err := gtf.New(store, &gtf.Config{
		Handlers: tasks.Handlers(tasks.Options{AllowExec: true}),
		Logger:   slog.New(slog.DiscardHandler),
		Throttle: gtf.None,
	})
	if err != nil {
		t.Fatalf("make a client: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second) // t.Context() has ended by now
		defer cancel()
		if err := c.Stop(ctx); err != nil {
			t.Errorf("Stop: %v", err)
		}
		if err := store.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return gtf.WithPrincipal(ctx, gtf.Principal{ID: "ada", Name: "Ada Lovelace"}), c
}

// start runs a task that is expected to be stopped.
func start[In, Out any](ctx context.Context, t *testing.T, c *gtf.Client, d *gtf.Definition[In, Out], in In) *gtf.Handle[Out] {
	t.Helper()
	h, err := d.Start(ctx, c, in, nil)
	if err != nil {
		t.Fatalf("start %s: %v", d.Type(), err)
	}
	return h
}

// await watches a task until it is as wanted, and fails if it ends before.
func await[Out any](ctx context.Context, t *testing.T, h *gtf.Handle[Out], what string, wanted func(*gtf.Task) bool) {
	t.Helper()
	for task, err := range h.Watch(ctx) {
		if err != nil {
			t.Fatalf("watch: %v", err)
		}
		if wanted(task) {
			return
		}
		if task.Status.Terminal() {
			t.Fatalf("the task ended as %s (%s), before %s", task.Status, task.Error, what)
		}
	}
}

func begun(task *gtf.Task) bool { return task.Progress.Current > 0 }

func abortable(task *gtf.Task) bool { return task.Status == gtf.StatusInProgress && task.Abortable }

// abort cancels a task and checks that it ends as aborted.
func abort[Out any](ctx context.Context, t *testing.T, c *gtf.Client, h *gtf.Handle[Out]) {
	t.Helper()
	if _, err := h.Cancel(ctx, nil); err != nil {
		t.Fatalf("cancel: %v", err)
	}
	_, _ = h.Wait(ctx)
	task, err := c.Get(ctx, h.ID)
	if err != nil {
		t.Fatal(err)
	}
	if task.Status != gtf.StatusAborted {
		t.Errorf("the task is %s (%s), want aborted", task.Status, task.Error)
	}
}

// logOf returns the log of a task as one text.
func logOf(ctx context.Context, t *testing.T, c *gtf.Client, id gtf.ID) string {
	t.Helper()
	lines, err := c.Logs(ctx, id, 0, gtf.MaxLogLines)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.Level.String() + " " + l.Text + "\n")
	}
	return b.String()
}

// tree makes files by relative name below a new directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// wantFiles checks which files a directory holds, hidden ones included.
func wantFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	var got []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%s holds %q, want %q", dir, got, want)
	}
}
