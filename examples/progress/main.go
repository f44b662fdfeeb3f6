// Command progress reports how far a task is, and follows it with an estimate of the time left. A task may report as often
// as it likes: what is stored, at most once per Config.Throttle, is the latest.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/sqlitestore"
)

// Report is written page by page.
var Report = gtf.Define[int, string]("report.render", &gtf.DefineOpts[int]{Abortable: true, Scope: gtf.ScopeSystem})

func render(ctx context.Context, pages int) (string, error) {
	x := gtf.FromContext(ctx)
	for page := 1; page <= pages; page++ {
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-time.After(80 * time.Millisecond): // stands for the work of a page
		}
		x.Progress(page, pages)
		x.Logger().Info("page done", "page", page)
	}
	if err := x.Payload(map[string]any{"format": "pdf"}); err != nil { // what else people should see
		return "", err
	}
	return "report.pdf", nil
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
	client, err := gtf.New(store, &gtf.Config{
		Handlers: []gtf.Handler{Report.Handler(render)},
		Throttle: 50 * time.Millisecond, // the default of 2 s suits tasks that take minutes
	})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	defer func() { err = errors.Join(err, client.Stop(ctx), store.Close()) }()
	if err := client.Start(ctx); err != nil {
		return err
	}

	h, err := Report.Schedule(ctx, client, 10, nil)
	if err != nil {
		return err
	}
	for task, err := range h.Watch(ctx) {
		if err != nil {
			return err
		}
		line := strings.TrimSpace(fmt.Sprintf("%s %s", task.Status, task.Progress))
		if elapsed, started := task.Duration(time.Now()); started {
			if left, ok := task.Progress.ETA(elapsed); ok {
				line += fmt.Sprintf(", %v left", left.Round(10*time.Millisecond))
			}
		}
		fmt.Println(line)
	}

	lines, err := client.Logs(ctx, h.ID, 0, 0)
	if err != nil {
		return err
	}
	fmt.Printf("%d log lines, the last is %q\n", len(lines), lines[len(lines)-1].Text)
	task, err := client.Get(ctx, h.ID)
	if err != nil {
		return err
	}
	fmt.Printf("payload %s, result %s\n", task.Payload, task.Result)
	return nil
}

// Output:
// …
// in_progress … of 10 (…%), … left
// …
// success 10 of 10 (100%)
// 10 log lines, the last is "page done page=10"
// payload {"format":"pdf"}, result "report.pdf"
