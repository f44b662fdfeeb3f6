// Torture proves that no fault loses, doubles or strands a task.
//
//	go run ./internal/torture -duration 10m -store postgres
//
// It starts workers and submitters as processes of their own on one store, does harm to them, to the network and to the
// servers for a while, by a plan that -seed gives, heals everything, waits until every task has ended, and compares what all
// processes have written down with what triggers in the database have. It exits with 1 if a promise was not kept, and leaves
// the evidence.
//
//	journal  what processes write down
//	load     what they do
//	conduct  who starts and harms them
//	audit    what the database writes down
//	check    whether it was all right
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/globaltask/gtf/internal/torture/conduct"
	"github.com/globaltask/gtf/internal/torture/load"
)

func main() {
	load.Main() // if this is one of the processes
	os.Exit(run())
}

// Exit codes.
const (
	exitOK          = 0
	exitViolated    = 1
	exitUsage       = 2
	exitInterrupted = 130
)

func run() int {
	o := conduct.Options{Out: os.Stdout}
	flags := flag.NewFlagSet("torture", flag.ContinueOnError)
	flags.DurationVar(&o.Duration, "duration", 0, "how long there are faults (default 1m)")
	flags.StringVar(&o.Store, "store", "", "sqlite or postgres, which is started (default sqlite)")
	flags.StringVar(&o.Signals, "signals", "", "store, redis, which is started, or none (default store)")
	flags.IntVar(&o.Workers, "workers", 0, "worker processes (default 4)")
	flags.IntVar(&o.Submitters, "submitters", 0, "submitter processes (default 2)")
	flags.Uint64Var(&o.Seed, "seed", uint64(os.Getpid()), "of the plan, to repeat it (default another each time)")
	flags.Func("faults", "comma-separated kinds of faults (default all that there are)", func(list string) error {
		o.Faults = strings.Split(list, ",")
		return nil
	})
	flags.DurationVar(&o.Every, "every", 0, "mean time between two faults (default 1.2s)")
	flags.Float64Var(&o.Rate, "rate", 0, "submits a second (default 30)")
	flags.BoolVar(&o.Keep, "keep", false, "leave the journals even if all is well")
	flags.StringVar(&o.TempDir, "dir", "", "where the directory of journals is made (default the system's)")
	switch err := flags.Parse(os.Args[1:]); {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil || flags.NArg() > 0:
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := conduct.Run(ctx, o); {
	case err == nil:
		return exitOK
	case errors.Is(err, conduct.ErrViolated):
		return exitViolated
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "interrupted")
		return exitInterrupted
	default:
		fmt.Fprintf(os.Stderr, "torture: %v\n", err)
		return exitUsage
	}
}
