// Command lock has two tasks take turns at something that only one may touch at a time, by a named lock that holds across
// processes. The lease's context ends if the lock is lost, so that its holder stops before somebody else begins.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync/atomic"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/sqlitestore"
)

// Import writes a file of bookings into the one ledger.
var Import = gtf.Define[string, string]("bookings.import", &gtf.DefineOpts[string]{Scope: gtf.ScopeSystem})

// importer has the client to lock with.
type importer struct {
	client *gtf.Client
	inside atomic.Int32
}

func (i *importer) load(ctx context.Context, file string) (string, error) {
	lease, err := i.client.Lock(ctx, "ledger", nil) // waits until ctx ends
	if err != nil {
		return "", err
	}
	err = i.write(lease.Context())
	return file, errors.Join(err, lease.Release())
}

// write works under the lease's context: it ends if the lock is lost. It does not end when the task is aborted.
func (i *importer) write(ctx context.Context) error {
	if n := i.inside.Add(1); n > 1 {
		return fmt.Errorf("%d tasks write at once", n)
	}
	defer i.inside.Add(-1)
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(50 * time.Millisecond): // stands for the work
		return nil
	}
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
	i := &importer{}
	i.client, err = gtf.New(store, &gtf.Config{Handlers: []gtf.Handler{Import.Handler(i.load)}})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	defer func() { err = errors.Join(err, i.client.Stop(ctx), store.Close()) }()
	if err := i.client.Start(ctx); err != nil {
		return err
	}

	handles, err := Import.ScheduleMany(ctx, i.client, []gtf.Item[string]{{In: "march.csv"}, {In: "april.csv"}})
	if err != nil {
		return err
	}
	for _, h := range handles {
		file, err := h.Wait(ctx)
		if err != nil {
			return err
		}
		fmt.Println("imported", file)
	}
	return tooLate(ctx, i.client)
}

// tooLate asks for a lock that somebody else holds, for a moment.
func tooLate(ctx context.Context, client *gtf.Client) error {
	lease, err := client.Lock(ctx, "ledger", &gtf.LockOpts{TTL: time.Minute})
	if err != nil {
		return err
	}
	moment, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	_, err = client.Lock(moment, "ledger", nil)
	fmt.Println("held by another:", errors.Is(err, gtf.ErrLockHeld))
	return lease.Release()
}

// Output:
// imported march.csv
// imported april.csv
// held by another: true
