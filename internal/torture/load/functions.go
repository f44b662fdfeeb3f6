package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/torture/check"
	"github.com/globaltask/gtf/internal/torture/journal"
)

func handlers(j *journal.Writer) []gtf.Handler {
	handler := func(def *definition, do func(ctx context.Context, a *attemptOf) error) gtf.Handler {
		return def.Handler(func(ctx context.Context, in Input) (Output, error) { return track(ctx, j, in, do) })
	}
	return []gtf.Handler{
		handler(quick, pauseOnly), handler(house, pauseOnly), handler(once, pauseOnly), handler(queued, pauseOnly),
		handler(stubborn, pauseOnly), handler(report, doReport), handler(sleeper, doSleep), handler(late, doLate), handler(shared, doSleep),
		handler(mine, doSleep), handler(flaky, doFail), handler(panicky, doPanic), handler(deaf, doNotListen),
	}
}

// attemptOf is one attempt of a task.
type attemptOf struct {
	*gtf.Execution
	in Input
	j  *journal.Writer
}

func (a *attemptOf) event(kind journal.Kind) journal.Event {
	return journal.Event{Kind: kind, Task: a.ID().String(), Claim: a.Attempt(), Type: a.Type()}
}

// track writes down when a function begins, when its context has ended, and how it returns.
func track(ctx context.Context, j *journal.Writer, in Input, do func(ctx context.Context, a *attemptOf) error) (out Output, err error) {
	a := &attemptOf{gtf.FromContext(ctx), in, j}
	j.Write(a.event(journal.Start))
	unwatch := context.AfterFunc(ctx, func() {
		e := a.event(journal.Context)
		e.Cause = context.Cause(ctx).Error()
		j.Write(e)
	})
	end := a.event(journal.End)
	end.Error = "runtime.Goexit was called" // unless it returns or panics
	defer func() {
		broken := recover()
		unwatch()
		if broken != nil {
			end.Error = fmt.Sprint(broken)
		}
		j.Write(end)
		if broken != nil {
			panic(broken)
		}
	}()
	if err = do(ctx, a); err != nil {
		end.Error = err.Error()
		return out, err
	}
	out = Output{Task: a.ID().String(), Claim: a.Attempt(), Proc: j.Proc()}
	result, _ := json.Marshal(out) // strings and numbers always encode
	end.Error, end.Result = "", string(result)
	return out, nil
}

// pause waits, or returns why the context has ended. It waits in short steps: a process that was stopped meanwhile is not
// done with it when it is resumed.
func (a *attemptOf) pause(ctx context.Context, millis int) error {
	const step = 50 * time.Millisecond
	for left := time.Duration(millis) * time.Millisecond; left > 0; left -= step {
		select {
		case <-time.After(min(left, step)):
		case <-ctx.Done():
			return fmt.Errorf("stopped: %w", context.Cause(ctx))
		}
	}
	return nil
}

// say reports something that tells which attempt reported it.
func (a *attemptOf) say(step int) error {
	a.Count(a.Attempt()*check.ProgressBase + step)
	a.Logger().Info("step", "claim", a.Attempt(), "step", step)
	return a.Payload(map[string]any{"claim": a.Attempt(), "step": step})
}

// handle registers an abort and a cleanup handler.
func (a *attemptOf) handle() {
	a.OnAbort(func(context.Context) error {
		a.j.Write(a.event(journal.Abort))
		return nil
	})
	a.OnCleanup(func(context.Context) error {
		e := a.event(journal.Cleanup)
		var err error
		if a.in.Dirty {
			err = fmt.Errorf("cannot clean up after attempt %d", a.Attempt())
			e.Error = err.Error()
		}
		a.j.Write(e)
		return err
	})
}

func pauseOnly(ctx context.Context, a *attemptOf) error { return a.pause(ctx, a.in.Millis) }

func doReport(ctx context.Context, a *attemptOf) error {
	const steps = 10
	for i := range steps {
		if err := errors.Join(a.say(i), a.pause(ctx, a.in.Millis/steps)); err != nil {
			return err
		}
	}
	return nil
}

func doSleep(ctx context.Context, a *attemptOf) error {
	a.handle()
	return errors.Join(a.say(1), a.pause(ctx, a.in.Millis))
}

func doLate(ctx context.Context, a *attemptOf) error {
	if a.in.Late { // the limit passes while nothing can be aborted
		if err := a.pause(ctx, a.in.Millis/2); err != nil {
			return err
		}
	}
	a.handle()
	return a.pause(ctx, a.in.Millis)
}

func doFail(ctx context.Context, a *attemptOf) error {
	if err := errors.Join(a.say(1), a.pause(ctx, a.in.Millis)); err != nil {
		return err
	}
	if a.Attempt() <= a.in.Fails {
		return fmt.Errorf("failed in attempt %d", a.Attempt())
	}
	return nil
}

func doPanic(ctx context.Context, a *attemptOf) error {
	if err := a.pause(ctx, a.in.Millis); err != nil {
		return err
	}
	if a.in.Millis%2 == 0 {
		runtime.Goexit()
	}
	panic(fmt.Sprintf("panic in attempt %d", a.Attempt()))
}

// doNotListen goes on whatever its context says.
func doNotListen(_ context.Context, a *attemptOf) error {
	return a.pause(context.Background(), a.in.Millis)
}
