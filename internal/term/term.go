// Package term is how gtf's programs write for people at a terminal: texts that fit and cannot harm, durations and numbers,
// statuses in words and colours, and lines that are drawn again in place.
//
//	text.go      widths, cutting, padding, wrapping, and what is safe to print
//	humanize.go  durations, moments, numbers, sizes, lists
//	status.go    the glyph, the word and the colour of a status
//	progress.go  bars, run times and what is left of them
//	colour.go    the palette
//	area.go      the lines at the bottom that move
//
// Nothing in it parses or decides: what it returns is for eyes only.
package term

import (
	"os"

	xterm "golang.org/x/term"
)

type descriptor interface{ Fd() uintptr }

// Redraws reports whether lines can be redrawn on a stream: it is a terminal, and not a dumb one.
func Redraws(stream any) bool {
	f, ok := stream.(descriptor)
	return ok && os.Getenv("TERM") != "dumb" && xterm.IsTerminal(int(f.Fd()))
}

// size of a terminal, 80 by 24 where it does not say.
func size(stream any) (columns, lines int) {
	if f, ok := stream.(descriptor); ok {
		if columns, lines, err := xterm.GetSize(int(f.Fd())); err == nil && columns > 0 && lines > 0 {
			return columns, lines
		}
	}
	return 80, 24
}
