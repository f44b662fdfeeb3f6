package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/term"
)

func statusCell(s gtf.Status) cell {
	look := term.LookOf(s)
	return cell{look.Word, look.Style}
}

// progress is "9 of 60 (15%), ETA 51s".
func progress(t *gtf.Task, now time.Time) string {
	return strings.Join(nonEmpty(t.Progress.String(), term.ETAText(t, now)), ", ")
}

// state is what is to be said of a task's status, beside its word.
func state(t *gtf.Task, now time.Time) string {
	switch t.Status {
	case gtf.StatusPending:
		return pendingText(t, now)
	case gtf.StatusInProgress:
		parts := nonEmpty(progress(t, now), "running "+term.Elapsed(t, now))
		if t.TimeoutWarning {
			parts = append(parts, fmt.Sprintf("over its limit of %s, which cannot be enforced: no abort handler", term.Duration(t.Timeout)))
		}
		return strings.Join(parts, ", ")
	case gtf.StatusAborting:
		return strings.Join(nonEmpty(asked(t)+" "+term.Ago(now, t.AbortedAt), t.Progress.String()), ", ")
	case gtf.StatusSuccess:
		return "took " + term.Elapsed(t, now)
	case gtf.StatusAborted:
		return asked(t)
	case gtf.StatusTimedOut:
		if t.StartedAt.IsZero() {
			return firstOf(t.Error, "waited too long for a worker")
		}
		return strings.Join(nonEmpty("stopped after its limit of "+term.Duration(t.Timeout), t.Error), ": ")
	}
	return t.Error
}

func pendingText(t *gtf.Task, now time.Time) string {
	since := t.CreatedAt
	if t.DueAt.After(since) {
		since = t.DueAt
	}
	again := ""
	if t.Attempt > 0 {
		again = fmt.Sprintf("attempt %d of %d ended: %s; ", t.Attempt, t.MaxAttempts, lastError(t))
	}
	if since.After(now) {
		return again + "due in " + term.Duration(since.Sub(now))
	}
	return again + "waiting for a worker, " + term.Duration(now.Sub(since))
}

func lastError(t *gtf.Task) string {
	if n := len(t.Attempts); n > 0 {
		return t.Attempts[n-1].Error
	}
	return "without an error"
}

func asked(t *gtf.Task) string {
	switch {
	case t.AbortReason == gtf.AbortByTimeout:
		return "over its limit of " + term.Duration(t.Timeout)
	case t.AbortedBy.IsZero():
		return "asked by the system"
	}
	return "asked by " + t.AbortedBy.DisplayName()
}

func nonEmpty(texts ...string) []string {
	var rest []string
	for _, t := range texts {
		if t != "" {
			rest = append(rest, t)
		}
	}
	return rest
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// outcome is the error of a task that ended without success, as waiting for it would give.
func outcome(t *gtf.Task) error {
	if t.Status == gtf.StatusSuccess {
		return nil
	}
	return &gtf.TaskError{ID: t.ID, Type: t.Type, Status: t.Status, Reason: t.Error}
}
