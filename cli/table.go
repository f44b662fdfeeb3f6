package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/globaltask/gtf/internal/term"
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
	style term.Style
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
		c.text = term.OneLine(c.text)
		row[i] = c
	}
	t.rows = append(t.rows, row)
}

// write prints the table: columns two spaces apart, without spaces at the end of a line.
func (t *table) write(w io.Writer, p term.Palette) error {
	widths := make([]int, len(t.head))
	for i, h := range t.head {
		widths[i] = term.Width(h)
	}
	for _, row := range t.rows {
		for i, c := range row {
			widths[i] = max(widths[i], term.Width(c.text))
		}
	}
	var b strings.Builder
	line := func(row []cell) {
		last := len(row) - 1
		for last >= 0 && row[last].text == "" {
			last--
		}
		for i := range last + 1 {
			gap := strings.Repeat(" ", widths[i]-term.Width(row[i].text))
			text := p.Paint(row[i].style, row[i].text)
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
		head[i] = cell{h, term.Dim}
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
