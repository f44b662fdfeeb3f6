package gtf_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/globaltask/gtf"
)

// panics returns what f panicked with, as text; empty if it did not.
func panics(f func()) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = fmt.Sprint(p)
		}
	}()
	f()
	return ""
}

func TestDefine(t *testing.T) {
	t.Parallel()
	t.Run("panics on a bad name (S2.1)", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{"", ".", "a.", ".a", "a..b", "A", "a-b", "a b", "ä", "a\n", "\x00", "a/b", strings.Repeat("a", 101)} {
			if text := panics(func() { gtf.Define[int, int](name, nil) }); !strings.Contains(text, "type") {
				t.Errorf("Define(%q) panicked with %q, want a word on the type", name, text)
			}
		}
	})
	t.Run("takes a good name (S2.1)", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{"a", "_", "0", "report.export", "a.b.c_d.1", strings.Repeat("a", 100)} {
			var got string
			if text := panics(func() { got = gtf.Define[int, int](name, nil).Type() }); text != "" || got != name {
				t.Errorf("Define(%q) is %q and panicked with %q", name, got, text)
			}
		}
	})
	for field, opts := range map[string]gtf.DefineOpts[int]{
		"scope":          {Scope: "public"},
		"priority":       {Priority: 10},
		"max_attempts":   {MaxAttempts: 101},
		"timeout":        {Timeout: -2},
		"max_queue_time": {MaxQueueTime: -2},
		"queue":          {Queue: strings.Repeat("q", 101)},
		"backoff":        {Backoff: gtf.Backoff{Base: 2, Max: 1}},
	} {
		t.Run("panics on a bad "+field+" (S2.1)", func(t *testing.T) {
			t.Parallel()
			if text := panics(func() { gtf.Define[int, int]("test.bad", &opts) }); !strings.Contains(text, field) {
				t.Errorf("panicked with %q, want a word on %s", text, field)
			}
		})
	}
	for name, opts := range map[string]gtf.DefineOpts[int]{
		"a negative priority": {Priority: -1}, "negative attempts": {MaxAttempts: -1}, "a negative backoff": {Backoff: gtf.Backoff{Base: -1}},
	} {
		t.Run("panics on "+name+" (S2.1)", func(t *testing.T) {
			t.Parallel()
			if panics(func() { gtf.Define[int, int]("test.bad", &opts) }) == "" {
				t.Error("did not panic")
			}
		})
	}
	t.Run("names all that is wrong, and the type (S2.1)", func(t *testing.T) {
		t.Parallel()
		text := panics(func() { gtf.Define[int, int]("test.bad", &gtf.DefineOpts[int]{Priority: 10, MaxAttempts: 101}) })
		for _, part := range []string{"test.bad", "priority", "max_attempts"} {
			if !strings.Contains(text, part) {
				t.Errorf("panicked with %q, want a word on %s", text, part)
			}
		}
	})
	t.Run("takes gtf.None for durations (S2.4)", func(t *testing.T) {
		t.Parallel()
		if text := panics(func() {
			gtf.Define[int, int]("test.none", &gtf.DefineOpts[int]{Timeout: gtf.None, MaxQueueTime: gtf.None})
		}); text != "" {
			t.Error(text)
		}
	})
	t.Run("panics without a function (S2.2)", func(t *testing.T) {
		t.Parallel()
		if text := panics(func() { privateWork.Handler(nil) }); !strings.Contains(text, privateWork.Type()) {
			t.Errorf("panicked with %q, want the type", text)
		}
	})
}

