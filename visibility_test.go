package gtf_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf"
)

// Who sees what (S10.1), by every way of looking.
func TestVisibility(t *testing.T) {
	t.Parallel()
	c := newClient(t, open(t), nil)
	submit := func(def *gtf.Definition[string, string], key string, people ...gtf.Principal) gtf.ID {
		var id gtf.ID
		for _, p := range people {
			id = schedule(asOne(t.Context(), p), t, c, def, key, nil).ID
		}
		return id
	}
	tasks := map[string]gtf.ID{
		"private of ada":          submit(privateWork, "key", ada),
		"private of the guest":    submit(privateWork, "key", guest),
		"shared by ada and grace": submit(sharedWork, "one", ada, grace),
		"shared by the guest":     submit(sharedWork, "two", guest),
		"shared, left by ada":     submit(sharedWork, "three", ada, grace),
		"shared by nobody":        submit(sharedWork, "four", gtf.Principal{}),
		"system by ada":           submit(systemWork, "key", ada),
		"system by nobody":        submit(systemWork, "other", gtf.Principal{}),
	}
	must[*gtf.Canceled](t)(c.Cancel(asOne(t.Context(), ada), tasks["shared, left by ada"], nil))
	for name, tt := range map[string]struct {
		who  gtf.Principal // nobody is the host
		sees string        // names, or "all"
	}{
		"the host":             {gtf.Principal{}, "all"},
		"an admin":             {root, "all"},
		"ada":                  {ada, "private of ada, shared by ada and grace"},
		"ada as an admin":      {gtf.Principal{Kind: ada.Kind, ID: ada.ID, Admin: true}, "all"},
		"the guest with an id": {guest, "private of the guest, shared by the guest"},
		"grace":                {grace, "shared by ada and grace, shared, left by ada"},
		"alan":                 {alan, ""},
	} {
		t.Run(name+" sees what is theirs, by every way (S10.1, S10.2)", func(t *testing.T) {
			t.Parallel()
			ctx := asOne(t.Context(), tt.who)
			page := must[*gtf.TaskPage](t)(c.List(ctx, nil))
			listed := map[gtf.ID]bool{}
			for _, task := range page.Tasks {
				listed[task.ID] = true
			}
			seen := 0
			for which, id := range tasks {
				want := tt.sees == "all" || strings.Contains(tt.sees, which)
				if want {
					seen++
				}
				task, err := c.Get(ctx, id)
				if want != (err == nil) || !want && !errors.Is(err, gtf.ErrNotFound) {
					t.Errorf("Get of %q: %v, want it seen: %v", which, err, want)
				}
				if want && task != nil && task.ID != id {
					t.Errorf("Get of %q returned %s", which, task.ID)
				}
				if listed[id] != want {
					t.Errorf("List has %q: %v, want %v", which, listed[id], want)
				}
				if _, err := c.Logs(ctx, id, 0, 0); want != (err == nil) || !want && !errors.Is(err, gtf.ErrNotFound) {
					t.Errorf("Logs of %q: %v, want them seen: %v", which, err, want)
				}
			}
			if page.Count != seen {
				t.Errorf("List counts %d, want %d", page.Count, seen)
			}
		})
	}
	t.Run("filters show nothing that is hidden (S10.2)", func(t *testing.T) {
		t.Parallel()
		for _, p := range []gtf.ListParams{
			{CreatedBy: guest}, {Subscriber: guest}, {Text: "key", Scopes: []gtf.Scope{gtf.ScopeSystem}}, {Types: []string{systemWork.Type()}},
		} {
			if page := must[*gtf.TaskPage](t)(c.List(asOne(t.Context(), ada), &p)); page.Count != 0 || len(page.Tasks) != 0 {
				t.Errorf("ada finds %d tasks by %+v", page.Count, p)
			}
		}
	})
	t.Run("a handle's Wait and Watch are not filtered, its Cancel is (S10.1)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			c := startClient(t, open(t), executes(minute))
			h := schedule(asOne(t.Context(), ada), t, c, privateWork, "key", nil)
			stranger := asOne(t.Context(), alan)
			_, err := h.Cancel(stranger, nil)
			wantErr(t, "Cancel", err, gtf.ErrNotFound)
			if out := must[string](t)(h.Wait(stranger)); out != "key" {
				t.Errorf("got %q", out)
			}
			if states, err := watchAll(stranger, h); err != nil || len(states) != 1 {
				t.Errorf("saw %q, %v", states, err)
			}
		})
	})
	t.Run("only admins and the host list workers (S10.4)", func(t *testing.T) {
		t.Parallel()
		_, err := c.Workers(asOne(t.Context(), ada))
		wantErr(t, "Workers", err, gtf.ErrForbidden)
		for _, ctx := range []context.Context{t.Context(), asOne(t.Context(), root)} {
			if _, err := c.Workers(ctx); err != nil {
				t.Error(err)
			}
		}
	})
}

