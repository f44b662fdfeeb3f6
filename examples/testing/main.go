// Command testing is an application that is tested with gtftest: its tests, in main_test.go, run tasks on a store of their
// own and let hours of time limits and pauses pass at once. The program itself sends one digest and ends.
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

// Digest sends somebody their mail of the day.
var Digest = gtf.Define[string, int]("mail.digest", &gtf.DefineOpts[string]{
	Abortable:   true,
	Backoff:     gtf.Backoff{Base: time.Minute, Max: time.Hour},
	MaxAttempts: 3,
	Scope:       gtf.ScopeSystem,
	Timeout:     10 * time.Minute,
})

// mailer is what the handler needs of the outside world: tests have their own.
type mailer interface {
	Send(ctx context.Context, to, text string) error
}

type digester struct {
	mail  mailer
	items []string
}

func (d *digester) send(ctx context.Context, to string) (int, error) {
	if to == "" {
		return 0, gtf.NoRetry(errors.New("the address is empty"))
	}
	for i, item := range d.items {
		if err := d.mail.Send(ctx, to, item); err != nil {
			return 0, fmt.Errorf("send item %d to %s: %w", i+1, to, err)
		}
		gtf.FromContext(ctx).Progress(i+1, len(d.items))
	}
	return len(d.items), nil
}

// printer is a mailer that only says what it would send.
type printer struct{}

// Send prints the mail.
func (printer) Send(_ context.Context, to, text string) error {
	_, err := fmt.Printf("to %s: %s\n", to, text)
	return err
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
	d := &digester{mail: printer{}, items: []string{"two new orders", "one question"}}
	client, err := gtf.New(store, &gtf.Config{Handlers: []gtf.Handler{Digest.Handler(d.send)}})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	defer func() { err = errors.Join(err, client.Stop(ctx), store.Close()) }()
	sent, err := Digest.Run(ctx, client, "ada@example.com", nil)
	fmt.Println("items:", sent)
	return err
}

// Output:
// to ada@example.com: two new orders
// to ada@example.com: one question
// items: 2
