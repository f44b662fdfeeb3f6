package demo

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/globaltask/gtf"
)

// plain writes a line when the status of a task changes, for logs and pipes.
type plain struct {
	palette
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
		is := looks[t.Status]
		line := is.glyph + " " + pad(is.word, wordWidth) + "  " + r.title
		if detail := r.detail(now); detail != "" && (t.Status != gtf.StatusInProgress || t.Attempt > 1) {
			line += ": " + oneLine(detail)
		}
		p.say(strings.Repeat(" ", indent), line)
	}
}

func (p *plain) say(head, text string) { _, _ = io.WriteString(p.w, head+text+"\n") }

func (p *plain) settle() {}
