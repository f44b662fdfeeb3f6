package cli

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/term"
)

// taskJSON is a task for programs, in the shape of the HTTP API (S11.2).
type taskJSON struct {
	ID              gtf.ID           `json:"id"`
	UUID            gtf.ID           `json:"uuid"`
	Type            string           `json:"task_type"`
	Key             string           `json:"task_key"`
	Name            string           `json:"task_name"`
	Scope           gtf.Scope        `json:"scope"`
	Status          gtf.Status       `json:"status"`
	CreatedOn       *time.Time       `json:"created_on"`
	ChangedOn       *time.Time       `json:"changed_on"`
	StartedAt       *time.Time       `json:"started_at"`
	EndedAt         *time.Time       `json:"ended_at"`
	DueAt           *time.Time       `json:"due_at"`
	CreatedBy       *personJSON      `json:"created_by"`
	Payload         json.RawMessage  `json:"payload"`
	Result          json.RawMessage  `json:"result"`
	Properties      propertiesJSON   `json:"properties"`
	Duration        *float64         `json:"duration_seconds"`
	ETA             *float64         `json:"eta_seconds"`
	SubscriberCount int              `json:"subscriber_count"`
	Subscribers     []subscriberJSON `json:"subscribers"`
	Attempt         int              `json:"attempt"`
	MaxAttempts     int              `json:"max_attempts"`
	Attempts        []gtf.Attempt    `json:"attempts,omitempty"`
	Queue           string           `json:"queue"`
	Priority        int              `json:"priority"`
	TimeoutWarning  bool             `json:"timeout_warning"`
	AbortedBy       *personJSON      `json:"aborted_by"`
	Version         int64            `json:"version"`
	Worker          string           `json:"worker,omitempty"`
	DedupKey        string           `json:"dedup_key,omitempty"`
}

type propertiesJSON struct {
	Mode            gtf.Mode `json:"execution_mode"`
	Timeout         *float64 `json:"timeout"`
	Abortable       bool     `json:"is_abortable"`
	ProgressPercent *float64 `json:"progress_percent"`
	ProgressCurrent *int64   `json:"progress_current"`
	ProgressTotal   *int64   `json:"progress_total"`
	DedupeCount     int      `json:"dedupe_count"`
	Error           string   `json:"error_message,omitempty"`
	ErrorType       string   `json:"exception_type,omitempty"`
	Stack           string   `json:"stack_trace,omitempty"`
}

type personJSON struct {
	ID        string `json:"id"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
	Name      string `json:"name"`
}

type subscriberJSON struct {
	UserID    string    `json:"user_id"`
	FirstName string    `json:"first_name"`
	LastName  string    `json:"last_name"`
	Since     time.Time `json:"subscribed_at"`
	Guest     bool      `json:"is_guest"`
}

func toJSON(t *gtf.Task, now time.Time) taskJSON {
	j := taskJSON{
		ID: t.ID, UUID: t.ID, Type: t.Type, Key: t.Key, Name: t.Name, Scope: t.Scope, Status: t.Status,
		CreatedOn: maybeTime(t.CreatedAt), ChangedOn: maybeTime(t.ChangedAt), StartedAt: maybeTime(t.StartedAt),
		EndedAt: maybeTime(t.EndedAt), DueAt: maybeTime(t.DueAt),
		CreatedBy: person(t.CreatedBy), Payload: t.Payload, Result: t.Result, Properties: properties(t),
		SubscriberCount: len(t.Subscribers), Subscribers: make([]subscriberJSON, len(t.Subscribers)),
		Attempt: t.Attempt, MaxAttempts: t.MaxAttempts, Attempts: t.Attempts, Queue: t.Queue, Priority: t.Priority,
		TimeoutWarning: t.TimeoutWarning, AbortedBy: person(t.AbortedBy), Version: t.Version,
		Worker: t.Worker, DedupKey: t.DedupKey,
	}
	if d, ok := t.Duration(now); ok {
		j.Duration = seconds(d)
	}
	if left, ok := term.ETA(t, now); ok {
		j.ETA = seconds(left)
	}
	for i, s := range t.Subscribers {
		first, last := splitName(s.DisplayName())
		j.Subscribers[i] = subscriberJSON{s.ID, first, last, s.Since, s.Kind == gtf.KindGuest}
	}
	return j
}

func properties(t *gtf.Task) propertiesJSON {
	p := propertiesJSON{Mode: t.Mode, Abortable: t.Abortable, DedupeCount: t.DedupeCount,
		Error: t.Error, ErrorType: t.ErrorType, Stack: t.Stack}
	if t.Timeout > 0 {
		p.Timeout = seconds(t.Timeout)
	}
	if f, ok := t.Progress.Fraction(); ok {
		p.ProgressPercent = new(f * 100)
	}
	if t.Progress.Form == gtf.FormCount || t.Progress.Form == gtf.FormTotal {
		p.ProgressCurrent = &t.Progress.Current
	}
	if t.Progress.Form == gtf.FormTotal {
		p.ProgressTotal = &t.Progress.Total
	}
	return p
}

func seconds(d time.Duration) *float64 { return new(d.Seconds()) }

func maybeTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func person(p gtf.Principal) *personJSON {
	if p.IsZero() {
		return nil
	}
	first, last := splitName(p.DisplayName())
	return &personJSON{p.ID, first, last, p.DisplayName()}
}

// splitName splits at the last space.
func splitName(name string) (first, last string) {
	if i := strings.LastIndexByte(name, ' '); i >= 0 {
		return name[:i], name[i+1:]
	}
	return name, ""
}
