package gtf_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/globaltask/gtf"
)

// both runs a task inline and by a worker, and hands over how each ended.
func both(t *testing.T, c *gtf.Client, in string, look func(t *testing.T, task *gtf.Task)) {
	t.Helper()
	ctx := as(t.Context(), "ada")
	inline, err := privateWork.Start(ctx, c, in, &gtf.RunOpts{Key: "inline", MaxAttempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	worker := schedule(ctx, t, c, privateWork, in, &gtf.ScheduleOpts{Key: "worker", MaxAttempts: 1})
	for where, h := range map[string]*gtf.Handle[string]{"inline": inline, "by a worker": worker} {
		_, _ = h.Wait(t.Context())
		t.Run(where, func(t *testing.T) { look(t, get(t, c, h.ID)) })
	}
}

func explode()           { panic("boom") }
func leaveTheGoroutine() { runtime.Goexit() }

// A panic or Goexit of a function or handler is a failure with its stack, and nothing else suffers (S5.5).
func TestPanic(t *testing.T) {
	t.Parallel()
	onAbort := func(ctx context.Context, fn func()) (string, error) {
		gtf.FromContext(ctx).OnAbort(func(context.Context) error { fn(); return nil })
		<-ctx.Done()
		return "", ctx.Err()
	}
	onCleanup := func(ctx context.Context, fn func()) (string, error) {
		gtf.FromContext(ctx).OnCleanup(func(context.Context) error { fn(); return nil })
		return "", nil
	}
	for name, tt := range map[string]struct {
		fn    workFunc
		abort bool
		text  string
		stack string
	}{
		"a panic":                      {func(context.Context, string) (string, error) { explode(); return "", nil }, false, "boom", "explode"},
		"a panic with nil":             {func(context.Context, string) (string, error) { panic(nil) }, false, "panic", "TestPanic"}, //nolint:govet // on purpose
		"a panic with an error":        {func(context.Context, string) (string, error) { panic(context.Canceled) }, false, "context canceled", "TestPanic"},
		"a runtime error":              {func(_ context.Context, in string) (string, error) { return in[100:], nil }, false, "out of range", "TestPanic"},
		"Goexit":                       {func(context.Context, string) (string, error) { leaveTheGoroutine(); return "", nil }, false, "Goexit", "leaveTheGoroutine"},
		"a panic in an abort handler":  {func(ctx context.Context, _ string) (string, error) { return onAbort(ctx, explode) }, true, "abort handler: panic: boom", "explode"},
		"Goexit in an abort handler":   {func(ctx context.Context, _ string) (string, error) { return onAbort(ctx, leaveTheGoroutine) }, true, "abort handler: runtime.Goexit", "leaveTheGoroutine"},
		"a panic in a cleanup handler": {func(ctx context.Context, _ string) (string, error) { return onCleanup(ctx, explode) }, false, "cleanup handler: panic: boom", "explode"},
		"Goexit in a cleanup handler":  {func(ctx context.Context, _ string) (string, error) { return onCleanup(ctx, leaveTheGoroutine) }, false, "cleanup handler: runtime.Goexit", "leaveTheGoroutine"},
	} {
		t.Run(name+" is a failure with its stack (S5.5)", func(t *testing.T) {
			t.Parallel()
			var c *gtf.Client
			c = newClient(t, open(t), executes(func(ctx context.Context, in string) (string, error) {
				if in == "healthy" {
					return in, nil
				}
				if tt.abort {
					go cancelOnceAbortable(c, gtf.FromContext(ctx).ID())
				}
				return tt.fn(ctx, in)
			}))
			if err := c.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			both(t, c, "in", func(t *testing.T, task *gtf.Task) {
				if task.Status != gtf.StatusFailure || !strings.Contains(task.Error, tt.text) {
					t.Errorf("the task is %s: %q, want a failure with %q", task.Status, task.Error, tt.text)
				}
				if !strings.Contains(task.Stack, tt.stack) {
					t.Errorf("the stack does not name %s: %q", tt.stack, task.Stack)
				}
			})
			if out, err := privateWork.Run(as(t.Context(), "ada"), c, "healthy", nil); out != "healthy" || err != nil {
				t.Errorf("the next task got %q, %v", out, err)
			}
		})
	}
}

// cancelOnceAbortable waits for the first handler.
func cancelOnceAbortable(c *gtf.Client, id gtf.ID) {
	for {
		if _, err := c.Cancel(context.Background(), id, nil); !errors.Is(err, gtf.ErrNotAbortable) {
			return
		}
	}
}

// What the user's code does outside its function may panic, too: the process must live (S5.5). It is tried in a process
// of its own.
func TestProcessSurvives(t *testing.T) {
	t.Parallel()
	if which := os.Getenv("GTF_TEST_SURVIVES"); which != "" {
		survive(t, which)
		return
	}
	for _, which := range []string{"an error whose text panics", "a result whose marshaler panics", "an input whose unmarshaler panics"} {
		t.Run(which+" is a failure (S5.5)", func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProcessSurvives$", "-test.v")
			cmd.Env = append(os.Environ(), "GTF_TEST_SURVIVES="+which)
			if out, err := cmd.CombinedOutput(); err != nil {
				lines := strings.SplitAfter(string(out), "\n")
				t.Errorf("%v: %s", err, strings.Join(lines[:min(len(lines), 20)], ""))
			}
		})
	}
}

type rude struct{ text string }

func (r *rude) Error() string { return r.text } // panics on nil, the most common mistake with errors

type rudeJSON struct{}

func (rudeJSON) MarshalJSON() ([]byte, error) { panic("no result") }

func (*rudeJSON) UnmarshalJSON([]byte) error { panic("no input") }

func survive(t *testing.T, which string) {
	def := gtf.Define[json.RawMessage, any]("test.rude", &gtf.DefineOpts[json.RawMessage]{Scope: gtf.ScopeSystem})
	handler := def.Handler(func(context.Context, json.RawMessage) (any, error) {
		if which == "a result whose marshaler panics" {
			return rudeJSON{}, nil
		}
		var none *rude
		return nil, none
	})
	if which == "an input whose unmarshaler panics" {
		handler = gtf.Define[rudeJSON, any](def.Type(), &gtf.DefineOpts[rudeJSON]{Scope: gtf.ScopeSystem}).
			Handler(func(context.Context, rudeJSON) (any, error) { return nil, nil })
	}
	c := startClient(t, open(t), &gtf.Config{Handlers: []gtf.Handler{handler}})
	h := schedule(t.Context(), t, c, def, json.RawMessage("1"), nil)
	_, err := h.Wait(t.Context())
	wantTaskError(t, err, gtf.StatusFailure)
	if task := get(t, c, h.ID); task.Stack == "" || task.Error == "" {
		t.Errorf("the failure has the error %q and the stack %q", task.Error, task.Stack)
	}
}

// A result that cannot be kept is a failure that names the limit, and is not tried again (S4.9).
func TestResult(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		out  any
		want []string
	}{
		"that cannot be marshalled": {func() {}, []string{"result", "JSON"}},
		"whose marshaler fails":     {broken{}, []string{"result", "cannot be told"}},
		"that is too large":         {strings.Repeat("x", 999), []string{"result", "1001", "1000"}},
		"with NUL":                  {"a\x00b", []string{"result", "NUL"}},
		"with bad UTF-8":            {[]string{"\xff"}, []string{"result", "UTF-8"}},
	} {
		t.Run(name+" is a failure (S4.9)", func(t *testing.T) {
			t.Parallel()
			def := gtf.Define[int, any]("test.result", nil)
			c := newClient(t, open(t), &gtf.Config{
				MaxResult: 1000, MaxAttempts: 3, Handlers: []gtf.Handler{def.Handler(func(context.Context, int) (any, error) { return tt.out, nil })},
			})
			_, err := def.Run(as(t.Context(), "ada"), c, 1, nil)
			outcome := wantTaskError(t, err, gtf.StatusFailure)
			for _, part := range tt.want {
				if !strings.Contains(outcome.Reason, part) {
					t.Errorf("the reason %q does not name %q", outcome.Reason, part)
				}
			}
			if task := get(t, c, outcome.ID); task.Attempt != 1 || task.Result != nil {
				t.Errorf("attempt %d, result %s, want 1 and none", task.Attempt, task.Result)
			}
		})
	}
	t.Run("just within the limit is kept (S4.9)", func(t *testing.T) {
		t.Parallel()
		cfg := executes(func(context.Context, string) (string, error) { return strings.Repeat("x", 998), nil })
		cfg.MaxResult = 1000
		c := newClient(t, open(t), cfg)
		if out := must[string](t)(privateWork.Run(as(t.Context(), "ada"), c, "key", nil)); len(out) != 998 {
			t.Errorf("got %d bytes", len(out))
		}
	})
	t.Run("of a failed task is none (S5.3)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), executes(func(context.Context, string) (string, error) { return "half", errors.New("broke") }))
		out, err := privateWork.Run(as(t.Context(), "ada"), c, "key", nil)
		outcome := wantTaskError(t, err, gtf.StatusFailure)
		if task := get(t, c, outcome.ID); out != "" || task.Result != nil {
			t.Errorf("got %q and kept %s", out, task.Result)
		}
	})
	t.Run("that the waiter's type cannot hold is an error of the wait", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), executes(echo))
		h := must[*gtf.Handle[string]](t)(privateWork.Start(as(t.Context(), "ada"), c, "key", nil))
		must[string](t)(h.Wait(t.Context()))
		_, err := gtf.Define[int, int](privateWork.Type(), nil).Attach(c, h.ID).Wait(t.Context())
		if err == nil || errors.As(err, new(*gtf.TaskError)) {
			t.Errorf("got %v, want an error that is no outcome", err)
		}
	})
}

