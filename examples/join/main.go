// Command join has twenty people ask for one report at the same time: one task is made, everybody follows it, and the
// work is done once. When the task has ended its key is free again, and whoever asks next gets a fresh run.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync"
	"sync/atomic"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/sqlitestore"
)

// Report is shared, and its key is the name of the report: who asks for a report that is being made joins.
var Report = gtf.Define[string, string]("report.render", &gtf.DefineOpts[string]{
	Key:   func(name string) string { return name },
	Scope: gtf.ScopeShared,
})

// renderer counts how often it really works.
type renderer struct{ runs atomic.Int32 }

func (r *renderer) render(_ context.Context, name string) (string, error) {
	r.runs.Add(1)
	return name + ".pdf", nil
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
	r := &renderer{}
	client, err := gtf.New(store, &gtf.Config{Handlers: []gtf.Handler{Report.Handler(r.render)}})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	defer func() { err = errors.Join(err, client.Stop(ctx), store.Close()) }()

	handles, err := askTogether(ctx, client, 20)
	if err != nil {
		return err
	}
	created, ids := 0, map[gtf.ID]bool{}
	for _, h := range handles {
		ids[h.ID] = true
		if !h.Joined {
			created++
		}
	}
	fmt.Printf("%d callers, %d task, made by %d of them\n", len(handles), len(ids), created)

	if err := client.Start(ctx); err != nil {
		return err
	}
	for _, h := range handles {
		if out, err := h.Wait(ctx); err != nil || out != "sales.pdf" {
			return fmt.Errorf("waited for %s and got %q: %w", h.ID, out, err)
		}
	}
	task, err := client.Get(ctx, handles[0].ID)
	if err != nil {
		return err
	}
	fmt.Printf("all got sales.pdf after %d run, %d follow the task\n", r.runs.Load(), len(task.Subscribers))

	again, err := Report.Schedule(ctx, client, "sales", nil)
	if err != nil {
		return err
	}
	if _, err := again.Wait(ctx); err != nil {
		return err
	}
	fmt.Printf("asked again: joined %t, %d runs\n", again.Joined, r.runs.Load())
	return nil
}

// askTogether submits the same work for n people at once.
func askTogether(ctx context.Context, client *gtf.Client, n int) ([]*gtf.Handle[string], error) {
	handles, errs := make([]*gtf.Handle[string], n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			ctx := gtf.WithPrincipal(ctx, gtf.Principal{ID: fmt.Sprint(i)})
			handles[i], errs[i] = Report.Schedule(ctx, client, "sales", nil)
		})
	}
	wg.Wait()
	return handles, errors.Join(errs...)
}

// Output:
// 20 callers, 1 task, made by 1 of them
// all got sales.pdf after 1 run, 20 follow the task
// asked again: joined false, 2 runs
