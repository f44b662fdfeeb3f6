package term

import (
	"slices"
	"testing"
)

func TestCut(t *testing.T) {
	tests := []struct {
		name, text string
		columns    int
		want       string
	}{
		{"leaves what fits", "Export", 6, "Export"},
		{"marks what it cut", "Exports", 6, "Expor…"},
		{"counts columns", "報告書です", 6, "報告…"},
		{"counts no combining marks", "e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301"},
		{"keeps the marks of what it keeps", "e\u0301e\u0301e\u0301", 2, "e\u0301…"},
		{"has room for the mark alone", "報告", 1, "…"},
		{"has no room", "Export", 0, ""},
		{"has less than no room", "Export", -1, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Cut(tt.text, tt.columns); got != tt.want {
				t.Errorf("Cut(%q, %d) = %q, want %q", tt.text, tt.columns, got, tt.want)
			}
		})
	}
}

func TestPad(t *testing.T) {
	tests := []struct {
		text       string
		columns    int
		want, left string
	}{
		{"abc", 5, "abc  ", "  abc"}, {"abc", 3, "abc", "abc"}, {"abcd", 3, "ab…", "abcd"}, {"abc", 1, "…", "abc"}, {"abc", 0, "", "abc"},
		{"Łu", 3, "Łu ", " Łu"}, {"報告", 5, "報告 ", " 報告"}, {"報告", 3, "報…", "報告"}, {"報告書", 4, "報… ", "報告書"},
	}
	for _, tt := range tests {
		if got := Pad(tt.text, tt.columns); got != tt.want {
			t.Errorf("Pad(%q, %d) = %q, want %q", tt.text, tt.columns, got, tt.want)
		}
		if got := PadLeft(tt.text, tt.columns); got != tt.left {
			t.Errorf("PadLeft(%q, %d) = %q, want %q", tt.text, tt.columns, got, tt.left)
		}
	}
}

func TestWrap(t *testing.T) {
	tests := []struct {
		text string
		want []string
	}{
		{"", []string{""}}, {"one two", []string{"one two"}}, {"one two three", []string{"one two", "three"}},
		{"a-long-word b", []string{"a-long-word", "b"}}, {"報告 報告", []string{"報告", "報告"}},
	}
	for _, tt := range tests {
		if got := Wrap(tt.text, 7); !slices.Equal(got, tt.want) {
			t.Errorf("Wrap(%q) = %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestPrintable(t *testing.T) {
	tests := []struct{ name, text, want, line string }{
		{"leaves text alone", "Grüße, 世界 👋\tand\nmore", "Grüße, 世界 👋\tand\nmore", "Grüße, 世界 👋 and more"},
		{"disarms escape sequences", "\x1b[31mred\x1b]0;title\a", "\uFFFD[31mred\uFFFD]0;title\uFFFD", "\uFFFD[31mred\uFFFD]0;title\uFFFD"},
		{"disarms what goes back in the line", "ok\rbad\bworse\u009b2J", "ok\uFFFDbad\uFFFDworse\uFFFD2J", "ok\uFFFDbad\uFFFDworse\uFFFD2J"},
		{"disarms what reorders the line", "a\u202eb\u2066c\u200ed\u061c", "a\uFFFDb\uFFFDc\uFFFDd\uFFFD", "a\uFFFDb\uFFFDc\uFFFDd\uFFFD"},
		{"does all at once", "a\tb\n\x1b[2Jc\u202e", "a\tb\n\uFFFD[2Jc\uFFFD", "a b \uFFFD[2Jc\uFFFD"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Printable(tt.text); got != tt.want {
				t.Errorf("Printable(%q) = %q, want %q", tt.text, got, tt.want)
			}
			if got := OneLine(tt.text); got != tt.line {
				t.Errorf("OneLine(%q) = %q, want %q", tt.text, got, tt.line)
			}
		})
	}
}