// Input that cannot be decoded is a failure, not tried again (S5.7).
func TestUndecodableInput(t *testing.T) {
	t.Parallel()
	store := open(t)
	numbers := gtf.Define[int, int](privateWork.Type(), nil)
	web := newClient(t, store, nil)
	startClient(t, store, &gtf.Config{Handlers: []gtf.Handler{numbers.Handler(idle[int])}})
	h := schedule(as(t.Context(), "ada"), t, web, privateWork, "no number", &gtf.ScheduleOpts{MaxAttempts: 3})
	_, err := h.Wait(t.Context())
	if outcome := wantTaskError(t, err, gtf.StatusFailure); !strings.Contains(outcome.Reason, "decode the input") {
		t.Errorf("the reason is %q", outcome.Reason)
	}
	if task := get(t, web, h.ID); task.Attempt != 1 {
		t.Errorf("it was tried %d times", task.Attempt)
	}
}

type longError string

func (e longError) Error() string { return string(e) }

// What the system itself must store is never refused: it is cleaned and cut (S4.9).
func TestErrorText(t *testing.T) {
	t.Parallel()
	const most = 8 << 10
	for name, tt := range map[string]struct {
		text string
		want func(got string) bool
	}{
		"NUL and bad bytes become U+FFFD": {"a\x00b\xffc", func(got string) bool { return got == "a\uFFFDb\uFFFDc" }},
		"a long text is cut at 8 KiB":     {strings.Repeat("x", 100_000), func(got string) bool { return len(got) <= most && len(got) > most-100 }},
		"it is cut at a character": {strings.Repeat("ééé€", 10_000), func(got string) bool {
			return len(got) <= most && len(got) > most-100 && utf8.ValidString(got) && !strings.Contains(got, "\uFFFD")
		}},
		"bad bytes do not make it longer than 8 KiB": {strings.Repeat("\xffa", 100_000), func(got string) bool { return len(got) <= most && utf8.ValidString(got) }},
		"8 KiB are kept": {strings.Repeat("x", most), func(got string) bool { return len(got) == most }},
	} {
		t.Run(name+" (S4.9)", func(t *testing.T) {
			t.Parallel()
			c := startClient(t, open(t), executes(func(context.Context, string) (string, error) { return "", longError(tt.text) }))
			both(t, c, "key", func(t *testing.T, task *gtf.Task) {
				if task.Status != gtf.StatusFailure || !tt.want(task.Error) {
					t.Errorf("the task is %s with an error of %d bytes, %.50q…", task.Status, len(task.Error), task.Error)
				}
				if task.ErrorType != "gtf_test.longError" {
					t.Errorf("the error's type is %q", task.ErrorType)
				}
			})
		})
	}
	t.Run("a stack is cut at 64 KiB (S4.9)", func(t *testing.T) {
		t.Parallel()
		var deep func(n int, pad string) int
		deep = func(n int, pad string) int {
			if n == 0 {
				panic(pad)
			}
			return deep(n-1, pad) + 1
		}
		c := startClient(t, open(t), executes(func(context.Context, string) (string, error) { return fmt.Sprint(deep(2000, "\x00")), nil }))
		both(t, c, "key", func(t *testing.T, task *gtf.Task) {
			if n := len(task.Stack); n == 0 || n > 64<<10 || task.Error != "panic: \uFFFD" || task.ErrorType != "panic" {
				t.Errorf("a stack of %d bytes, error %q of type %q", n, task.Error, task.ErrorType)
			}
		})
	})
}