// What of a task only some see (S10.4).
func TestRedaction(t *testing.T) {
	t.Parallel()
	for _, show := range []bool{false, true} {
		name := "stack and error type are for admins (S10.4)"
		if show {
			name = "with ShowStackTrace stack and error type are for all (S10.4)"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				cfg := executes(func(ctx context.Context, _ string) (string, error) {
					if gtf.FromContext(ctx).Attempt() == 1 {
						return "", errors.New("not yet")
					}
					panic("boom")
				})
				cfg.ShowStackTrace = show
				c := startClient(t, open(t), cfg)
				h := schedule(as(t.Context(), "ada"), t, c, privateWork, "key", &gtf.ScheduleOpts{MaxAttempts: 2})
				_, err := h.Wait(t.Context())
				wantTaskError(t, err, gtf.StatusFailure)
				for who, ctx := range map[string]context.Context{"ada": as(t.Context(), "ada"), "root": asAdmin(t.Context(), "root"), "host": t.Context()} {
					for how, task := range looks(ctx, t, c, h) {
						if len(task.Attempts) != 1 || task.Error == "" {
							t.Fatalf("%s by %s: attempts %+v, error %q", how, who, task.Attempts, task.Error)
						}
						if got := task.DedupKey != "" || task.Attempts[0].Worker != ""; got != (who != "ada") {
							t.Errorf("%s by %s shows dedup key %q, worker of an attempt %q", how, who, task.DedupKey, task.Attempts[0].Worker)
						}
						if got := task.Stack != "" || task.ErrorType != ""; got != (who != "ada" || show) {
							t.Errorf("%s by %s shows error type %q and a stack of %d bytes", how, who, task.ErrorType, len(task.Stack))
						}
					}
				}
			})
		})
	}
	t.Run("the worker is for admins (S10.4)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			c := startClient(t, open(t), executes(untilAborted))
			h := schedule(as(t.Context(), "ada"), t, c, privateWork, "key", nil)
			synctest.Wait()
			if task := must[*gtf.Task](t)(c.Get(as(t.Context(), "ada"), h.ID)); task.Worker != "" || task.DedupKey != "" {
				t.Errorf("ada sees worker %q and key %q", task.Worker, task.DedupKey)
			}
			if task := must[*gtf.Task](t)(c.Get(asAdmin(t.Context(), "root"), h.ID)); task.Worker == "" || task.DedupKey == "" {
				t.Error("an admin does not see worker and key")
			}
			if done := must[*gtf.Canceled](t)(h.Cancel(as(t.Context(), "ada"), nil)); done.Task.Worker != "" || done.Task.DedupKey != "" {
				t.Errorf("Cancel shows ada the worker %q and the key %q", done.Task.Worker, done.Task.DedupKey)
			}
		})
	})
	t.Run("the input is never shown (S10.4)", func(t *testing.T) {
		t.Parallel()
		c := startClient(t, open(t), nil)
		type secret struct{ Password string }
		def := gtf.Define[secret, string]("test.secret", &gtf.DefineOpts[secret]{Scope: gtf.ScopeSystem})
		h := schedule(t.Context(), t, c, def, secret{"hunter2"}, nil)
		task := get(t, c, h.ID)
		if text := fmt.Sprintf("%+v %s %s", task, task.Payload, task.Result); strings.Contains(text, "hunter2") {
			t.Errorf("the task shows the input: %s", text)
		}
	})
}

