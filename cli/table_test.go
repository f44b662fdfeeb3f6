package cli

import (
	"strings"
	"testing"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/term"
)

func TestTable(t *testing.T) {
	fill := func() *table {
		tab := newTable("NAME", "STATUS", "DURATION")
		tab.right[2] = true
		tab.add("Export", statusCell(gtf.StatusInProgress), "4m 59s")
		tab.add("報告書", statusCell(gtf.StatusFailure), "–")
		tab.add("two\nlines\x1b[2J", "", "")
		return tab
	}
	t.Run("aligns columns by their width on the screen", func(t *testing.T) {
		var b strings.Builder
		if err := fill().write(&b, term.Palette{}); err != nil {
			t.Fatal(err)
		}
		want := "" +
			"NAME           STATUS       DURATION\n" +
			"Export         In progress    4m 59s\n" +
			"報告書         Failed              –\n" +
			"two lines\uFFFD[2J\n"
		if b.String() != want {
			t.Errorf("got\n%s\nwant\n%s", b.String(), want)
		}
	})
	t.Run("paints a status without changing the widths", func(t *testing.T) {
		var b strings.Builder
		if err := fill().write(&b, term.Palette{Colour: true}); err != nil {
			t.Fatal(err)
		}
		line := strings.Split(b.String(), "\n")[1]
		if want := "Export         \x1b[34mIn progress\x1b[0m    4m 59s"; line != want {
			t.Errorf("got %q, want %q", line, want)
		}
	})
}
