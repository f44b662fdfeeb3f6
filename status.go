package gtf

import (
	"fmt"
	"slices"
	"strings"
)

// Status says where a task is in its life (S3). The strings are what goes over the wire and into the store.
type Status string

// A task is active in the first three and terminal in the others.
const (
	StatusPending    Status = "pending"
	StatusInProgress Status = "in_progress"
	StatusAborting   Status = "aborting" // a person or the time limit asked; never anything else
	StatusSuccess    Status = "success"
	StatusFailure    Status = "failure"
	StatusAborted    Status = "aborted"
	StatusTimedOut   Status = "timed_out"
)

// Statuses lists every status in the order of a task's life.
func Statuses() []Status {
	return []Status{StatusPending, StatusInProgress, StatusAborting,
		StatusSuccess, StatusFailure, StatusAborted, StatusTimedOut}
}

// transitions is the one table of what may follow what (S3.1). A status that is missing is terminal and never changes.
var transitions = map[Status][]Status{
	StatusPending: {
		StatusInProgress, // claim
		StatusAborted,    // cancel: nothing ran
		StatusFailure,    // a prerequisite did not succeed, or the process of a sync task is gone
		StatusTimedOut,   // waited longer than its maximum queue time
	},
	StatusInProgress: {
		StatusAborting, // cancel or timeout, only if abortable
		StatusSuccess, StatusFailure,
		StatusPending, // retry, shutdown, lost worker: if attempts are left
	},
	StatusAborting: {
		StatusSuccess, StatusFailure,
		StatusAborted, StatusTimedOut, // by abort_reason
	},
}

// CanBecome reports whether the table allows the step.
func (s Status) CanBecome(to Status) bool { return slices.Contains(transitions[s], to) }

// Terminal reports whether the task has ended.
func (s Status) Terminal() bool { return s.valid() && len(transitions[s]) == 0 }

// Active reports whether the task has not ended: its key is busy.
func (s Status) Active() bool { return len(transitions[s]) > 0 }

func (s Status) valid() bool { return slices.Contains(Statuses(), s) }

// SQLFrom is the condition with which a store guards a write of status to: "status IN ('a','b')". It panics if the table
// does not allow one of the steps, so a store that builds its statements with it cannot write a forbidden one.
func SQLFrom(to Status, from ...Status) string {
	quoted := make([]string, len(from))
	for i, s := range from {
		if !s.CanBecome(to) {
			panic(fmt.Sprintf("gtf: a task cannot go from %s to %s", s, to))
		}
		quoted[i] = "'" + string(s) + "'"
	}
	return "status IN (" + strings.Join(quoted, ",") + ")"
}
