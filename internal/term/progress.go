package term

import (
	"strings"
	"time"

	"github.com/globaltask/gtf"
)

// Bar draws how much is done, from 0 to 1.
func Bar(fraction float64, columns int) string {
	full := max(0, min(columns, int(fraction*float64(columns))))
	return strings.Repeat("█", full) + strings.Repeat("░", columns-full)
}

// Elapsed is the run time of the current or last attempt, [None] before the first.
func Elapsed(t *gtf.Task, now time.Time) string {
	if d, ok := t.Duration(now); ok {
		return Duration(d)
	}
	return None
}

// ETA is the time left, for tasks that run and say how far they are. It counts down from what the last report promised;
// if that was too little, the time since then counts as well.
func ETA(t *gtf.Task, now time.Time) (left time.Duration, ok bool) {
	ran, started := t.Duration(now)
	if !started || t.Status != gtf.StatusInProgress {
		return 0, false
	}
	since := max(0, now.Sub(t.ChangedAt))
	if left, ok := t.Progress.ETA(t.ChangedAt.Sub(t.StartedAt)); ok && since < left {
		return left - since, true
	}
	return t.Progress.ETA(ran)
}

// ETAText is "ETA 51s", or nothing.
func ETAText(t *gtf.Task, now time.Time) string {
	if left, ok := ETA(t, now); ok {
		return "ETA " + Duration(left)
	}
	return ""
}
