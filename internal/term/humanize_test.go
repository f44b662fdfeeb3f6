package term

import (
	"testing"
	"time"
)

func TestAgo(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for want, at := range map[string]time.Time{None: {}, "12s ago": now.Add(-12 * time.Second)} {
		if got := Ago(now, at); got != want {
			t.Errorf("Ago(%v) = %q, want %q", at, got, want)
		}
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