func TestNewHandlers(t *testing.T) {
	t.Parallel()
	t.Run("two for one type are an error that names it (S2.3)", func(t *testing.T) {
		t.Parallel()
		_, err := gtf.New(open(t), &gtf.Config{Handlers: []gtf.Handler{
			privateWork.Handler(echo), sharedWork.Handler(echo), gtf.Define[int, int](privateWork.Type(), nil).Handler(idle[int]),
		}})
		wantProblems(t, err, "handlers")
		if err == nil || !strings.Contains(err.Error(), privateWork.Type()) {
			t.Errorf("the error %v does not name the type", err)
		}
	})
	t.Run("a process without the handler schedules (S2.2)", func(t *testing.T) {
		t.Parallel()
		store := open(t)
		web := newClient(t, store, nil)
		h := schedule(as(t.Context(), "ada"), t, web, privateWork, "key", nil)
		startClient(t, store, executes(echo))
		if out := must[string](t)(h.Wait(t.Context())); out != "key" {
			t.Errorf("got %q", out)
		}
	})
	t.Run("are described for people (S2.1)", func(t *testing.T) {
		t.Parallel()
		type input struct {
			Dir string `json:"dir"`
		}
		def := gtf.Define[input, int]("test.info", &gtf.DefineOpts[input]{
			Abortable: true, Description: "for people", Key: func(in input) string { return in.Dir }, MaxAttempts: 3, Priority: 2,
			Queue: "slow", Scope: gtf.ScopeShared, Timeout: time.Hour,
		})
		c := newClient(t, open(t), &gtf.Config{Handlers: []gtf.Handler{privateWork.Handler(echo), def.Handler(idle[input])}})
		types := c.Types()
		if len(types) != 2 || types[0].Type != "test.info" || types[1].Type != privateWork.Type() {
			t.Fatalf("types are %+v, want two by name", types)
		}
		got := types[0]
		if !got.Abortable || !got.Keyed || got.Description != "for people" || got.MaxAttempts != 3 || got.Priority != 2 || got.Queue != "slow" ||
			got.Scope != gtf.ScopeShared || got.Timeout != time.Hour || string(got.Input) != `{"dir":""}` {
			t.Errorf("got %+v", got)
		}
		if _, ok := c.Handler("test.info"); !ok {
			t.Error("the handler is not found by its type")
		}
		if _, ok := c.Handler("test.unknown"); ok {
			t.Error("a handler was found for an unknown type")
		}
	})
}

func idle[In any](context.Context, In) (int, error) { return 0, nil }

// A handler takes input that is JSON already, as a command line has it.
func TestHandlerTakesJSON(t *testing.T) {
	t.Parallel()
	type input struct {
		Dir  string `json:"dir"`
		Deep bool   `json:"deep"`
	}
	def := gtf.Define[input, string]("test.json", &gtf.DefineOpts[input]{Scope: gtf.ScopeSystem, Key: func(in input) string { return in.Dir }})
	start := func(t *testing.T) (*gtf.Client, gtf.Handler) {
		h := def.Handler(func(_ context.Context, in input) (string, error) { return fmt.Sprintf("%s %v", in.Dir, in.Deep), nil })
		return startClient(t, open(t), &gtf.Config{Handlers: []gtf.Handler{h}}), h
	}
	t.Run("scheduled and run", func(t *testing.T) {
		t.Parallel()
		c, h := start(t)
		for name, submit := range map[string]func() (*gtf.Handle[json.RawMessage], error){
			"scheduled": func() (*gtf.Handle[json.RawMessage], error) {
				return h.Schedule(t.Context(), c, json.RawMessage(` {"dir": "/tmp", "deep": true} `), nil)
			},
			"run": func() (*gtf.Handle[json.RawMessage], error) {
				return h.Start(t.Context(), c, json.RawMessage(`{"dir":"/tmp","deep":true}`), nil)
			},
		} {
			task := must[*gtf.Handle[json.RawMessage]](t)(submit())
			if out := must[json.RawMessage](t)(task.Wait(t.Context())); string(out) != `"/tmp true"` {
				t.Errorf("%s: got %s", name, out)
			}
			if key := get(t, c, task.ID).Key; key != "/tmp" {
				t.Errorf("%s: the key is %q", name, key)
			}
		}
	})
	for name, text := range map[string]string{
		"nothing": ``, "no JSON": `{`, "an unknown field": `{"dri":"/tmp"}`, "a wrong type": `{"dir":1}`, "two values": `{} {}`,
		"a brace too many": `{"dir":"/tmp"}}`, "a bracket too many": `{}]`, "rubbish behind": `{} x`,
	} {
		t.Run(name+" is a validation error", func(t *testing.T) {
			t.Parallel()
			c, h := start(t)
			_, err := h.Schedule(t.Context(), c, json.RawMessage(text), nil)
			wantProblems(t, err, "input")
			_, err = h.Start(t.Context(), c, json.RawMessage(text), nil)
			wantProblems(t, err, "input")
			wantNothing(t, c)
		})
	}
}
