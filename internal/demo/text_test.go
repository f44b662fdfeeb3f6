package demo

import (
	"slices"
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		999 * time.Millisecond: "<1s", time.Second: "1s", 61 * time.Second: "1m 1s", 3*time.Hour + 4*time.Minute + time.Second: "3h 4m",
	} {
		if got := duration(d); got != want {
			t.Errorf("duration(%s) is %q, want %q", d, got, want)
		}
	}
}

func TestNumber(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 200_000: "200,000", 1_234_567: "1,234,567"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) is %q, want %q", n, got, want)
		}
	}
}

func TestPad(t *testing.T) {
	tests := []struct {
		text    string
		columns int
		want    string
	}{
		{"abc", 5, "abc  "}, {"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"abc", 1, "…"}, {"abc", 0, ""}, {"Łu", 3, "Łu "},
	}
	for _, tt := range tests {
		if got := pad(tt.text, tt.columns); got != tt.want {
			t.Errorf("pad(%q, %d) is %q, want %q", tt.text, tt.columns, got, tt.want)
		}
	}
}

func TestWrap(t *testing.T) {
	tests := []struct {
		text string
		want []string
	}{
		{"", []string{""}}, {"one two", []string{"one two"}}, {"one two three", []string{"one two", "three"}}, {"a-long-word b", []string{"a-long-word", "b"}},
	}
	for _, tt := range tests {
		if got := wrap(tt.text, 7); !slices.Equal(got, tt.want) {
			t.Errorf("wrap(%q) is %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestOneLine(t *testing.T) {
	if got, want := oneLine("a\tb\n\x1b[2Jc\u202e"), "a b �[2Jc�"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
