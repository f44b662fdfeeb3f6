package tasks_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/tasks"
)

const anHour = 3_600_000 // milliseconds: a step that is still at it when it is stopped

func TestSteps(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		in     tasks.StepsInput
		status gtf.Status
		text   string // in the error
	}{
		{"all go by", tasks.StepsInput{Steps: 3}, gtf.StatusSuccess, ""},
		{"ten without saying so", tasks.StepsInput{}, gtf.StatusSuccess, ""},
		{"one fails", tasks.StepsInput{Steps: 3, FailAt: 2}, gtf.StatusFailure, "step 2 fails"},
		{"one panics", tasks.StepsInput{Steps: 3, PanicAt: 3}, gtf.StatusFailure, "panic: step 3 panics"},
		{"the cleanup fails", tasks.StepsInput{CleanupFails: true}, gtf.StatusFailure, "cleanup handler: the cleanup handler fails"},
		{"one and the cleanup fail", tasks.StepsInput{FailAt: 1, CleanupFails: true}, gtf.StatusFailure, "step 1 fails, as its input wants; cleanup handler"},
		{"a payload that fits", tasks.StepsInput{PayloadBytes: 1000}, gtf.StatusSuccess, ""},
		{"a payload that is too big", tasks.StepsInput{PayloadBytes: 5 << 20}, gtf.StatusFailure, "set the payload: invalid: payload"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, c := newClient(t)
			h := start(ctx, t, c, tasks.StepsPrivate, tt.in)
			_, err := h.Wait(ctx)
			task, getErr := c.Get(ctx, h.ID)
			if getErr != nil {
				t.Fatal(getErr)
			}
			if task.Status != tt.status || !strings.Contains(task.Error, tt.text) || (err == nil) != (tt.status == gtf.StatusSuccess) {
				t.Errorf("the task is %s (%s), want %s (… %s …)", task.Status, task.Error, tt.status, tt.text)
			}
		})
	}
}

func TestStepsAbort(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		abort  string
		status gtf.Status
		text   string // in the error
	}{
		{"a handler stops the work", "handler", gtf.StatusAborted, "stopped in step 1"},
		{"the end of the context stops the work", "context", gtf.StatusAborted, ""},
		{"a failing handler fails the task", "failing", gtf.StatusFailure, "the abort handler fails"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, c := newClient(t)
			h := start(ctx, t, c, tasks.StepsPrivate, tasks.StepsInput{StepMS: anHour, Abort: tt.abort, IgnoreAbortMS: 10})
			await(ctx, t, h, "it can be aborted", abortable)
			if _, err := h.Cancel(ctx, nil); err != nil {
				t.Fatalf("cancel: %v", err)
			}
			_, _ = h.Wait(ctx)
			task, err := c.Get(ctx, h.ID)
			if err != nil {
				t.Fatal(err)
			}
			if task.Status != tt.status || !strings.Contains(task.Error, tt.text) {
				t.Errorf("the task is %s (%s), want %s (… %s …)", task.Status, task.Error, tt.status, tt.text)
			}
		})
	}
	t.Run("without a handler it cannot be aborted", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		h := start(ctx, t, c, tasks.StepsPrivate, tasks.StepsInput{Steps: 20, StepMS: 10, Abort: "none"})
		await(ctx, t, h, "it has begun", begun)
		if _, err := h.Cancel(ctx, nil); !errors.Is(err, gtf.ErrNotAbortable) {
			t.Errorf("cancel gives error %v, want ErrNotAbortable", err)
		}
		if out, err := h.Wait(ctx); err != nil || out.Steps != 20 {
			t.Errorf("%d steps and error %v, want 20", out.Steps, err)
		}
	})
	t.Run("bad input is refused when it is submitted, by name", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		_, err := tasks.StepsPrivate.Schedule(ctx, c, tasks.StepsInput{Steps: 3, FailAt: 4}, nil)
		var invalid *gtf.ValidationError
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), "input.fail_at: is 4, must be 0 to 3") {
			t.Errorf("error is %v, want a validation error that names fail_at", err)
		}
	})
	t.Run("the limit in its input ends it", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		in := tasks.StepsInput{StepMS: anHour, TimeoutMS: 20}
		if _, err := tasks.StepsPrivate.Run(ctx, c, in, nil); !errors.Is(err, gtf.ErrTimedOut) {
			t.Errorf("error is %v, want that it timed out", err)
		}
	})
}

func TestStepsScopes(t *testing.T) {
	t.Parallel()
	t.Run("shared steps are joined by others with equal input", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		in := tasks.StepsInput{StepMS: anHour}
		h := start(ctx, t, c, tasks.StepsShared, in)
		await(ctx, t, h, "it can be aborted", abortable)
		grace := gtf.WithPrincipal(ctx, gtf.Principal{ID: "grace"})
		if other := start(grace, t, c, tasks.StepsShared, in); other.ID != h.ID {
			t.Errorf("the second is %s, want to join %s", other.ID, h.ID)
		}
		in.Steps = 3
		third := start(grace, t, c, tasks.StepsShared, in)
		if third.Joined {
			t.Fatal("other input joins, too")
		}
		await(grace, t, third, "it can be aborted", abortable)
		abort(grace, t, c, third)
		host := context.WithoutCancel(t.Context()) // without a principal
		if _, err := h.Cancel(host, &gtf.CancelOpts{Force: true}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Wait(ctx); !errors.Is(err, gtf.ErrAborted) {
			t.Errorf("error is %v, want that it was aborted", err)
		}
	})
	t.Run("system steps are not seen by users", func(t *testing.T) {
		t.Parallel()
		ctx, c := newClient(t)
		h := start(ctx, t, c, tasks.StepsSystem, tasks.StepsInput{Steps: 1})
		if _, err := h.Wait(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Get(ctx, h.ID); !errors.Is(err, gtf.ErrNotFound) {
			t.Errorf("ada gets error %v, want ErrNotFound", err)
		}
	})
}