// looks are the ways to look at a task that has ended.
func looks(ctx context.Context, t *testing.T, c *gtf.Client, h *gtf.Handle[string]) map[string]*gtf.Task {
	t.Helper()
	found := map[string]*gtf.Task{"Get": must[*gtf.Task](t)(c.Get(ctx, h.ID))}
	for _, task := range must[*gtf.TaskPage](t)(c.List(ctx, nil)).Tasks {
		found["List"] = task
	}
	for task, err := range h.Watch(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		found["Watch"] = task
	}
	if len(found) != 3 {
		t.Fatalf("found it by %d ways, want 3", len(found))
	}
	return found
}

func TestLogs(t *testing.T) {
	t.Parallel()
	c := startClient(t, open(t), executes(func(ctx context.Context, _ string) (string, error) {
		log := gtf.FromContext(ctx).Logger()
		for i := range 10 {
			log.Info("line", "n", i)
		}
		log.With("a", 1).WithGroup("g").Warn("last", "b", "two words")
		log.Debug("bad\x00\xff")
		log.Error("long", "text", strings.Repeat("x", 20_000))
		return "", nil
	}))
	h := schedule(as(t.Context(), "ada"), t, c, privateWork, "key", nil)
	must[string](t)(h.Wait(t.Context()))
	t.Run("are kept in order, with their numbers (S6.6)", func(t *testing.T) {
		lines := must[[]gtf.LogLine](t)(c.Logs(as(t.Context(), "ada"), h.ID, 0, 0))
		if len(lines) != 13 {
			t.Fatalf("%d lines, want 13", len(lines))
		}
		for i, line := range lines[:10] {
			if line.Text != fmt.Sprintf("line n=%d", i) || line.Seq != int64(i+1) || line.Level != 0 || time.Since(line.At) > time.Hour {
				t.Errorf("line %d is %+v", i, line)
			}
		}
		if got := lines[10]; got.Text != `last a=1 g.b="two words"` || got.Level != 4 {
			t.Errorf("got %+v", got)
		}
		if got := lines[11]; got.Text != "bad\uFFFD\uFFFD" || got.Level != -4 {
			t.Errorf("bad bytes became %+v", got)
		}
		if n := len(lines[12].Text); n > 8<<10 || n < 8<<10-100 {
			t.Errorf("the long line has %d bytes, want 8 KiB", n)
		}
		if stats := get(t, c, h.ID).Logged; stats.Lines != 13 || stats.Dropped != 0 {
			t.Errorf("the task counts %+v", stats)
		}
	})
	t.Run("are read on by number, at most so many (S6.6)", func(t *testing.T) {
		lines := must[[]gtf.LogLine](t)(c.Logs(t.Context(), h.ID, 3, 4))
		if len(lines) != 4 || lines[0].Seq != 4 || lines[3].Seq != 7 {
			t.Errorf("got %+v, want 4 to 7", lines)
		}
		if lines := must[[]gtf.LogLine](t)(c.Logs(t.Context(), h.ID, 13, 0)); len(lines) != 0 {
			t.Errorf("got %+v behind the last", lines)
		}
	})
	t.Run("a limit out of range is a validation error", func(t *testing.T) {
		for _, limit := range []int{-1, gtf.MaxLogLines + 1} {
			_, err := c.Logs(t.Context(), h.ID, 0, limit)
			wantProblems(t, err, "limit")
		}
	})
	t.Run("of what is not visible is ErrNotFound (S10.2)", func(t *testing.T) {
		_, err := c.Logs(as(t.Context(), "grace"), h.ID, 0, 0)
		wantErr(t, "Logs", err, gtf.ErrNotFound)
		_, err = c.Logs(t.Context(), gtf.NewID(), 0, 0)
		wantErr(t, "Logs", err, gtf.ErrNotFound)
	})
}
