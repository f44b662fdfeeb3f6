package httpapi

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/web"
)

// Task is a task as the API shows it (S11.2). Lengths of time are in seconds, times in UTC and null where the thing has not
// happened.
type Task struct {
	ID               gtf.ID          `json:"id"`
	UUID             gtf.ID          `json:"uuid"` // the same
	Type             string          `json:"task_type"`
	Key              string          `json:"task_key"`
	Name             string          `json:"task_name"`
	Scope            gtf.Scope       `json:"scope"`
	Status           gtf.Status      `json:"status"`
	CreatedOn        *time.Time      `json:"created_on"`
	CreatedHumanized string          `json:"created_on_delta_humanized"` // "2m ago"
	ChangedOn        *time.Time      `json:"changed_on"`
	StartedAt        *time.Time      `json:"started_at"`
	EndedAt          *time.Time      `json:"ended_at"`
	DueAt            *time.Time      `json:"due_at"`
	CreatedBy        *Person         `json:"created_by"`
	UserID           *string         `json:"user_id"` // of the creator; null for a guest
	Payload          json.RawMessage `json:"payload"` // an object
	Result           json.RawMessage `json:"result"`
	Properties       Properties      `json:"properties"`
	Duration         *float64        `json:"duration_seconds"`
	ETA              *float64        `json:"eta_seconds"`
	SubscriberCount  int             `json:"subscriber_count"`
	Subscribers      []Subscriber    `json:"subscribers"`
	DependsOn        []Related       `json:"depends_on"`
	RequiredBy       []Related       `json:"required_by"`
	Attempt          int             `json:"attempt"`
	MaxAttempts      int             `json:"max_attempts"`
	Attempts         []Attempt       `json:"attempts,omitempty"` // those that went back to pending
	Queue            string          `json:"queue"`
	Priority         int             `json:"priority"`
	TimeoutWarning   bool            `json:"timeout_warning"`
	AbortReason      gtf.AbortReason `json:"abort_reason,omitempty"`
	AbortedBy        *Person         `json:"aborted_by"`
	AbortedAt        *time.Time      `json:"aborted_at"`
	LogLines         int             `json:"log_lines"`
	LogDropped       int64           `json:"log_dropped"`
	Version          int64           `json:"version"`
	Actions          Actions         `json:"actions"`

	// For admins only.
	Worker       string   `json:"worker,omitempty"`
	HeartbeatAge *float64 `json:"heartbeat_age_seconds,omitempty"` // of the worker, in answers about one active task
	DedupKey     string   `json:"dedup_key,omitempty"`
}

// Properties are how a task is to be run, and how far it is.
type Properties struct {
	Mode            gtf.Mode `json:"execution_mode"`
	Timeout         *float64 `json:"timeout"`
	Abortable       bool     `json:"is_abortable"`
	ProgressPercent *float64 `json:"progress_percent"` // 0 to 1, as in the reference
	ProgressCurrent *int64   `json:"progress_current"`
	ProgressTotal   *int64   `json:"progress_total"`
	DedupeCount     int      `json:"dedupe_count"`
	Error           *string  `json:"error_message"`
	ErrorType       string   `json:"exception_type,omitempty"` // for those who may see it
	Stack           string   `json:"stack_trace,omitempty"`    // for those who may see it
}

// Person is who created a task, or aborted it.
type Person struct {
	ID        string `json:"id"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
	Name      string `json:"name"`
	Guest     bool   `json:"is_guest"`
}

// Subscriber is who is attached to a task.
type Subscriber struct {
	UserID    string    `json:"user_id"` // of a guest the guest's id
	FirstName string    `json:"first_name"`
	LastName  string    `json:"last_name"`
	Name      string    `json:"name"`
	Since     time.Time `json:"subscribed_at"`
	Guest     bool      `json:"is_guest"`
}

// Related is a task that another waits for.
type Related struct {
	UUID   gtf.ID     `json:"uuid"`
	Name   *string    `json:"task_name"` // null if the caller may not see it
	Status gtf.Status `json:"status"`
}

// Attempt is a run that ended without ending the task.
type Attempt struct {
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at"`
	Error     string    `json:"error"`
	Worker    string    `json:"worker,omitempty"` // for admins only
}

// Actions are what the caller may do to a task.
type Actions struct {
	Cancel CancelAction `json:"cancel"`
}

// CancelAction is what a cancel would do now (S7).
type CancelAction struct {
	State  gtf.CancelState   `json:"state"`
	Effect *gtf.CancelEffect `json:"effect"` // null: none
	Force  gtf.CancelForce   `json:"force"`
	Reason *string           `json:"reason"` // why it is disabled or hidden
	Others []Subscriber      `json:"others"` // who else is subscribed
}

