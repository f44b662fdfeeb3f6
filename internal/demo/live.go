package demo

import (
	"io"
	"slices"
	"strings"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/term"
)

// screen is where the demo is shown.
type screen interface {
	// show is called at every change of a task, and a few times a second.
	show(rows []row, now time.Time)
	// say writes a line for good; what does not fit goes on below the text, not the head.
	say(head, text string)
	// settle ends the show: what was shown last stays.
	settle()
	// Paint colours a text where there are colours.
	Paint(s term.Style, text string) string
}

// screenOf redraws on a terminal.
func screenOf(w io.Writer) screen {
	if !term.Redraws(w) {
		return &plain{w: w, said: map[gtf.ID]string{}}
	}
	return &live{Palette: term.PaletteOf(w), area: term.Area{Out: w, HideCursor: true}}
}

// live draws a line for each task, again and again, below what is said.
type live struct {
	term.Palette
	area term.Area
}

func (l *live) show(rows []row, now time.Time) {
	l.area.Draw(table(l.Palette, rows, now, l.area.Columns())...)
}

func (l *live) say(head, text string) {
	lines := []string{head + text}
	if head != "" {
		lines = term.Wrap(text, l.area.Columns()-indent)
		for i := range lines {
			lines[i] = head + lines[i]
			head = strings.Repeat(" ", indent)
		}
	}
	l.area.Say(lines...)
}

func (l *live) settle() { l.area.Leave() }

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
		c.who = max(c.who, term.Width(who(r.task)))
		c.title = max(c.title, term.Width(r.title))
	}
	c.who = min(c.who, max(8, total/6))
	rest := total - glyphWidth - term.WordWidth - c.who - timeWidth - 4*len(gap)
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
func table(p term.Palette, rows []row, now time.Time, total int) []string {
	c := fit(rows, total)
	head := c.join("  "+term.Pad("STATUS", term.WordWidth), term.Pad("WHO", c.who), term.Pad("TASK", c.title),
		term.Pad("", c.detail), term.Pad("", c.eta), term.PadLeft("TIME", timeWidth))
	lines := []string{"", p.Paint(term.Dim, term.Cut(head, total))}
	for _, r := range rows {
		lines = append(lines, line(p, r, now, c))
	}
	return lines
}

func line(p term.Palette, r row, now time.Time, c columns) string {
	t := r.task
	look := term.LookOf(t.Status)
	detail := term.OneLine(r.detail(now))
	graph := ""
	fraction, ok := t.Progress.Fraction()
	moves := t.Status == gtf.StatusInProgress || t.Status == gtf.StatusAborting
	if ok && moves && c.bar > 0 && c.bar+len(gap)+term.Width(detail) <= c.detail { // words before bars
		graph = term.Bar(fraction, c.bar) + gap
	}
	return c.join(
		p.Paint(look.Style, look.Badge()),
		term.Pad(who(t), c.who),
		term.Pad(r.title, c.title),
		p.Paint(look.Style, graph)+p.Paint(detailStyle(t.Status), term.Pad(detail, c.detail-term.Width(graph))),
		term.Pad(term.ETAText(t, now), c.eta),
		term.PadLeft(took(t, now), timeWidth),
	)
}

// detailStyle lets reasons stand out, and nothing else.
func detailStyle(s gtf.Status) term.Style {
	switch s {
	case gtf.StatusFailure, gtf.StatusTimedOut, gtf.StatusAborted, gtf.StatusPending:
		return term.LookOf(s).Style
	}
	return term.Plain
}
