package demo

import (
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/globaltask/gtf"
)

// screen is where the demo is shown.
type screen interface {
	// show is called at every change of a task, and a few times a second.
	show(rows []row, now time.Time)
	// say writes a line for good; what does not fit goes on below the text, not the head.
	say(head, text string)
	// settle ends the show: what was shown last stays.
	settle()
	// paint colours a text where there are colours.
	paint(s style, text string) string
}

// screenOf redraws on a terminal, with colours unless NO_COLOR is set (no-color.org).
func screenOf(w io.Writer) screen {
	if !terminal(w) {
		return &plain{w: w, said: map[gtf.ID]string{}}
	}
	return &live{
		area:    area{w: w},
		palette: palette{colour: os.Getenv("NO_COLOR") == ""},
		size:    func() (int, int) { return sizeOf(w) },
	}
}

// live draws a line for each task, again and again, below what is said.
type live struct {
	palette
	area area
	size func() (columns, lines int)
	last []string
}

func (l *live) show(rows []row, now time.Time) {
	if l.area.drawn == 0 {
		_, _ = io.WriteString(l.area.w, hideCursor)
	}
	columns, height := l.size()
	l.last = l.table(rows, now, columns-1)
	if most := max(1, height-1); len(l.last) > most { // what scrolls away cannot be drawn again
		l.last = l.last[len(l.last)-most:]
	}
	l.area.draw(nil, l.last)
}

func (l *live) say(head, text string) {
	lines := []string{head + text}
	if columns, _ := l.size(); head != "" {
		lines = wrap(text, columns-1-indent)
		for i := range lines {
			lines[i] = head + lines[i]
			head = strings.Repeat(" ", indent)
		}
	}
	l.area.draw(lines, l.last)
}

func (l *live) settle() {
	l.last, l.area.drawn = nil, 0
	_, _ = io.WriteString(l.area.w, showCursor)
}

// columns of the table, as wide as they need and have room to be.
type columns struct{ who, title, detail, bar, eta int }

const (
	gap        = "  "
	glyphWidth = len("? ")
	usualWho   = len("grace, alan") // at least, so that columns do not move when a longer one comes
	usualTitle = len("Checksums of this repository")
	leastTitle = 16
	mostBar    = 24
	usualText  = len("200000 of 200000 (100%)")
	etaWidth   = len("ETA 1m 59s")
	timeWidth  = len("1m 59s")
)

func fit(rows []row, total int) columns {
	c := columns{who: usualWho, title: usualTitle}
	for _, r := range rows {
		c.who = max(c.who, width(who(r.task)))
		c.title = max(c.title, width(r.title))
	}
	c.who = min(c.who, max(8, total/6))
	rest := total - glyphWidth - wordWidth - c.who - timeWidth - 4*len(gap)
	if total >= 100 { // below, the bar has to do
		c.eta = etaWidth
		rest -= c.eta + len(gap)
	}
	c.title = min(c.title, max(leastTitle, rest*2/5))
	c.detail = max(0, rest-c.title)
	if c.bar = min(mostBar, c.detail-usualText-len(gap)); c.bar < 6 {
		c.bar = 0
	}
	return c
}

func (c columns) join(status, who, title, detail, eta, took string) string {
	cells := []string{status, who, title, detail, eta, took}
	if c.eta == 0 {
		cells = slices.Delete(cells, 4, 5)
	}
	return strings.Join(cells, gap)
}

// table is a line for each task below a head, none wider than total.
func (p palette) table(rows []row, now time.Time, total int) []string {
	c := fit(rows, total)
	head := c.join("  "+pad("STATUS", wordWidth), pad("WHO", c.who), pad("TASK", c.title), pad("", c.detail), pad("", c.eta), padLeft("TIME", timeWidth))
	lines := []string{"", p.paint(styleDim, cut(head, total))}
	for _, r := range rows {
		lines = append(lines, p.line(r, now, c))
	}
	return lines
}

func (p palette) line(r row, now time.Time, c columns) string {
	t := r.task
	is := looks[t.Status]
	detail := oneLine(r.detail(now))
	graph := ""
	fraction, ok := t.Progress.Fraction()
	moves := t.Status == gtf.StatusInProgress || t.Status == gtf.StatusAborting
	if ok && moves && c.bar > 0 && c.bar+len(gap)+width(detail) <= c.detail { // words before bars
		graph = bar(fraction, c.bar) + gap
	}
	return c.join(
		p.paint(is.style, is.glyph+" "+pad(is.word, wordWidth)),
		pad(who(t), c.who),
		pad(r.title, c.title),
		p.paint(is.style, graph)+p.paint(detailStyle(t.Status), pad(detail, c.detail-width(graph))),
		pad(eta(t, now), c.eta),
		padLeft(took(t, now), timeWidth),
	)
}

// detailStyle lets reasons stand out, and nothing else.
func detailStyle(s gtf.Status) style {
	switch s {
	case gtf.StatusFailure, gtf.StatusTimedOut, gtf.StatusAborted, gtf.StatusPending:
		return looks[s].style
	}
	return stylePlain
}
