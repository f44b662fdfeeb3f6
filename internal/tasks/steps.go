package tasks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/globaltask/gtf"
)

// StepsInput steers a task that only pretends to work.
type StepsInput struct {
	Steps         int    `json:"steps"`   // default 10
	StepMS        int    `json:"step_ms"` // how long each takes
	Abort         string `json:"abort"`   // how it can be aborted: handler (default), context, none, failing
	FailAt        int    `json:"fail_at"` // the step, counted from 1, that returns an error; 0: none
	PanicAt       int    `json:"panic_at"`
	CleanupFails  bool   `json:"cleanup_fails"`
	IgnoreAbortMS int    `json:"ignore_abort_ms"` // how long it goes on after its context has ended
	PayloadBytes  int    `json:"payload_bytes"`
	TimeoutMS     int    `json:"timeout_ms"` // limit of the attempt; 0: none
}

// StepsOutput says how many there were.
type StepsOutput struct {
	Steps int `json:"steps"`
}

// One function in the three scopes. Shared, equal input is the same work: a second submit joins.
var (
	StepsPrivate = defineSteps("demo.private", gtf.ScopePrivate, nil)
	StepsShared  = defineSteps("demo.shared", gtf.ScopeShared, func(in StepsInput) string { return keyOf(fmt.Sprintf("%+v", in)) })
	StepsSystem  = defineSteps("demo.system", gtf.ScopeSystem, nil)
)

func defineSteps(typ string, scope gtf.Scope, key func(StepsInput) string) *gtf.Definition[StepsInput, StepsOutput] {
	return gtf.Define[StepsInput, StepsOutput](typ, &gtf.DefineOpts[StepsInput]{
		// Not declared abortable: the input decides.
		Check:       StepsInput.check,
		Description: fmt.Sprintf("pretends to work, steered by its input; the scope is %s", scope),
		Key:         key,
		Name:        func(in StepsInput) string { return fmt.Sprintf("Demo of %d steps", in.steps()) },
		Scope:       scope,
		TimeoutOf:   func(in StepsInput) time.Duration { return time.Duration(in.TimeoutMS) * time.Millisecond },
	})
}

func (in StepsInput) steps() int {
	if in.Steps == 0 {
		return 10
	}
	return in.Steps
}

func steps(ctx context.Context, in StepsInput) (StepsOutput, error) {
	x := gtf.FromContext(ctx)
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	switch in.Abort {
	case "", "handler":
		x.OnAbort(func(context.Context) error {
			x.Logger().Info("abort handler: stops the work")
			stop(errStopped)
			return nil
		})
	case "context":
		x.OnAbort(func(context.Context) error { return nil }) // makes it abortable; the end of ctx does the rest
	case "failing":
		x.OnAbort(func(context.Context) error { return errors.New("the abort handler fails, as its input wants") })
	}
	x.OnCleanup(func(context.Context) error {
		if in.CleanupFails {
			return errors.New("the cleanup handler fails, as its input wants")
		}
		return nil
	})
	if in.PayloadBytes > 0 {
		if err := x.Payload(map[string]any{"filler": strings.Repeat("x", in.PayloadBytes)}); err != nil {
			return StepsOutput{}, gtf.NoRetry(fmt.Errorf("set the payload: %w", err))
		}
	}
	for step := 1; step <= in.steps(); step++ {
		if !pause(working, in.StepMS) {
			pause(context.WithoutCancel(ctx), in.IgnoreAbortMS)
			return StepsOutput{}, fmt.Errorf("stopped in step %d: %w", step, context.Cause(working))
		}
		switch step {
		case in.PanicAt:
			panic(fmt.Sprintf("step %d panics, as its input wants", step))
		case in.FailAt:
			return StepsOutput{}, fmt.Errorf("step %d fails, as its input wants", step)
		}
		x.Logger().Debug("step done", "step", step)
		x.Progress(step, in.steps())
	}
	return StepsOutput{Steps: in.steps()}, nil
}

var errStopped = errors.New("the abort handler stopped the work")

// pause is true if ctx lives to the end of it.
func pause(ctx context.Context, ms int) bool {
	timer := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

func (in StepsInput) check() error {
	var bad problems
	bad.between(0, 1_000_000, "steps", in.Steps)
	bad.between(0, aDay, "step_ms", in.StepMS)
	switch in.Abort {
	case "", "handler", "context", "none", "failing":
	default:
		bad.add("abort", "is %.50q, must be handler, context, none or failing", in.Abort)
	}
	bad.between(0, in.steps(), "fail_at", in.FailAt)
	bad.between(0, in.steps(), "panic_at", in.PanicAt)
	bad.between(0, aDay, "ignore_abort_ms", in.IgnoreAbortMS)
	bad.between(0, 64<<20, "payload_bytes", in.PayloadBytes)
	bad.between(0, aDay, "timeout_ms", in.TimeoutMS)
	return bad.err()
}
