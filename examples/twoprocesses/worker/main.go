// Command worker does the work that the web process schedules: it has the handler, and no idea of HTTP. SIGTERM lets it
// finish what it runs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/examples/twoprocesses/report"
	"github.com/globaltask/gtf/store/sqlitestore"
)

// renderer is what the handler depends on: a folder here, a database elsewhere.
type renderer struct{ dir string }

func (r *renderer) render(ctx context.Context, in report.Input) (report.Output, error) {
	x := gtf.FromContext(ctx)
	for page := 1; page <= 3; page++ {
		select {
		case <-ctx.Done():
			return report.Output{}, context.Cause(ctx)
		case <-time.After(50 * time.Millisecond): // stands for the work of a page
		}
		x.Progress(page, 3)
	}
	return report.Output{File: r.dir + "/" + in.Name + ".pdf"}, nil
}

func main() {
	database := flag.String("db", "gtf.db", "the SQLite `file` that both processes use")
	flag.Parse()
	if err := run(context.Background(), *database); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, database string) (err error) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	store, err := sqlitestore.Open(ctx, database, nil)
	if err != nil {
		return err
	}
	r := &renderer{dir: "reports"}
	client, err := gtf.New(store, &gtf.Config{
		Grace:    10 * time.Second,
		Handlers: []gtf.Handler{report.Render.Handler(r.render)},
	})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	if err := client.Start(ctx); err != nil {
		return errors.Join(err, store.Close())
	}
	fmt.Println("working")
	<-ctx.Done()

	// The signal has ended ctx: stopping needs a context of its own, a little longer than the grace.
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	err = errors.Join(client.Stop(stopping), store.Close())
	fmt.Println("stopped")
	return err
}
