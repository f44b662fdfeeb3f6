package term

import (
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	tests := []struct {
		d    time.Duration
		want string
	}{
		{-time.Second, "<1s"}, {0, "<1s"}, {999 * time.Millisecond, "<1s"}, {time.Second, "1s"}, {59*time.Second + 999*time.Millisecond, "59s"},
		{time.Minute, "1m"}, {61 * time.Second, "1m 1s"}, {4*time.Minute + 59*time.Second, "4m 59s"}, {time.Hour, "1h"},
		{time.Hour + 59*time.Second, "1h"}, {time.Hour + 2*time.Minute + 3*time.Second, "1h 2m"}, {26 * time.Hour, "1d 2h"}, {90 * 24 * time.Hour, "90d"},
	}
	for _, tt := range tests {
		t.Run("says "+tt.want, func(t *testing.T) {
			if got := Duration(tt.d); got != tt.want {
				t.Errorf("Duration(%v) = %q, want %q", tt.d, got, tt.want)
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
			if got := Ago(now, tt.t); got != tt.want {
				t.Errorf("Ago(%v) = %q, want %q", tt.t, got, tt.want)
			}
		})
	}
}

func TestMoment(t *testing.T) {
	if got := Moment(time.Time{}); got != None {
		t.Errorf("Moment of no time = %q, want %q", got, None)
	}
	at := time.Date(2026, 5, 1, 12, 0, 9, 0, time.Local)
	if got, want := Moment(at.UTC()), at.Format(time.DateTime+" MST"); got != want {
		t.Errorf("Moment(%v) = %q, want %q", at, got, want)
	}
}

func TestNumber(t *testing.T) {
	for n, want := range map[int]string{
		0: "0", 7: "7", 999: "999", 1000: "1,000", 200_000: "200,000", 1_234_567: "1,234,567", -1000: "-1,000", -100: "-100",
	} {
		if got := Number(n); got != want {
			t.Errorf("Number(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestPlural(t *testing.T) {
	for n, want := range map[int]string{0: "0 rows", 1: "1 row", 2: "2 rows", 10_000: "10,000 rows"} {
		if got := Plural(n, "row", "rows"); got != want {
			t.Errorf("Plural(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 84 << 20: "84.0 MiB", 3 << 30: "3.0 GiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestList(t *testing.T) {
	for want, words := range map[string][]string{"": nil, "a": {"a"}, "a and b": {"a", "b"}, "a, b and c": {"a", "b", "c"}} {
		if got := List(words); got != want {
			t.Errorf("List(%q) = %q, want %q", words, got, want)
		}
	}
}
