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

// ETAText is "ETA 51s", or nothing.
func ETAText(t *gtf.Task, now time.Time) string {
	if left, ok := t.ETA(now); ok {
		return "ETA " + Duration(left)
	}
	return ""
}
