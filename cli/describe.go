package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/globaltask/gtf"
)

var styles = map[gtf.Status]style{
	gtf.StatusPending: styleDim, gtf.StatusInProgress: styleAccent, gtf.StatusAborting: styleWarning,
	gtf.StatusSuccess: styleGood, gtf.StatusFailure: styleBad, gtf.StatusAborted: styleWarning, gtf.StatusTimedOut: styleBad,
}

func statusCell(s gtf.Status) cell { return cell{word(s), styles[s]} }

// elapsed is the run time of the current or last attempt.
func elapsed(t *gtf.Task, now time.Time) string {
	if d, ok := t.Duration(now); ok {
		return duration(d)
	}
	return none
}

// eta is the time left, for tasks that run and say how far they are. It counts down from what the last report promised;
// if that was too little, the time since then counts as well.
func eta(t *gtf.Task, now time.Time) (time.Duration, bool) {
	d, started := t.Duration(now)
	if !started || t.Status != gtf.StatusInProgress {
		return 0, false
	}
	if left, ok := t.Progress.ETA(t.ChangedAt.Sub(t.StartedAt)); ok && now.Sub(t.ChangedAt) < left {
		return left - max(0, now.Sub(t.ChangedAt)), true
	}
	return t.Progress.ETA(d)
}

// progress is "9 of 60 (15%), ETA 51s".
func progress(t *gtf.Task, now time.Time) string {
	text := t.Progress.String()
	if left, ok := eta(t, now); ok {
		text += ", ETA " + duration(left)
	}
	return text
}

// state is what is to be said of a task's status, beside its word.
func state(t *gtf.Task, now time.Time) string {
	switch t.Status {
	case gtf.StatusPending:
		return pendingText(t, now)
	case gtf.StatusInProgress:
		parts := nonEmpty(progress(t, now), "running "+elapsed(t, now))
		if t.TimeoutWarning {
			parts = append(parts, fmt.Sprintf("over its limit of %s, which cannot be enforced: no abort handler", duration(t.Timeout)))
		}
		return strings.Join(parts, ", ")
	case gtf.StatusAborting:
		return strings.Join(nonEmpty(asked(t)+" "+ago(now, t.AbortedAt), t.Progress.String()), ", ")
	case gtf.StatusSuccess:
		return "took " + elapsed(t, now)
	case gtf.StatusAborted:
		return asked(t)
	case gtf.StatusTimedOut:
		if t.StartedAt.IsZero() {
			return firstOf(t.Error, "waited too long for a worker")
		}
		return strings.Join(nonEmpty("stopped after its limit of "+duration(t.Timeout), t.Error), ": ")
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
		return again + "due in " + duration(since.Sub(now))
	}
	return again + "waiting for a worker, " + duration(now.Sub(since))
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
		return "over its limit of " + duration(t.Timeout)
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
