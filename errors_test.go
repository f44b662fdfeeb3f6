package gtf_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/globaltask/gtf"
)

// An outcome matches the sentinel of its status and nothing else (S5.3).
func TestTaskError(t *testing.T) {
	t.Parallel()
	sentinels := map[gtf.Status]error{
		gtf.StatusFailure: gtf.ErrFailed, gtf.StatusAborted: gtf.ErrAborted, gtf.StatusTimedOut: gtf.ErrTimedOut,
	}
	for _, status := range gtf.Statuses() {
		err := fmt.Errorf("while waiting: %w", &gtf.TaskError{ID: gtf.NewID(), Type: "test.type", Status: status, Reason: "broke"})
		for of, sentinel := range sentinels {
			if got, want := errors.Is(err, sentinel), of == status; got != want {
				t.Errorf("%s matches %v: %v, want %v", status, sentinel, got, want)
			}
		}
		for _, never := range []error{context.Canceled, context.DeadlineExceeded, gtf.ErrNotFound, gtf.ErrFinished, gtf.ErrShutdown, gtf.ErrFenced} {
			if errors.Is(err, never) {
				t.Errorf("%s matches %v", status, never)
			}
		}
		for _, part := range []string{"test.type", string(status), "broke"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not name %s", err, part)
			}
		}
	}
	if text := (&gtf.TaskError{Type: "test.type", Status: gtf.StatusAborted}).Error(); strings.HasSuffix(text, ": ") {
		t.Errorf("without reason it reads %q", text)
	}
}

func TestWaitError(t *testing.T) {
	t.Parallel()
	id := gtf.NewID()
	err := error(&gtf.WaitError{ID: id, Err: context.DeadlineExceeded})
	wantErr(t, "a *WaitError", err, context.DeadlineExceeded)
	if errors.Is(err, gtf.ErrTimedOut) || !strings.Contains(err.Error(), id.String()) {
		t.Errorf("%q is taken for the task's own, or does not name it (S5.2)", err)
	}
}

func TestExpectError(t *testing.T) {
	t.Parallel()
	err := error(&gtf.ExpectError{Expected: gtf.EffectUnsubscribe, Now: gtf.EffectAbort})
	wantErr(t, "an *ExpectError", err, gtf.ErrConflict)
	if !strings.Contains(err.Error(), "unsubscribe") || !strings.Contains(err.Error(), "abort") {
		t.Errorf("%q does not name both (S7)", err)
	}
}

func TestNoRetry(t *testing.T) {
	t.Parallel()
	if gtf.NoRetry(nil) != nil {
		t.Error("NoRetry(nil) is an error")
	}
	err := gtf.NoRetry(fmt.Errorf("ask: %w", context.Canceled))
	if wantErr(t, "NoRetry", err, context.Canceled); err.Error() != "ask: context canceled" {
		t.Errorf("it reads %q", err)
	}
}

// The sentinels are told apart by errors.Is, so none may match another.
func TestSentinelsDiffer(t *testing.T) {
	t.Parallel()
	all := []error{gtf.ErrConflict, gtf.ErrDisabled, gtf.ErrFinished, gtf.ErrForbidden, gtf.ErrLockHeld, gtf.ErrNotAbortable, gtf.ErrNotFound,
		gtf.ErrReadOnly, gtf.ErrSchema, gtf.ErrSelfJoin, gtf.ErrStopped, gtf.ErrAborted, gtf.ErrFailed, gtf.ErrFenced, gtf.ErrShutdown, gtf.ErrTimedOut}
	for i, a := range all {
		for j, b := range all {
			if errors.Is(a, b) != (i == j) {
				t.Errorf("errors.Is(%q, %q) is %v", a, b, i != j)
			}
		}
	}
}
