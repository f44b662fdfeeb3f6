package cli

import (
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"
)

type descriptor interface{ Fd() uintptr }

func isTerminal(w any) bool {
	f, ok := w.(descriptor)
	return ok && term.IsTerminal(int(f.Fd()))
}

// size of a terminal, 80 by 24 where it does not say.
func size(w any) (columns, lines int) {
	if f, ok := w.(descriptor); ok {
		if columns, lines, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 && lines > 0 {
			return columns, lines
		}
	}
	return 80, 24
}

// area is a few lines at the bottom of a terminal that are drawn again and again. Whatever is said meanwhile goes above.
type area struct {
	w     io.Writer
	drawn int // lines on the screen
}

// draw replaces the lines. They must be no wider than the terminal, or the count of rows is wrong.
func (a *area) draw(lines []string) {
	var b strings.Builder
	a.up(&b)
	for _, line := range lines {
		b.WriteString("\r\x1b[2K" + line + "\n")
	}
	if extra := a.drawn - len(lines); extra > 0 {
		b.WriteString(strings.Repeat("\r\x1b[2K\n", extra) + fmt.Sprintf("\x1b[%dA", extra))
	}
	a.drawn = len(lines)
	_, _ = io.WriteString(a.w, b.String()) // a terminal that has gone away is nobody's loss
}

// say writes a line above.
func (a *area) say(line string) {
	var b strings.Builder
	a.up(&b)
	b.WriteString("\r\x1b[J" + line + "\n")
	a.drawn = 0
	_, _ = io.WriteString(a.w, b.String())
}

func (a *area) up(b *strings.Builder) {
	if a.drawn > 0 {
		fmt.Fprintf(b, "\x1b[%dA", a.drawn)
	}
}

// bar draws how much is done.
func bar(fraction float64, columns int) string {
	full := min(columns, int(fraction*float64(columns)))
	return strings.Repeat("█", full) + strings.Repeat("░", columns-full)
}
