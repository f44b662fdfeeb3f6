package gtf_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/globaltask/gtf"
)

// anything is a type that takes what it gets.
var anything = gtf.Define[any, any]("test.anything", &gtf.DefineOpts[any]{Scope: gtf.ScopeSystem})

func wantNothing(t testing.TB, c *gtf.Client) {
	t.Helper()
	if tasks := all(t, c); len(tasks) != 0 {
		t.Errorf("%d tasks were written", len(tasks))
	}
}

func TestValidation(t *testing.T) {
	t.Parallel()
	t.Run("lists every field at once, and writes nothing (S4.9)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		ctx := gtf.WithPrincipal(t.Context(), gtf.Principal{Kind: "robot", ID: strings.Repeat("i", 129), Name: strings.Repeat("n", 257)})
		_, err := privateWork.Schedule(ctx, c, strings.Repeat("x", 1<<20), &gtf.ScheduleOpts{
			Client: strings.Repeat("c", 65), Delay: -1, DueAt: time.Now(), Key: strings.Repeat("k", 257), MaxAttempts: 101, MaxQueueTime: -2,
			Name: strings.Repeat("n", 257), Priority: 10, Queue: strings.Repeat("q", 101), Timeout: -2,
		})
		wantProblems(t, err, "client", "delay", "due_at", "input", "key", "max_attempts", "max_queue_time", "name", "principal.id",
			"principal.kind", "principal.name", "priority", "queue", "timeout")
		wantNothing(t, c)
	})
	t.Run("of Run is the same, and nothing runs (S4.9)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), executes(func(context.Context, string) (string, error) { t.Error("it ran"); return "", nil }))
		_, err := privateWork.Run(as(t.Context(), strings.Repeat("i", 129)), c, "\xff", &gtf.RunOpts{
			Client: "?", Key: strings.Repeat("k", 257), MaxAttempts: -1, Name: "a\x00b", Timeout: -2,
		})
		wantProblems(t, err, "client", "input", "key", "max_attempts", "name", "principal.id", "timeout")
		wantNothing(t, c)
	})
	t.Run("names what was exceeded (S4.9)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), &gtf.Config{MaxInput: 1000})
		_, err := anything.Schedule(t.Context(), c, strings.Repeat("x", 999), &gtf.ScheduleOpts{Key: strings.Repeat("k", 300)})
		for _, limit := range []string{"1000", "1001", "256", "300"} {
			if err == nil || !strings.Contains(err.Error(), limit) {
				t.Errorf("the error %v does not name %s", err, limit)
			}
		}
	})
	t.Run("accepts what is just within the limits (S4.9)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), &gtf.Config{MaxInput: 1000})
		ctx := gtf.WithPrincipal(t.Context(), gtf.Principal{ID: strings.Repeat("é", 128), Name: strings.Repeat("é", 256)})
		h, err := anything.Schedule(ctx, c, strings.Repeat("x", 998), &gtf.ScheduleOpts{
			Client: strings.Repeat("c", 64), DueAt: time.Now().Add(-time.Hour), Key: strings.Repeat("é", 256), MaxAttempts: 100, MaxQueueTime: 1,
			Name: strings.Repeat("é", 256), Priority: 9, Queue: strings.Repeat("é", 100), Timeout: 1,
		})
		if err != nil {
			t.Fatal(err)
		}
		task := get(t, c, h.ID)
		if n := len([]rune(task.Key)); n != 256 || task.CreatedBy.ID != strings.Repeat("é", 128) {
			t.Errorf("the key has %d characters, the creator is %q", n, task.CreatedBy.ID)
		}
	})
}

