package demo

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

type descriptor interface{ Fd() uintptr }

// terminal reports whether lines can be redrawn there.
func terminal(w any) bool {
	f, ok := w.(descriptor)
	return ok && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

// sizeOf a terminal, 80 by 24 where it does not say.
func sizeOf(w any) (columns, lines int) {
	if f, ok := w.(descriptor); ok {
		if columns, lines, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 && lines > 0 {
			return columns, lines
		}
	}
	return 80, 24
}

// style is a meaning that has a colour.
type style string

const (
	stylePlain   style = ""
	styleStrong  style = "1"
	styleDim     style = "2"
	styleAccent  style = "34"
	styleGood    style = "32"
	styleBad     style = "31"
	styleWarning style = "33"
)

// palette paints, or does not.
type palette struct{ colour bool }

func (p palette) paint(s style, text string) string {
	if !p.colour || s == stylePlain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// area is a few lines at the bottom of a terminal that are drawn again and again. Whatever is said meanwhile goes above.
// Each change is one write, so that no half of it is ever seen.
type area struct {
	w     io.Writer
	drawn int // lines on the screen
}

// draw says lines above the area, for good, and then draws the area. Its lines must not be wider than the terminal, or
// their count is wrong.
func (a *area) draw(above, lines []string) {
	var b strings.Builder
	if a.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", a.drawn)
	}
	if len(above) > 0 {
		b.WriteString("\r\x1b[J" + strings.Join(above, "\n") + "\n")
	}
	for _, line := range lines {
		b.WriteString("\r\x1b[2K" + line + "\n")
	}
	b.WriteString("\x1b[J")
	a.drawn = len(lines)
	_, _ = io.WriteString(a.w, b.String()) // a terminal that has gone away is nobody's loss
}

const (
	hideCursor = "\x1b[?25l"
	showCursor = "\x1b[?25h"
)
