package demo

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/term"
)

// plain writes a line when the status of a task changes, for logs and pipes.
type plain struct {
	term.Palette
	w    io.Writer
	said map[gtf.ID]string
}

func (p *plain) show(rows []row, now time.Time) {
	for _, r := range rows {
		t := r.task
		key := fmt.Sprint(t.Status, t.Attempt)
		if p.said[t.ID] == key {
			continue
		}
		p.said[t.ID] = key
		line := term.LookOf(t.Status).Badge() + "  " + r.title
		if detail := r.detail(now); detail != "" && (t.Status != gtf.StatusInProgress || t.Attempt > 1) {
			line += ": " + term.OneLine(detail)
		}
		p.say(strings.Repeat(" ", indent), line)
	}
}

func (p *plain) say(head, text string) { _, _ = io.WriteString(p.w, head+text+"\n") }

func (p *plain) settle() {}
