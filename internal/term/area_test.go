package term

import (
	"strings"
	"testing"
)

func TestArea(t *testing.T) {
	open := func(hide bool) (*Area, func() string) {
		var b strings.Builder
		a := &Area{Out: &b, HideCursor: hide, Size: func() (int, int) { return 20, 4 }}
		return a, func() string { defer b.Reset(); return b.String() }
	}
	expect := func(t *testing.T, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("wrote %q, want %q", got, want)
		}
	}
	t.Run("draws over what it drew, and clears lines that are gone", func(t *testing.T) {
		a, written := open(false)
		a.Draw("one", "two")
		expect(t, written(), "\r\x1b[2Kone\n\r\x1b[2Ktwo\n\x1b[J")
		a.Draw("one")
		expect(t, written(), "\x1b[2A\r\x1b[2Kone\n\x1b[J")
		a.Draw()
		expect(t, written(), "\x1b[1A\x1b[J")
	})
	t.Run("says lines of any width above what it drew", func(t *testing.T) {
		a, written := open(false)
		a.Draw("one", "two")
		written()
		long := strings.Repeat("long ", 20)
		a.Say(long, "short")
		expect(t, written(), "\x1b[2A\r\x1b[J"+long+"\nshort\n\r\x1b[2Kone\n\r\x1b[2Ktwo\n\x1b[J")
	})
	t.Run("draws the last lines where there are too many", func(t *testing.T) {
		a, written := open(false)
		a.Draw("1", "2", "3", "4", "5")
		expect(t, written(), "\r\x1b[2K3\n\r\x1b[2K4\n\r\x1b[2K5\n\x1b[J")
		a.Draw("1")
		expect(t, written(), "\x1b[3A\r\x1b[2K1\n\x1b[J")
	})
	t.Run("hides the cursor while something is drawn", func(t *testing.T) {
		a, written := open(true)
		a.Say("before")
		expect(t, written(), "\r\x1b[Jbefore\n\x1b[J")
		a.Draw("one")
		expect(t, written(), hideCursor+"\r\x1b[2Kone\n\x1b[J")
		a.Draw("two")
		expect(t, written(), "\x1b[1A\r\x1b[2Ktwo\n\x1b[J")
		a.Draw()
		expect(t, written(), "\x1b[1A\x1b[J"+showCursor)
	})
	t.Run("leaves what it drew, and the cursor", func(t *testing.T) {
		a, written := open(true)
		a.Draw("one")
		written()
		a.Leave()
		a.Leave()
		expect(t, written(), showCursor)
		a.Draw("two")
		expect(t, written(), hideCursor+"\r\x1b[2Ktwo\n\x1b[J")
	})
	t.Run("takes a stream that has no size for 80 by 24", func(t *testing.T) {
		if got := (&Area{Out: &strings.Builder{}}).Columns(); got != 79 {
			t.Errorf("a line may have %d columns, want 79", got)
		}
	})
}
