// Command cancel stops a task that is stuck in something that knows no context: a read from a server that never answers.
// The abort handler ends the work from outside, and who asked for it is kept with the task.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/sqlitestore"
)

// Fetch reads everything that a server sends.
var Fetch = gtf.Define[string, int]("server.fetch", nil)

func fetch(ctx context.Context, address string) (int, error) {
	x := gtf.FromContext(ctx)
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return 0, fmt.Errorf("reach the server: %w", err)
	}
	x.OnCleanup(func(context.Context) error { return ignoreClosed(conn.Close()) })
	x.OnAbort(func(context.Context) error { return conn.Close() }) // from here on the task can be aborted
	text, err := io.ReadAll(conn)
	return len(text), err
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) (err error) {
	var listening net.ListenConfig
	server, err := listening.Listen(ctx, "tcp", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		return err
	}
	defer server.Close()
	store, err := sqlitestore.Open(ctx, ":memory:", nil)
	if err != nil {
		return err
	}
	client, err := gtf.New(store, &gtf.Config{Handlers: []gtf.Handler{Fetch.Handler(fetch)}})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	defer func() { err = errors.Join(err, client.Stop(ctx), store.Close()) }()
	if err := client.Start(ctx); err != nil {
		return err
	}

	ada := gtf.WithPrincipal(ctx, gtf.Principal{ID: "ada", Name: "Ada"})
	h, err := Fetch.Schedule(ada, client, server.Addr().String(), nil)
	if err != nil {
		return err
	}
	if err := untilAbortable(ctx, h); err != nil {
		return err
	}
	did, err := h.Cancel(ada, nil)
	if err != nil {
		return err
	}
	fmt.Println("Ada cancels:", did.Effect.Action())

	_, err = h.Wait(ctx)
	fmt.Println("the caller can tell:", errors.Is(err, gtf.ErrAborted))
	task, err := client.Get(ada, h.ID)
	if err != nil {
		return err
	}
	fmt.Printf("the task is %s, by %s\n", task.Status, task.AbortedBy.Name)
	return nil
}

// untilAbortable follows the task until its abort handler is stored. Before that, and while the task is pending, a cancel
// would be fine too; a running task without a handler cannot be aborted.
func untilAbortable(ctx context.Context, h *gtf.Handle[int]) error {
	for task, err := range h.Watch(ctx) {
		if err != nil {
			return err
		}
		if task.Status == gtf.StatusInProgress && task.Abortable {
			return nil
		}
	}
	return errors.New("the task has ended by itself")
}

// Output:
// Ada cancels: aborted
// the caller can tell: true
// the task is aborted, by Ada
