package gtf

import (
	"errors"
	"fmt"
	"strings"
)

// Errors that callers test with [errors.Is].
var (
	// ErrConflict says that a cancel would now do something else than the caller expected; nothing was done (S7).
	// The error is an [*ExpectError].
	ErrConflict = errors.New("the task has changed: the cancel would now do something else")
	// ErrDisabled says that the framework is switched off (S1).
	ErrDisabled = errors.New("the task framework is switched off")
	// ErrFinished says that a task has ended and can no longer be cancelled.
	ErrFinished = errors.New("the task has finished already")
	// ErrForbidden says that the caller sees the task but may not do this to it.
	ErrForbidden = errors.New("not allowed")
	// ErrLockHeld says that somebody else holds a lock, as opposed to a backend that failed.
	ErrLockHeld = errors.New("lock held by another")
	// ErrLocked says that another transaction holds a row that a statement needs; nothing was written. Clients try again, as
	// long as their caller waits.
	ErrLocked = errors.New("a row is locked by another transaction")
	// ErrNotAbortable says that a running task has no abort handler.
	ErrNotAbortable = errors.New("the task cannot be aborted: it has no abort handler")
	// ErrNotFound says that a task does not exist or is not visible to the caller; the two are not told apart (S10).
	ErrNotFound = errors.New("task not found")
	// ErrReadOnly says that the store cannot be written.
	ErrReadOnly = errors.New("the store is read-only")
	// ErrSchema says that the store has no schema, or one older than this program needs.
	ErrSchema = errors.New("the store's schema is not up to date")
	// ErrSelfJoin says that Run would wait for the very task it is called from.
	ErrSelfJoin = errors.New("a task cannot wait for itself")
	// ErrStopped says that the client has been stopped.
	ErrStopped = errors.New("the client is stopped")
	// ErrUnavailable says that the store cannot be reached; what was in flight may or may not have been done.
	ErrUnavailable = errors.New("the store cannot be reached")
)

// Why a task's context ended, by [context.Cause]; ErrAborted and ErrTimedOut are also what a [*TaskError] matches.
var (
	// ErrAborted: a person asked for it.
	ErrAborted = errors.New("the task was aborted")
	// ErrFailed matches a [*TaskError] of status failure. It is never a cause.
	ErrFailed = errors.New("the task failed")
	// ErrFenced: this process lost its claim on the task; what it does from now on is not recorded.
	ErrFenced = errors.New("the task's claim was lost")
	// ErrShutdown: the process is stopping and the grace is over.
	ErrShutdown = errors.New("the worker is shutting down")
	// ErrTimedOut: the task ran (or waited in its queue) longer than its limit.
	ErrTimedOut = errors.New("the task exceeded its time limit")
)

// TaskError is the outcome of a task that did not succeed. It matches ErrFailed, ErrAborted or ErrTimedOut by its
// status and nothing else: never a context error, and never the function's own error, wherever the task ran (S5.3).
type TaskError struct {
	ID     ID
	Type   string
	Status Status // failure, aborted or timed_out
	Reason string // the stored error text; empty if there is none
}

func (e *TaskError) Error() string {
	text := fmt.Sprintf("task %s (%s): %s", e.ID, e.Type, e.Status)
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}

// Is matches the sentinel of the status.
func (e *TaskError) Is(target error) bool {
	switch e.Status {
	case StatusFailure:
		return target == ErrFailed
	case StatusAborted:
		return target == ErrAborted
	case StatusTimedOut:
		return target == ErrTimedOut
	}
	return false
}

// WaitError says that the wait ended, not the task: the task goes on. It unwraps to the error of the caller's context.
type WaitError struct {
	ID  ID
	Err error
}

func (e *WaitError) Error() string {
	return fmt.Sprintf("stopped waiting for task %s, which goes on: %v", e.ID, e.Err)
}

func (e *WaitError) Unwrap() error { return e.Err }

// ExpectError says what a cancel would do now, when the caller had expected another effect. It matches ErrConflict.
type ExpectError struct {
	Expected, Now CancelEffect
}

func (e *ExpectError) Error() string {
	return fmt.Sprintf("%v: expected %s, now %s", ErrConflict, e.Expected, e.Now)
}

func (e *ExpectError) Unwrap() error { return ErrConflict }

// ValidationError lists every field that was refused (S4.9). Nothing was written.
type ValidationError struct {
	Problems []Problem
}

// Problem is one refused field.
type Problem struct {
	Field  string // for instance "key" or "items[3].input"
	Reason string // names the limit
}

func (e *ValidationError) Error() string {
	parts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		parts[i] = p.Field + ": " + p.Reason
	}
	return "invalid: " + strings.Join(parts, "; ")
}

// problems collects what is wrong before anything is written.
type problems []Problem

func (p *problems) add(field, format string, args ...any) {
	*p = append(*p, Problem{Field: field, Reason: fmt.Sprintf(format, args...)})
}

// addInput adds what a definition's own check found.
func (p *problems) addInput(field string, err error) {
	if err == nil {
		return
	}
	invalid, ok := errors.AsType[*ValidationError](err)
	if !ok {
		p.add(field, "%s", clean(err.Error(), maxError))
		return
	}
	for _, each := range invalid.Problems {
		p.add(field+"."+each.Field, "%s", each.Reason)
	}
}

func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return &ValidationError{Problems: p}
}

// NoRetry marks an error of a task's function as final: the task fails although attempts are left (S5.7).
// NoRetry(nil) is nil.
func NoRetry(err error) error {
	if err == nil {
		return nil
	}
	return &noRetryError{err}
}

type noRetryError struct{ err error }

func (e *noRetryError) Error() string { return e.err.Error() }
func (e *noRetryError) Unwrap() error { return e.err }
