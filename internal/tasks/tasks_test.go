package tasks

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/globaltask/gtf"
)

func TestHandlers(t *testing.T) {
	t.Parallel()
	typesOf := func(o Options) string {
		var types []string
		for _, h := range Handlers(o) {
			info := h.Info()
			if info.Description == "" {
				t.Errorf("%s has no description", info.Type)
			}
			types = append(types, info.Type)
		}
		return strings.Join(types, " ")
	}
	t.Run("offers no programs unless they are allowed", func(t *testing.T) {
		if got := typesOf(Options{}); strings.Contains(got, "exec.command") {
			t.Errorf("types are %s, want none that runs programs", got)
		}
		if got := typesOf(Options{AllowExec: true}); !strings.Contains(got, "exec.command") {
			t.Errorf("types are %s, want exec.command among them", got)
		}
	})
}

func TestProblems(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		err  error
		want []string
	}{
		{"checksum names the relative directory", ChecksumInput{Dir: "x"}.check(), []string{"dir"}},
		{"thumbnails name every bad field", ThumbnailsInput{Width: 5000}.check(), []string{"dir", "out", "width"}},
		{"export names every bad field", ExportInput{DatabaseURL: "mysql://x"}.check(), []string{"database_url", "query", "format", "out"}},
		{"export wants a file", ExportInput{DatabaseURL: "sqlite://", Query: "q", Format: "csv", Out: "/o"}.check(), []string{"database_url"}},
		{"command names every bad field", CommandInput{Argv: []string{"", "\x00"}, Dir: "x", Env: map[string]string{"=": ""}, GraceMS: -1}.check(),
			[]string{"argv", "argv[1]", "dir", `env["="]`, "grace_ms"}},
		{"steps name every bad field", StepsInput{Steps: -1, StepMS: -1, Abort: "x", FailAt: -1, PanicAt: 11, IgnoreAbortMS: -1,
			PayloadBytes: 1 << 40, TimeoutMS: -1}.check(),
			[]string{"steps", "step_ms", "abort", "fail_at", "panic_at", "ignore_abort_ms", "payload_bytes", "timeout_ms"}},
		{"the zero steps are fine", StepsInput{}.check(), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			if invalid, ok := errors.AsType[*gtf.ValidationError](tt.err); ok {
				for _, p := range invalid.Problems {
					got = append(got, p.Field)
				}
			} else if tt.err != nil {
				t.Fatalf("error is %v, want a validation error", tt.err)
			}
			if strings.Join(got, " ") != strings.Join(tt.want, " ") {
				t.Errorf("bad fields are %q, want %q", got, tt.want)
			}
		})
	}
}

func TestKeyOf(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", 300)
	t.Run("different parts have different keys", func(t *testing.T) {
		seen := map[string]bool{}
		for _, parts := range [][]any{{"a", "b"}, {"a b"}, {`a" "b`}, {"a", "b", ""}, {long, "a"}, {long, "b"}} {
			key := keyOf(parts...)
			if seen[key] {
				t.Errorf("key %q is not the only one of its kind", key)
			}
			seen[key] = true
		}
	})
	t.Run("keys and names of long paths stay within the limits", func(t *testing.T) {
		for _, text := range []string{keyOf(long, long), nameOf("Checksums of", long)} {
			if n := utf8.RuneCountInString(text); n > 256 {
				t.Errorf("%q has %d characters, want at most 256", text, n)
			}
		}
	})
	t.Run("a short name is the whole path", func(t *testing.T) {
		if got := nameOf("Checksums of", "/a/b"); got != "Checksums of /a/b" {
			t.Errorf("name is %q", got)
		}
	})
}
