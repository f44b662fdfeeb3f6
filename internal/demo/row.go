package demo

import (
	"fmt"
	"strings"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/term"
)

// row is one task as the board shows it.
type row struct {
	title   string
	task    *gtf.Task
	brought string // what a success has brought
}

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
		return "stopped after its limit of " + term.Duration(t.Timeout)
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
		return "due in " + term.Duration(since.Sub(now))
	}
	if now.Sub(since) < time.Second {
		return "waiting for a worker"
	}
	return "waiting for a worker, " + term.Duration(now.Sub(since))
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
	return "limit " + term.Duration(t.Timeout)
}

func asked(t *gtf.Task) string {
	if t.AbortReason == gtf.AbortByTimeout {
		return "over its limit of " + term.Duration(t.Timeout)
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

// took is how long the current or last attempt has run, nothing while a task waits.
func took(t *gtf.Task, now time.Time) string {
	if t.Status == gtf.StatusPending {
		return term.None
	}
	return term.Elapsed(t, now)
}