// NewTask is the view that an actor gets of a task read on the actor's behalf. Durations and the like are those of the
// instant now.
func NewTask(t *gtf.Task, a gtf.Actor, now time.Time) *Task {
	return newTask(t, now, gtf.DecideCancel(t, a, gtf.CancelOpts{}))
}

func newTask(t *gtf.Task, now time.Time, cancel gtf.CancelDecision) *Task {
	v := &Task{
		ID: t.ID, UUID: t.ID, Type: t.Type, Key: t.Key, Name: t.Name, Scope: t.Scope, Status: t.Status,
		CreatedOn: orNull(t.CreatedAt.UTC()), CreatedHumanized: web.Ago(now, t.CreatedAt), ChangedOn: orNull(t.ChangedAt.UTC()),
		StartedAt: orNull(t.StartedAt.UTC()), EndedAt: orNull(t.EndedAt.UTC()), DueAt: orNull(t.DueAt.UTC()),
		CreatedBy: person(t.CreatedBy), Payload: valid(t.Payload, "{}"), Result: valid(t.Result, "null"), Properties: properties(t),
		SubscriberCount: len(t.Subscribers), Subscribers: subscribers(t.Subscribers),
		DependsOn: []Related{}, RequiredBy: []Related{},
		Attempt: t.Attempt, MaxAttempts: t.MaxAttempts, Queue: t.Queue, Priority: t.Priority, TimeoutWarning: t.TimeoutWarning,
		AbortReason: t.AbortReason, AbortedBy: person(t.AbortedBy), AbortedAt: orNull(t.AbortedAt.UTC()),
		LogLines: t.Logged.Lines, LogDropped: t.Logged.Dropped, Version: t.Version,
		Actions: Actions{Cancel: cancelAction(cancel)}, Worker: t.Worker, DedupKey: t.DedupKey,
	}
	if t.CreatedBy.Kind != gtf.KindGuest {
		v.UserID = orNull(t.CreatedBy.ID)
	}
	if d, ok := t.Duration(now); ok {
		v.Duration = new(d.Seconds())
	}
	if left, ok := t.ETA(now); ok {
		v.ETA = new(left.Seconds())
	}
	for _, a := range t.Attempts {
		v.Attempts = append(v.Attempts, Attempt{StartedAt: a.StartedAt.UTC(), EndedAt: a.EndedAt.UTC(), Error: a.Error, Worker: a.Worker})
	}
	return v
}

func properties(t *gtf.Task) Properties {
	p := Properties{
		Mode: t.Mode, Abortable: t.Abortable, DedupeCount: t.DedupeCount, Error: orNull(t.Error), ErrorType: t.ErrorType, Stack: t.Stack,
	}
	if t.Timeout > 0 {
		p.Timeout = new(t.Timeout.Seconds())
	}
	p.ProgressPercent, p.ProgressCurrent, p.ProgressTotal = t.Progress.Parts()
	return p
}

func cancelAction(d gtf.CancelDecision) CancelAction {
	return CancelAction{
		State: d.State, Effect: orNull(d.Effect), Force: d.Force, Reason: orNull(d.Reason), Others: subscribers(d.Others),
	}
}

func subscribers(all []gtf.Subscriber) []Subscriber {
	views := make([]Subscriber, len(all))
	for i, s := range all {
		first, last := splitName(s.DisplayName())
		views[i] = Subscriber{
			UserID: s.ID, FirstName: first, LastName: last, Name: s.DisplayName(), Since: s.Since.UTC(), Guest: s.Kind == gtf.KindGuest,
		}
	}
	return views
}

func person(p gtf.Principal) *Person {
	if p.IsZero() {
		return nil
	}
	first, last := splitName(p.DisplayName())
	return &Person{ID: p.ID, FirstName: first, LastName: last, Name: p.DisplayName(), Guest: p.Kind == gtf.KindGuest}
}

// splitName splits at the last space.
func splitName(name string) (first, last string) {
	if i := strings.LastIndexByte(name, ' '); i >= 0 {
		return name[:i], name[i+1:]
	}
	return name, ""
}

// valid keeps one row that holds no JSON, whoever wrote it, from spoiling the answer for all.
func valid(raw json.RawMessage, instead string) json.RawMessage {
	if !json.Valid(raw) {
		return json.RawMessage(instead)
	}
	return raw
}

// orNull is nil for a zero value.
func orNull[T comparable](v T) *T {
	if v == *new(T) {
		return nil
	}
	return &v
}
