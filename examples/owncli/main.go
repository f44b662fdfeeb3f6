// Command owncli is a program with a task type of its own and the commands of gtf: worker, run, schedule, ls, watch, cancel
// and the rest. It is the program of docs/quickstart.md.
package main

import (
	"context"
	"errors"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/cli"
)

// Input is what a caller says.
type Input struct {
	Report string `json:"report"`
	Pages  int    `json:"pages"`
}

// Output is what a caller gets.
type Output struct {
	File string `json:"file"`
}

// Export writes a report. Who asks for a report that is being written joins.
var Export = gtf.Define[Input, Output]("report.export", &gtf.DefineOpts[Input]{
	Abortable:   true, // the end of the context is all it needs to stop
	Check:       check,
	Description: "writes a report, page by page",
	Key:         func(in Input) string { return in.Report },
	Name:        func(in Input) string { return "Export of " + in.Report },
	Scope:       gtf.ScopeShared,
})

// check refuses input that cannot be worked on, before a task is made.
func check(in Input) error {
	if in.Report == "" || in.Pages < 1 {
		return errors.New("a report has a name and at least one page")
	}
	return nil
}

// export is the work. It runs in a worker, or in whatever process called Run.
func export(ctx context.Context, in Input) (Output, error) {
	x := gtf.FromContext(ctx)
	for page := 1; page <= in.Pages; page++ {
		select {
		case <-ctx.Done():
			return Output{}, context.Cause(ctx)
		case <-time.After(200 * time.Millisecond): // stands for the work of a page
		}
		x.Progress(page, in.Pages)
		x.Logger().Info("page written", "page", page)
	}
	return Output{File: in.Report + ".pdf"}, nil
}

func main() {
	cli.Main(&cli.App{
		Name: "reports",
		Handlers: func(*cli.Settings) ([]gtf.Handler, error) {
			return []gtf.Handler{Export.Handler(export)}, nil
		},
	})
}
