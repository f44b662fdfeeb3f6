package cli

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/globaltask/gtf"
)

func TestParseDuration(t *testing.T) {
	tests := []struct {
		text string
		want time.Duration
	}{
		{"30s", 30 * time.Second},
		{"1h30m", 90 * time.Minute},
		{"250ms", 250 * time.Millisecond},
		{"90d", 90 * 24 * time.Hour},
		{"1.5d", 36 * time.Hour},
		{"1d12h", 36 * time.Hour},
		{"none", gtf.None},
		{"0", gtf.None},
		{"0s", gtf.None},
		{"0d", gtf.None},
	}
	for _, tt := range tests {
		t.Run("reads "+tt.text, func(t *testing.T) {
			got, err := ParseDuration(tt.text)
			if err != nil || got != tt.want {
				t.Errorf("ParseDuration(%q) = %v, %v, want %v", tt.text, got, err, tt.want)
			}
		})
	}
	for _, text := range []string{"", "d", "30", "1w", "-5s", "-1d", "1d-2h", "12h1d", "forever", "999999999d", "106751d24h"} {
		t.Run("refuses "+text, func(t *testing.T) {
			if got, err := ParseDuration(text); err == nil {
				t.Errorf("ParseDuration(%q) = %v, want an error", text, got)
			}
		})
	}
}

func TestParseQueues(t *testing.T) {
	tests := []struct {
		text string
		want map[string]int
	}{
		{"default=20", map[string]int{"default": 20}},
		{"default=20,exports=4", map[string]int{"default": 20, "exports": 4}},
		{" default = 20 , a=b=1", map[string]int{"default": 20, "a=b": 1}},
	}
	for _, tt := range tests {
		t.Run("reads "+tt.text, func(t *testing.T) {
			got, err := ParseQueues(tt.text)
			if err != nil || !maps.Equal(got, tt.want) {
				t.Errorf("ParseQueues(%q) = %v, %v, want %v", tt.text, got, err, tt.want)
			}
		})
	}
	refused := []struct{ text, names string }{
		{"", "NAME=SLOTS"}, {"default", "NAME=SLOTS"}, {"default=0", "from 1 up"}, {"default=x", `"x"`},
		{"=5", "no name"}, {"a=1,a=2", "twice"}, {"a=1,", "NAME=SLOTS"},
	}
	for _, tt := range refused {
		t.Run("refuses "+tt.text, func(t *testing.T) {
			if _, err := ParseQueues(tt.text); err == nil || !strings.Contains(err.Error(), tt.names) {
				t.Errorf("ParseQueues(%q) returns %v, want an error with %q", tt.text, err, tt.names)
			}
		})
	}
}

func TestParseSize(t *testing.T) {
	tests := []struct {
		text string
		want int
	}{
		{"1", 1}, {"65536", 65536}, {"64KiB", 64 << 10}, {"1MiB", 1 << 20}, {"1mib", 1 << 20}, {"2 GiB", 2 << 30}, {"5kB", 5000}, {"3M", 3_000_000},
	}
	for _, tt := range tests {
		t.Run("reads "+tt.text, func(t *testing.T) {
			if got, err := parseSize(tt.text); err != nil || got != tt.want {
				t.Errorf("parseSize(%q) = %d, %v, want %d", tt.text, got, err, tt.want)
			}
		})
	}
	for _, text := range []string{"", "0", "-1", "1TiB", "MiB", "1.5MiB", "99999999999GiB", "99999999999999999999"} {
		t.Run("refuses "+text, func(t *testing.T) {
			if got, err := parseSize(text); err == nil {
				t.Errorf("parseSize(%q) = %d, want an error", text, got)
			}
		})
	}
}

func TestFormat(t *testing.T) {
	t.Run("writes every default as parse reads it", func(t *testing.T) {
		for _, s := range ownSettings() {
			if s.Default == "" {
				continue
			}
			v, err := s.parse(s.Default)
			if err != nil || format(v) != s.Default {
				t.Errorf("%s: %q is read as %v (%v) and written as %q", s.Name, s.Default, v, err, format(v))
			}
		}
	})
}

func TestWithoutPassword(t *testing.T) {
	tests := []struct{ name, url, want string }{
		{"leaves a path alone", "sqlite:///var/lib/my tasks.db", "sqlite:///var/lib/my tasks.db"},
		{"hides a password", "postgres://ada:geheim@db/gtf", "postgres://ada:xxxxx@db/gtf"},
		{"hides a password among the parameters", "postgres://db/gtf?user=ada&password=geheim", "postgres://db/gtf?password=xxxxx&user=ada"},
		{"shows nothing of what it cannot read", "postgres://ada:ge%heim@db/gtf", "postgres://(unreadable)"},
		{"shows nothing at all without a scheme", "ada:geheim@db", "(unreadable)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := withoutPassword(tt.url); got != tt.want {
				t.Errorf("withoutPassword(%q) = %q, want %q", tt.url, got, tt.want)
			}
		})
	}
}

func TestParseDatabase(t *testing.T) {
	tests := []struct{ url, want string }{
		{"sqlite://gtf.db", "gtf.db"},
		{"sqlite:gtf.db", "gtf.db"},
		{"sqlite:///var/lib/gtf.db", "/var/lib/gtf.db"},
		{"sqlite://dir/my%20tasks.db", "dir/my tasks.db"},
		{"sqlite://:memory:", ":memory:"},
		{"postgres://ada:geheim@db/gtf", "postgres://ada:geheim@db/gtf"},
		{"postgresql://db/gtf", "postgresql://db/gtf"},
		{sqliteURL("/odd/100%?#.db"), "/odd/100%?#.db"},
	}
	for _, tt := range tests {
		t.Run("reads "+tt.url, func(t *testing.T) {
			got, err := parseDatabase(tt.url)
			if err != nil || got.path+got.postgres != tt.want {
				t.Errorf("parseDatabase(%q) = %q, %v, want %q", tt.url, got, err, tt.want)
			}
		})
	}
	refused := []struct{ url, names string }{
		{"", "sqlite://PATH"},
		{"gtf.db", "sqlite://PATH"},
		{"mysql://root:geheim@db/gtf", `"mysql"`},
		{"sqlite://", "no file"},
		{"sqlite://gtf.db?mode=ro&password=geheim", "parameters"},
		{"sqlite://geheim%zz.db", "%25"},
	}
	for _, tt := range refused {
		t.Run("refuses "+tt.url, func(t *testing.T) {
			_, err := parseDatabase(tt.url)
			if err == nil || !strings.Contains(err.Error(), tt.names) || strings.Contains(err.Error(), "geheim") {
				t.Errorf("parseDatabase(%q) returns %v, want an error with %q and without secrets", tt.url, err, tt.names)
			}
			if code(err) != ExitUsage {
				t.Errorf("parseDatabase(%q) has exit code %d, want 2", tt.url, code(err))
			}
		})
	}
}
