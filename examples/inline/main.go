// Command inline does a task in the process that asks for it, by Run: no worker is started, and the caller gets the output.
// The task is stored, seen, joined and cancelled like any other.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/sqlitestore"
)

// Words is private: each person has tasks and keys of their own.
var Words = gtf.Define[string, int]("text.words", nil)

func words(_ context.Context, text string) (int, error) {
	if text == "" {
		return 0, errors.New("there is no text")
	}
	return len(strings.Fields(text)), nil
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
	client, err := gtf.New(store, &gtf.Config{Handlers: []gtf.Handler{Words.Handler(words)}})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	// Stopped, although it was never started: what runs inline ends first.
	defer func() { err = errors.Join(err, client.Stop(ctx), store.Close()) }()

	ada := gtf.WithPrincipal(ctx, gtf.Principal{ID: "ada"})
	n, err := Words.Run(ada, client, "a text of five words", nil)
	if err != nil {
		return err
	}
	fmt.Println("words:", n)

	_, err = Words.Run(ada, client, "", &gtf.RunOpts{Name: "An empty text"})
	failed, ok := errors.AsType[*gtf.TaskError](err)
	if !ok {
		return fmt.Errorf("got %w, want the failure of the task", err)
	}
	fmt.Printf("%s: %s\n", failed.Status, failed.Reason)

	page, err := client.List(ada, nil) // newest first
	if err != nil {
		return err
	}
	for _, task := range page.Tasks {
		fmt.Printf("%s %s, mode %s\n", task.Type, task.Status, task.Mode)
	}
	return nil
}

// Output:
// words: 5
// failure: there is no text
// text.words failure, mode sync
// text.words success, mode sync
