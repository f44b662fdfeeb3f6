package term

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Area is a few lines at the bottom of a terminal that are drawn again and again. What is said meanwhile goes above them,
// for good. Each change is one write, so that no half of it is ever seen. An Area is not safe for concurrent use.
type Area struct {
	// Out is the terminal.
	Out io.Writer
	// HideCursor while lines are drawn; Leave and an empty Draw bring it back. Default false.
	HideCursor bool
	// Size of the terminal. Default: what Out says, or 80 by 24.
	Size func() (columns, lines int)

	drawn []string
}

const (
	hideCursor = "\x1b[?25l"
	showCursor = "\x1b[?25h"
)

// Columns is how wide a drawn line may be: one less than the terminal, since a full line moves the cursor on.
func (a *Area) Columns() int {
	columns, _ := a.size()
	return columns - 1
}

// Draw replaces the lines. None may be wider than Columns, or contain a line break. If there are more than the terminal
// has, the last are drawn: what scrolls away cannot be drawn again.
func (a *Area) Draw(lines ...string) { a.draw(nil, lines) }

// Say writes lines above the drawn ones. They may be of any width.
func (a *Area) Say(lines ...string) { a.draw(lines, a.drawn) }

// Leave lets the drawn lines stand for good. The next Draw begins below them.
func (a *Area) Leave() {
	if a.HideCursor && len(a.drawn) > 0 {
		a.write(showCursor)
	}
	a.drawn = nil
}

func (a *Area) draw(above, lines []string) {
	_, height := a.size()
	lines = lines[max(0, len(lines)-max(1, height-1)):]
	var b strings.Builder
	if a.HideCursor && len(a.drawn) == 0 && len(lines) > 0 {
		b.WriteString(hideCursor)
	}
	if n := len(a.drawn); n > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", n)
	}
	if len(above) > 0 { // however many rows it takes, nothing old is left beside or below it
		b.WriteString("\r\x1b[J" + strings.Join(above, "\n") + "\n")
	}
	for _, line := range lines {
		b.WriteString("\r\x1b[2K" + line + "\n")
	}
	b.WriteString("\x1b[J")
	if a.HideCursor && len(a.drawn) > 0 && len(lines) == 0 {
		b.WriteString(showCursor)
	}
	a.drawn = slices.Clone(lines)
	a.write(b.String())
}

func (a *Area) size() (columns, lines int) {
	if a.Size != nil {
		return a.Size()
	}
	return size(a.Out)
}

// write ignores errors: a terminal that has gone away is nobody's loss.
func (a *Area) write(text string) { _, _ = io.WriteString(a.Out, text) }
