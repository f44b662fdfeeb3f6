package gtf

import (
	"encoding/json"
	"time"
)

// Task is one run as people may see it. Times are UTC and zero where the thing has not happened.
//
// The input is not part of it: it may hold secrets (S10.4).
type Task struct {
	ID     ID
	Type   string
	Key    string // as the submitter gave it; random if none was given
	Name   string // for people; empty means: show the key
	Scope  Scope
	Status Status
	Mode   Mode

	Queue    string
	Priority int // 1 first, 9 last
	DueAt    time.Time

	CreatedAt time.Time
	ChangedAt time.Time
	StartedAt time.Time // of the current attempt
	EndedAt   time.Time
	Version   int64 // grows with every change of the task

	CreatedBy   Principal // zero if nobody was named
	Subscribers []Subscriber
	PerClient   bool // the type's subscription policy
	DedupeCount int  // how often a submit joined it

	Attempt     int // 0 before the first start
	MaxAttempts int
	Attempts    []Attempt     // those that went back to pending, oldest first
	Timeout     time.Duration // per attempt; 0 is none
	// Abortable: now, for a running task; declared, for a pending one, which can always be cancelled.
	Abortable bool
	// TimeoutWarning: the time limit has passed and cannot be enforced, for the function has no abort handler.
	TimeoutWarning bool

	Progress Progress
	Payload  json.RawMessage // an object; nil if nothing was ever set
	Result   json.RawMessage // nil unless status is success
	Logged   LogStats

	Error     string
	ErrorType string // Go type of the error, or "panic"; admins only (S10.4)
	Stack     string // admins only (S10.4)

	AbortReason AbortReason
	AbortedBy   Principal // who asked; "host" for Go code without a principal
	AbortedAt   time.Time // when it was asked

	Worker   string // id of the process; admins only
	DedupKey string // admins only
}

// Mode says where a task runs.
type Mode string

const (
	ModeAsync Mode = "async" // a worker claims it
	ModeSync  Mode = "sync"  // Run: in the caller's process, and never elsewhere
)

// AbortReason says what made a running task abort.
type AbortReason string

const (
	AbortByUser    AbortReason = "user"
	AbortByTimeout AbortReason = "timeout"
)

// HostName is the name kept when Go code without a principal aborts a task (S7).
const HostName = "host"

// Subscriber is a principal attached to a task.
type Subscriber struct {
	Kind    PrincipalKind
	ID      string
	Name    string
	Since   time.Time
	Clients []string // browser tabs or the like, if the type's policy is per client
}

// DisplayName is the name, or the id if there is none.
func (s Subscriber) DisplayName() string { return Principal{ID: s.ID, Name: s.Name}.DisplayName() }

// Attempt is a run that ended without ending the task.
type Attempt struct {
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at"`
	Worker    string    `json:"worker"`
	Error     string    `json:"error"`
}

// LogStats counts a task's log lines.
type LogStats struct {
	Lines   int   // kept
	Dropped int64 // no longer or never kept (S6.6)
}

// Title is what lists show: the name, else the key.
func (t *Task) Title() string {
	if t.Name != "" {
		return t.Name
	}
	return t.Key
}

// Duration is how long the current or last attempt has run at the instant now; ok is false before the start.
func (t *Task) Duration(now time.Time) (d time.Duration, ok bool) {
	if t.StartedAt.IsZero() {
		return 0, false
	}
	if !t.EndedAt.IsZero() {
		now = t.EndedAt
	}
	return max(0, now.Sub(t.StartedAt)), true
}

// ETA is the time left, for tasks that run and say how far they are. It counts down from what the last report promised; if
// that was too little, the time since then counts as well.
func (t *Task) ETA(now time.Time) (left time.Duration, ok bool) {
	ran, started := t.Duration(now)
	if !started || t.Status != StatusInProgress {
		return 0, false
	}
	since := max(0, now.Sub(t.ChangedAt))
	if left, ok := t.Progress.ETA(t.ChangedAt.Sub(t.StartedAt)); ok && since < left {
		return left - since, true
	}
	return t.Progress.ETA(ran)
}

func (t *Task) subscriber(kind PrincipalKind, id string) *Subscriber {
	for i := range t.Subscribers {
		if s := &t.Subscribers[i]; s.ID == id && s.Kind == kind {
			return s
		}
	}
	return nil
}

// redact removes what only admins and the host see (S10.4).
func (t *Task) redact(v Viewer, showStack bool) {
	if v.All {
		return
	}
	t.Worker, t.DedupKey = "", ""
	for i := range t.Attempts {
		t.Attempts[i].Worker = ""
	}
	if !showStack {
		t.Stack, t.ErrorType = "", ""
	}
}

// outcome is the error that a waiter gets: nil for success.
func outcome(id ID, typ string, status Status, reason string) error {
	if status == StatusSuccess {
		return nil
	}
	return &TaskError{ID: id, Type: typ, Status: status, Reason: reason}
}
