package cli

import (
	"strings"
	"testing"

	"github.com/globaltask/gtf"
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
		if err := fill().write(&b, palette{}); err != nil {
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
		if err := fill().write(&b, palette{colour: true}); err != nil {
			t.Fatal(err)
		}
		line := strings.Split(b.String(), "\n")[1]
		if want := "Export         \x1b[34mIn progress\x1b[0m    4m 59s"; line != want {
			t.Errorf("got %q, want %q", line, want)
		}
	})
}

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
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := cut(tt.text, tt.columns); got != tt.want {
				t.Errorf("cut(%q, %d) = %q, want %q", tt.text, tt.columns, got, tt.want)
			}
		})
	}
}
