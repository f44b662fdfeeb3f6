package cli

import (
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	tests := []struct {
		d    time.Duration
		want string
	}{
		{0, "<1s"}, {999 * time.Millisecond, "<1s"}, {time.Second, "1s"}, {59*time.Second + 999*time.Millisecond, "59s"},
		{time.Minute, "1m"}, {4*time.Minute + 59*time.Second, "4m 59s"}, {time.Hour, "1h"}, {time.Hour + 59*time.Second, "1h"},
		{time.Hour + 2*time.Minute + 3*time.Second, "1h 2m"}, {26 * time.Hour, "1d 2h"}, {90 * 24 * time.Hour, "90d"}, {-time.Second, "<1s"},
	}
	for _, tt := range tests {
		t.Run("says "+tt.want, func(t *testing.T) {
			if got := duration(tt.d); got != tt.want {
				t.Errorf("duration(%v) = %q, want %q", tt.d, got, tt.want)
			}
		})
	}
}

func TestAgo(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		t    time.Time
		want string
	}{
		{time.Time{}, "–"}, {now, "now"}, {now.Add(-12 * time.Second), "12s ago"}, {now.Add(-125 * time.Second), "2m ago"},
		{now.Add(-49 * time.Hour), "2d ago"}, {now.Add(5 * time.Minute), "in 5m"},
	}
	for _, tt := range tests {
		t.Run("says "+tt.want, func(t *testing.T) {
			if got := ago(now, tt.t); got != tt.want {
				t.Errorf("ago(%v) = %q, want %q", tt.t, got, tt.want)
			}
		})
	}
}

func TestNumber(t *testing.T) {
	for n, want := range map[int]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestBytesText(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 84 << 20: "84.0 MiB", 3 << 30: "3.0 GiB"} {
		if got := bytesText(n); got != want {
			t.Errorf("bytesText(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestPrintable(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"leaves text alone", "Grüße, 世界 👋\tand\nmore", "Grüße, 世界 👋\tand\nmore"},
		{"disarms escape sequences", "\x1b[31mred\x1b]0;title\a", "\uFFFD[31mred\uFFFD]0;title\uFFFD"},
		{"disarms what goes back in the line", "ok\rbad\bworse\u009b2J", "ok\uFFFDbad\uFFFDworse\uFFFD2J"},
		{"disarms what reorders the line", "a\u202eb\u2066c", "a\uFFFDb\uFFFDc"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := printable(tt.text); got != tt.want {
				t.Errorf("printable(%q) = %q, want %q", tt.text, got, tt.want)
			}
		})
	}
}
