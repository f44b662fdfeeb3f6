// Command twomachines is started on several machines, or in several terminals, with the same GTF_DATABASE_URL. Each asks for
// the same forty tiles of a map: they join each other's tasks, and share the work. If one is killed, the others draw its
// tiles, too; "make services" starts a database to try.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/pgstore"
)

const tiles = 40

// Tile draws a part of the map. Equal numbers are the same work, whoever asks, and a tile outlives two machines.
var Tile = gtf.Define[int, string]("map.tile", &gtf.DefineOpts[int]{
	Abortable:   true,
	Key:         func(n int) string { return fmt.Sprint(n) },
	MaxAttempts: 3,
	Scope:       gtf.ScopeShared,
})

// machine counts what it has drawn itself.
type machine struct{ drawn atomic.Int64 }

func (m *machine) draw(ctx context.Context, n int) (string, error) {
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case <-time.After(200 * time.Millisecond): // stands for the work
	}
	m.drawn.Add(1)
	return fmt.Sprintf("tile-%d.png", n), nil
}

func main() {
	url := os.Getenv("GTF_DATABASE_URL")
	if !strings.HasPrefix(url, "postgres") {
		log.Fatal("GTF_DATABASE_URL names no PostgreSQL database: run make services, which prints a line to paste")
	}
	if err := run(context.Background(), url); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, url string) (err error) {
	store, err := pgstore.Open(ctx, url, &pgstore.Options{Migrate: true})
	if err != nil {
		return err
	}
	m := &machine{}
	client, err := gtf.New(store, &gtf.Config{
		Handlers: []gtf.Handler{Tile.Handler(m.draw)},
		Queues:   map[string]int{gtf.DefaultQueue: 4},
	})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	defer func() { err = errors.Join(err, client.Stop(ctx), store.Close()) }()
	if err := client.Start(ctx); err != nil {
		return err
	}

	items := make([]gtf.Item[int], tiles)
	for n := range items {
		items[n].In = n
	}
	handles, err := Tile.ScheduleMany(ctx, client, items)
	if err != nil {
		return err
	}
	for _, h := range handles {
		if _, err := h.Wait(ctx); err != nil {
			return err
		}
	}
	fmt.Printf("%d tiles are there, %d of them drawn here\n", len(handles), m.drawn.Load())
	return nil
}

// Output:
// 40 tiles are there, … of them drawn here
