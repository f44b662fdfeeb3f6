// Command schedulemany stores two thousand tasks in one transaction: all of them, or none. Each is created or joined by its
// key, and has options of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/sqlitestore"
)

// Square is keyed by its input.
var Square = gtf.Define[int, int]("number.square", &gtf.DefineOpts[int]{
	Key:   func(n int) string { return fmt.Sprint(n) },
	Scope: gtf.ScopeShared,
})

func square(_ context.Context, n int) (int, error) { return n * n, nil }

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
	client, err := gtf.New(store, &gtf.Config{
		Handlers: []gtf.Handler{Square.Handler(square)},
		Queues:   map[string]int{gtf.DefaultQueue: 50}, // how many at once
	})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	defer func() { err = errors.Join(err, client.Stop(ctx), store.Close()) }()

	items := make([]gtf.Item[int], 2000)
	for i := range items {
		items[i].In = i % 1000 // each number twice: the second item joins the task of the first
	}
	items[0].Opts = &gtf.ScheduleOpts{Priority: 1}
	handles, err := Square.ScheduleMany(ctx, client, items)
	if err != nil {
		return err
	}
	ids := map[gtf.ID]bool{}
	for _, h := range handles {
		ids[h.ID] = true
	}
	fmt.Printf("%d items, %d tasks\n", len(handles), len(ids))

	if err := client.Start(ctx); err != nil {
		return err
	}
	sum := 0
	for _, h := range handles {
		n, err := h.Wait(ctx)
		if err != nil {
			return err
		}
		sum += n
	}
	fmt.Println("sum of the squares, twice:", sum)

	bad := []gtf.Item[int]{{In: 1}, {In: 2, Opts: &gtf.ScheduleOpts{Priority: 12}}}
	_, err = Square.ScheduleMany(ctx, client, bad)
	fmt.Println(err) // and nothing is written
	return nil
}

// Output:
// 2000 items, 1000 tasks
// sum of the squares, twice: 665667000
// invalid: …priority: is 12, must be 1 (first) to 9
