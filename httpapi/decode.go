package httpapi

import (
	"bytes"
	"time"

	"github.com/globaltask/gtf"
)

// Task is the task that the view was made of, as far as the view shows it: without the clients of subscribers.
func (v *Task) Task() *gtf.Task {
	t := &gtf.Task{
		ID: v.UUID, Type: v.Type, Key: v.Key, Name: v.Name, Scope: v.Scope, Status: v.Status, Mode: v.Properties.Mode,
		Queue: v.Queue, Priority: v.Priority, DueAt: orZero(v.DueAt),
		CreatedAt: orZero(v.CreatedOn), ChangedAt: orZero(v.ChangedOn), StartedAt: orZero(v.StartedAt), EndedAt: orZero(v.EndedAt),
		Version: v.Version, CreatedBy: v.CreatedBy.principal(), Subscribers: make([]gtf.Subscriber, len(v.Subscribers)),
		DedupeCount: v.Properties.DedupeCount, Attempt: v.Attempt, MaxAttempts: v.MaxAttempts, Timeout: duration(orZero(v.Properties.Timeout)),
		Abortable: v.Properties.Abortable, TimeoutWarning: v.TimeoutWarning,
		Progress: progressOf(v.Properties.ProgressPercent, v.Properties.ProgressCurrent, v.Properties.ProgressTotal),
		Logged:   gtf.LogStats{Lines: v.LogLines, Dropped: v.LogDropped},
		Error:    orZero(v.Properties.Error), ErrorType: v.Properties.ErrorType, Stack: v.Properties.Stack,
		AbortReason: v.AbortReason, AbortedBy: v.AbortedBy.principal(), AbortedAt: orZero(v.AbortedAt),
		Worker: v.Worker, DedupKey: v.DedupKey,
	}
	if !bytes.Equal(v.Payload, []byte("{}")) {
		t.Payload = v.Payload
	}
	if !bytes.Equal(v.Result, []byte("null")) || v.Status == gtf.StatusSuccess {
		t.Result = v.Result
	}
	for i, s := range v.Subscribers {
		t.Subscribers[i] = gtf.Subscriber{Kind: kindOfPerson(s.Guest), ID: s.UserID, Name: s.Name, Since: s.Since}
	}
	for _, a := range v.Attempts {
		t.Attempts = append(t.Attempts, gtf.Attempt{StartedAt: a.StartedAt, EndedAt: a.EndedAt, Error: a.Error, Worker: a.Worker})
	}
	return t
}

func (p *Person) principal() gtf.Principal {
	if p == nil {
		return gtf.Principal{}
	}
	return gtf.Principal{Kind: kindOfPerson(p.Guest), ID: p.ID, Name: p.Name}
}

func kindOfPerson(guest bool) gtf.PrincipalKind {
	if guest {
		return gtf.KindGuest
	}
	return gtf.KindUser
}

// progressOf puts a progress together again; nil is what is not known.
func progressOf(percent *float64, current, total *int64) gtf.Progress {
	switch {
	case current != nil && total != nil:
		return gtf.Progress{Form: gtf.FormTotal, Current: *current, Total: *total}
	case current != nil:
		return gtf.Progress{Form: gtf.FormCount, Current: *current}
	case percent != nil:
		return gtf.Progress{Form: gtf.FormFraction, Ratio: *percent}
	}
	return gtf.Progress{}
}

// duration is exact to the microsecond, which is what stores keep.
func duration(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second)).Round(time.Microsecond)
}

func orZero[T any](v *T) T {
	if v == nil {
		return *new(T)
	}
	return *v
}
