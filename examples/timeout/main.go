// Command timeout gives tasks a time limit, and shows what it means: a task that can be aborted is stopped by it. One that
// cannot goes on, may still succeed, and says that its limit could not be enforced.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/sqlitestore"
)

// Heedful ends with its context and says so; Deaf cannot be stopped.
var (
	Heedful = gtf.Define[struct{}, string]("nap.heedful", &gtf.DefineOpts[struct{}]{
		Abortable: true, Scope: gtf.ScopeSystem, Timeout: 50 * time.Millisecond,
	})
	Deaf = gtf.Define[struct{}, string]("nap.deaf", &gtf.DefineOpts[struct{}]{
		Scope: gtf.ScopeSystem, Timeout: 50 * time.Millisecond,
	})
)

func heedful(ctx context.Context, _ struct{}) (string, error) {
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case <-time.After(time.Minute):
		return "slept", nil
	}
}

func deaf(context.Context, struct{}) (string, error) {
	<-time.After(200 * time.Millisecond)
	return "slept", nil
}

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) (err error) {
	store, err := sqlitestore.Open(ctx, ":memory:", nil)
	if err != nil {
		return err
	}
	client, err := gtf.New(store, &gtf.Config{Handlers: []gtf.Handler{Heedful.Handler(heedful), Deaf.Handler(deaf)}})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	defer func() { err = errors.Join(err, client.Stop(ctx), store.Close()) }()
	if err := client.Start(ctx); err != nil {
		return err
	}

	first, err := Heedful.Schedule(ctx, client, struct{}{}, nil)
	if err != nil {
		return err
	}
	_, err = first.Wait(ctx)
	fmt.Println("stopped by its limit:", errors.Is(err, gtf.ErrTimedOut))
	fmt.Println("mistaken for a context that ended:", errors.Is(err, context.DeadlineExceeded))

	second, err := Deaf.Schedule(ctx, client, struct{}{}, nil)
	if err != nil {
		return err
	}
	out, err := second.Wait(ctx)
	if err != nil {
		return err
	}
	task, err := client.Get(ctx, second.ID)
	if err != nil {
		return err
	}
	fmt.Printf("%s, %s, over its limit: %t\n", out, task.Status, task.TimeoutWarning)

	waiting, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	third, err := Deaf.Schedule(ctx, client, struct{}{}, &gtf.ScheduleOpts{Timeout: gtf.None})
	if err != nil {
		return err
	}
	_, err = third.Wait(waiting)
	_, waitEnded := errors.AsType[*gtf.WaitError](err)
	fmt.Println("the wait ended, not the task:", waitEnded)
	_, err = third.Wait(ctx)
	return err
}

// Output:
// stopped by its limit: true
// mistaken for a context that ended: false
// slept, success, over its limit: true
// the wait ended, not the task: true
