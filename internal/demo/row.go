package demo

import (
	"fmt"
	"strings"
	"time"

	"github.com/globaltask/gtf"
)

// row is one task as the board shows it.
type row struct {
	title   string
	task    *gtf.Task
	brought string // what a success has brought
}

// look is how a status is shown.
type look struct {
	glyph, word string
	style       style
}

var looks = map[gtf.Status]look{
	gtf.StatusPending:    {"◷", "Pending", styleDim},
	gtf.StatusInProgress: {"◐", "In progress", styleAccent},
	gtf.StatusAborting:   {"◧", "Aborting", styleWarning},
	gtf.StatusSuccess:    {"✓", "Success", styleGood},
	gtf.StatusFailure:    {"✗", "Failed", styleBad},
	gtf.StatusAborted:    {"■", "Aborted", styleWarning},
	gtf.StatusTimedOut:   {"⧖", "Timed out", styleBad},
}

const wordWidth = len("In progress")

// who follows a task.
func who(t *gtf.Task) string {
	names := make([]string, len(t.Subscribers))
	for i, s := range t.Subscribers {
		names[i] = s.DisplayName()
	}
	return strings.Join(names, ", ")
}

// detail is what is to be said of a task beside its status.
func (r row) detail(now time.Time) string {
	t := r.task
	switch t.Status {
	case gtf.StatusPending:
		return pending(t, now)
	case gtf.StatusInProgress:
		return joined(t.Progress.String(), attempt(t, "attempt"), limited(t))
	case gtf.StatusAborting:
		return joined(asked(t), t.Progress.String())
	case gtf.StatusSuccess:
		return joined(r.brought, attempt(t, "at attempt"))
	case gtf.StatusAborted:
		return joined(asked(t), t.Progress.String())
	case gtf.StatusTimedOut:
		return "stopped after its limit of " + duration(t.Timeout)
	}
	return t.Error
}

func pending(t *gtf.Task, now time.Time) string {
	since := t.CreatedAt
	if t.DueAt.After(since) {
		since = t.DueAt
	}
	if n := len(t.Attempts); n > 0 {
		return fmt.Sprintf("attempt %d of %d failed: %s", t.Attempt, t.MaxAttempts, t.Attempts[n-1].Error)
	}
	if since.After(now) {
		return "due in " + duration(since.Sub(now))
	}
	if now.Sub(since) < time.Second {
		return "waiting for a worker"
	}
	return "waiting for a worker, " + duration(now.Sub(since))
}

// attempt is worth a word from the second on.
func attempt(t *gtf.Task, word string) string {
	if t.Attempt < 2 {
		return ""
	}
	return fmt.Sprintf("%s %d of %d", word, t.Attempt, t.MaxAttempts)
}

func limited(t *gtf.Task) string {
	if t.Timeout <= 0 {
		return ""
	}
	return "limit " + duration(t.Timeout)
}

func asked(t *gtf.Task) string {
	if t.AbortReason == gtf.AbortByTimeout {
		return "over its limit of " + duration(t.Timeout)
	}
	return "asked by " + t.AbortedBy.DisplayName()
}

func joined(texts ...string) string {
	var said []string
	for _, text := range texts {
		if text != "" {
			said = append(said, text)
		}
	}
	return strings.Join(said, ", ")
}

// eta is the time left for a task that says how far it is. It counts down from what the last report promised; if that was
// too little, the time since then counts as well.
func eta(t *gtf.Task, now time.Time) string {
	ran, started := t.Duration(now)
	if !started || t.Status != gtf.StatusInProgress {
		return ""
	}
	since := now.Sub(t.ChangedAt)
	if left, ok := t.Progress.ETA(t.ChangedAt.Sub(t.StartedAt)); ok && since < left {
		return "ETA " + duration(left-max(0, since))
	}
	if left, ok := t.Progress.ETA(ran); ok {
		return "ETA " + duration(left)
	}
	return ""
}

// took is how long the current or last attempt has run.
func took(t *gtf.Task, now time.Time) string {
	if d, ok := t.Duration(now); ok && t.Status != gtf.StatusPending {
		return duration(d)
	}
	return "–"
}

// bar draws how much is done.
func bar(fraction float64, columns int) string {
	full := min(columns, int(fraction*float64(columns)))
	return strings.Repeat("█", full) + strings.Repeat("░", columns-full)
}
