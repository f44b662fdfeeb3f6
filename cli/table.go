package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
)

// table is rows of cells in columns as wide as they need to be.
type table struct {
	head  []string
	right map[int]bool // columns aligned to the right
	rows  [][]cell
}

// cell is a text and the style of its status, if it shows one.
type cell struct {
	text  string
	style style
}

func newTable(head ...string) *table { return &table{head: head, right: map[int]bool{}} }

// add makes a row; values that are no cells are printed plainly.
func (t *table) add(values ...any) {
	row := make([]cell, len(values))
	for i, v := range values {
		c, ok := v.(cell)
		if !ok {
			c = cell{text: fmt.Sprint(v)}
		}
		c.text = oneLine(c.text)
		row[i] = c
	}
	t.rows = append(t.rows, row)
}

// write prints the table: columns two spaces apart, without spaces at the end of a line.
func (t *table) write(w io.Writer, p palette) error {
	widths := make([]int, len(t.head))
	for i, h := range t.head {
		widths[i] = width(h)
	}
	for _, row := range t.rows {
		for i, c := range row {
			widths[i] = max(widths[i], width(c.text))
		}
	}
	var b strings.Builder
	line := func(row []cell) {
		last := len(row) - 1
		for last >= 0 && row[last].text == "" {
			last--
		}
		for i := range last + 1 {
			gap := strings.Repeat(" ", widths[i]-width(row[i].text))
			text := p.paint(row[i].style, row[i].text)
			switch {
			case t.right[i]:
				b.WriteString(gap + text)
			case i == last:
				b.WriteString(text)
			default:
				b.WriteString(text + gap)
			}
			if i < last {
				b.WriteString("  ")
			}
		}
		b.WriteByte('\n')
	}
	head := make([]cell, len(t.head))
	for i, h := range t.head {
		head[i] = cell{h, styleDim}
	}
	if strings.Join(t.head, "") != "" {
		line(head)
	}
	for _, row := range t.rows {
		line(row)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// wide are the blocks whose characters take two columns, roughly.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{{Lo: 0x1100, Hi: 0x115f, Stride: 1}, {Lo: 0x2e80, Hi: 0xa4cf, Stride: 1}, {Lo: 0xac00, Hi: 0xd7a3, Stride: 1},
		{Lo: 0xf900, Hi: 0xfaff, Stride: 1}, {Lo: 0xfe30, Hi: 0xfe6f, Stride: 1}, {Lo: 0xff00, Hi: 0xff60, Stride: 1}},
	R32: []unicode.Range32{{Lo: 0x1f300, Hi: 0x1faff, Stride: 1}, {Lo: 0x20000, Hi: 0x3fffd, Stride: 1}},
}

func runeWidth(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}

// width is how many columns a text takes on a terminal.
func width(text string) int {
	n := 0
	for _, r := range text {
		n += runeWidth(r)
	}
	return n
}

// cut shortens a text to at most so many columns.
func cut(text string, columns int) string {
	if width(text) <= columns {
		return text
	}
	n := 1 // the ellipsis
	for i, r := range text {
		if n += runeWidth(r); n > columns {
			return text[:i] + "…"
		}
	}
	return text
}

// style is a meaning that has a colour.
type style int

const (
	stylePlain style = iota
	styleDim
	styleAccent
	styleGood
	styleBad
	styleWarning
)

// palette paints, or does not.
type palette struct{ colour bool }

// paletteOf has colours on a terminal, unless NO_COLOR is set (no-color.org).
func paletteOf(w any) palette {
	return palette{colour: terminal(w) && os.Getenv("NO_COLOR") == ""}
}

func (p palette) paint(s style, text string) string {
	if !p.colour || s == stylePlain || text == "" {
		return text
	}
	codes := map[style]string{styleDim: "2", styleAccent: "34", styleGood: "32", styleBad: "31", styleWarning: "33"}
	return "\x1b[" + codes[s] + "m" + text + "\x1b[0m"
}