func TestValidationOfOneField(t *testing.T) {
	t.Parallel()
	now := time.Now()
	tests := []struct {
		name string
		opts gtf.ScheduleOpts
		bad  string // empty: accepted
	}{
		{"a key of 257 characters", gtf.ScheduleOpts{Key: strings.Repeat("k", 257)}, "key"},
		{"a key that is not UTF-8", gtf.ScheduleOpts{Key: "\xff"}, "key"},
		{"a key with NUL", gtf.ScheduleOpts{Key: "a\x00"}, "key"},
		{"a name of 257 characters", gtf.ScheduleOpts{Name: strings.Repeat("é", 257)}, "name"},
		{"a name that is not UTF-8", gtf.ScheduleOpts{Name: "a\xc3"}, "name"},
		{"a name with NUL", gtf.ScheduleOpts{Name: "\x00"}, "name"},
		{"a queue with NUL", gtf.ScheduleOpts{Queue: "\x00"}, "queue"},
		{"priority -1", gtf.ScheduleOpts{Priority: -1}, "priority"},
		{"priority 10", gtf.ScheduleOpts{Priority: 10}, "priority"},
		{"priority 1", gtf.ScheduleOpts{Priority: 1}, ""},
		{"attempts -1", gtf.ScheduleOpts{MaxAttempts: -1}, "max_attempts"},
		{"attempts 0 inherits", gtf.ScheduleOpts{MaxAttempts: 0}, ""},
		{"attempts 100", gtf.ScheduleOpts{MaxAttempts: 100}, ""},
		{"attempts 101", gtf.ScheduleOpts{MaxAttempts: 101}, "max_attempts"},
		{"a negative delay", gtf.ScheduleOpts{Delay: -time.Second}, "delay"},
		{"gtf.None as a delay", gtf.ScheduleOpts{Delay: gtf.None}, "delay"},
		{"a negative timeout", gtf.ScheduleOpts{Timeout: -time.Second}, "timeout"},
		{"gtf.None as a timeout", gtf.ScheduleOpts{Timeout: gtf.None}, ""},
		{"a negative queue time", gtf.ScheduleOpts{MaxQueueTime: -time.Second}, "max_queue_time"},
		{"gtf.None as a queue time", gtf.ScheduleOpts{MaxQueueTime: gtf.None}, ""},
		{"delay and due time", gtf.ScheduleOpts{Delay: time.Second, DueAt: now}, "due_at"},
		{"a due time", gtf.ScheduleOpts{DueAt: now}, ""},
		{"a client with a space", gtf.ScheduleOpts{Client: "tab 1"}, "client"},
		{"a client", gtf.ScheduleOpts{Client: "Tab_1-a"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name+" (S4.9)", func(t *testing.T) {
			t.Parallel()
			c := newClient(t, open(t), nil)
			_, err := anything.Schedule(t.Context(), c, 1, &tt.opts)
			if tt.bad == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantProblems(t, err, tt.bad)
			wantNothing(t, c)
		})
	}
}

// chain is a list as deep as it is long.
type chain struct {
	Text string
	Next *chain
}

func chained(length int, last string) *chain {
	list := &chain{Text: last}
	for range length - 1 {
		list = &chain{Text: "fine", Next: list}
	}
	return list
}

// inner has fields that are not exported: they do not go into the JSON.
type inner struct {
	Text   string
	hidden string
}

type outer struct {
	inner
	Inner *inner
	Any   any
	Array [2]string
	Skip  string `json:"-"`
}

type broken struct{}

func (broken) MarshalJSON() ([]byte, error) { return nil, errors.New("cannot be told") }

type badBytes struct{}

func (badBytes) MarshalJSON() ([]byte, error) { return []byte("\"\xff\""), nil }

// Inputs hold neither NUL nor bad UTF-8, wherever they are (S4.9).
func TestValidationOfInput(t *testing.T) {
	t.Parallel()
	const nul, utf8, ok = "NUL", "UTF-8", ""
	tests := []struct {
		name string
		in   any
		bad  string // in the reason; empty: accepted
	}{
		{"NUL in a string", "a\x00b", nul},
		{"NUL in a field", outer{Inner: &inner{Text: "\x00"}}, nul},
		{"NUL in a map's key", map[string]int{"\x00": 1}, nul},
		{"NUL after backslashes", `\\` + "\x00", nul},
		{"NUL, escaped, in raw JSON", json.RawMessage(`{"a":["\u0000"]}`), nul},
		{"NUL, escaped, after an escaped backslash in raw JSON", json.RawMessage(`"\\\u0000"`), nul},
		{"NUL, escaped, as a key in raw JSON", json.RawMessage(`{"\u0000":1}`), nul},
		{"a backslash and u0000 in a string", `\u0000`, ok},
		{"an escaped backslash and u0000 in raw JSON", json.RawMessage(`"\\u0000"`), ok},
		{"two escaped backslashes and u0000 in raw JSON", json.RawMessage(`"\\\\u0000"`), ok},
		{"u0000 and other escapes", json.RawMessage(`["u0000","\u00000","\t\n\"","\u0001"]`), nul},
		{"escapes of other characters", json.RawMessage(`["u0000","\u0001","\u1000","\t\n\"\\"]`), ok},

		{"bad UTF-8 in a string", "a\xff", utf8},
		{"bad UTF-8 in an embedded field", outer{inner: inner{Text: "\xff"}}, utf8},
		{"bad UTF-8 behind a pointer", outer{Inner: &inner{Text: "a\xc3"}}, utf8},
		{"bad UTF-8 behind an interface", outer{Any: []any{1, map[string]any{"a": "\xed\xa0\x80"}}}, utf8},
		{"bad UTF-8 in an array", outer{Array: [2]string{"", "\xff"}}, utf8},
		{"bad UTF-8 in a map's key", map[string]int{"\xff": 1}, utf8},
		{"bad UTF-8 in a map's value", map[int][]string{1: {"\xff"}}, utf8},
		{"bad UTF-8 in raw JSON", json.RawMessage("\"\xff\""), utf8},
		{"bad UTF-8 from a marshaler", badBytes{}, utf8},
		{"bad UTF-8 at the end of a chain of 20", chained(20, "\xff"), utf8},
		{"bad UTF-8 at the end of a chain of 200", chained(200, "\xff"), utf8},
		{"U+FFFD in a string", "\uFFFD", ok},
		{"U+FFFD, escaped, in raw JSON", json.RawMessage(`"\ufffd"`), ok},
		{"U+FFFD, escaped, beside a field that is left out", struct {
			Raw  json.RawMessage
			Skip string `json:"-"`
		}{json.RawMessage(`"\ufffd"`), "\xff"}, ok},
		{"bad UTF-8 in a field that is left out", outer{Skip: "\xff", inner: inner{hidden: "\xff"}}, ok},
		{"bytes, which are no text", []byte{0, 0xff}, ok},

		{"a value that cannot be JSON", func() {}, "JSON"},
		{"a value whose marshaler fails", broken{}, "cannot be told"},
		{"raw JSON that is none", json.RawMessage(`{"a"`), "JSON"},
		{"nothing", nil, ok},
	}
	for _, tt := range tests {
		t.Run(tt.name+" (S4.9)", func(t *testing.T) {
			t.Parallel()
			c := newClient(t, open(t), nil)
			_, err := anything.Schedule(t.Context(), c, tt.in, nil)
			if tt.bad == ok {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			wantProblems(t, err, "input")
			if err != nil && !strings.Contains(err.Error(), tt.bad) {
				t.Errorf("the error %q does not say %q", err, tt.bad)
			}
			wantNothing(t, c)
		})
	}
}

func TestValidationError(t *testing.T) {
	t.Parallel()
	err := error(&gtf.ValidationError{Problems: []gtf.Problem{{Field: "key", Reason: "is empty"}, {Field: "name", Reason: "is too long"}}})
	if got, want := err.Error(), "invalid: key: is empty; name: is too long"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, ok := errors.AsType[*gtf.ValidationError](fmt.Errorf("submit: %w", err)); !ok {
		t.Error("it is not found in what wraps it")
	}
}
