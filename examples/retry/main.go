// Command retry gives a task several attempts, with a growing pause between them, and keeps what each one died of.
// An error that the next attempt would only meet again is marked with NoRetry and ends the task at once.
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

// Download may be started four times. Attempts are also what survives the death of a worker.
var Download = gtf.Define[string, string]("file.download", &gtf.DefineOpts[string]{
	Backoff:     gtf.Backoff{Base: 20 * time.Millisecond, Max: time.Second}, // doubled each time, less up to a half at random
	MaxAttempts: 4,
	Scope:       gtf.ScopeSystem,
})

func download(ctx context.Context, name string) (string, error) {
	attempt := gtf.FromContext(ctx).Attempt()
	switch {
	case name == "lost":
		return "", gtf.NoRetry(errors.New("there is no such file"))
	case attempt < 3:
		return "", errors.New("the server is busy")
	}
	return fmt.Sprintf("%s, by attempt %d", name, attempt), nil
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
	client, err := gtf.New(store, &gtf.Config{Handlers: []gtf.Handler{Download.Handler(download)}})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	defer func() { err = errors.Join(err, client.Stop(ctx), store.Close()) }()
	if err := client.Start(ctx); err != nil {
		return err
	}

	for _, name := range []string{"sales.csv", "lost"} {
		h, err := Download.Schedule(ctx, client, name, nil)
		if err != nil {
			return err
		}
		out, err := h.Wait(ctx)
		failed, isOutcome := errors.AsType[*gtf.TaskError](err)
		if err != nil && !isOutcome {
			return err // the wait failed, not the task
		}
		task, err := client.Get(ctx, h.ID)
		if err != nil {
			return err
		}
		if failed != nil {
			fmt.Printf("%s after attempt %d of %d: %s\n", failed.Status, task.Attempt, task.MaxAttempts, failed.Reason)
			continue
		}
		fmt.Println("got", out)
		for i, a := range task.Attempts {
			fmt.Printf("  attempt %d: %s\n", i+1, a.Error)
		}
	}
	return nil
}

// Output:
// got sales.csv, by attempt 3
//   attempt 1: the server is busy
//   attempt 2: the server is busy
// failure after attempt 1 of 4: there is no such file
