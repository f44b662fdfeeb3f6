package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/globaltask/gtf/cli"
	"github.com/globaltask/gtf/internal/demo"
	"github.com/spf13/cobra"
)

func demoCommand(c *cli.Console) *cobra.Command {
	var o demo.Options
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show what gtf does: real tasks of three people, live in this terminal",
		Long: `Show what gtf does: real tasks of three people, live in this terminal.

A worker, which is a process of its own, sums files, scales images and exports a database for ada (an admin), grace and
alan. They join each other's tasks, leave them and cancel them; one task fails, one is over its time limit, one succeeds
only at a later attempt. In the end the results are checked.

The database and all material are made in a temporary directory and removed. Nothing else is written; no setting counts.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			// A terminal that is closed and a reader that has gone must not leave anything behind either.
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
			defer stop()
			if o.Binary, err = os.Executable(); err != nil {
				return err
			}
			if o.Dir, err = os.Getwd(); err != nil {
				return err
			}
			o.Out = c.Out
			err = demo.Run(ctx, o)
			if err != nil && !errors.Is(err, context.Canceled) {
				err = errors.New(err.Error()) // exit code 1, whatever it was: what it means elsewhere does not matter here
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&o.Fast, "fast", false, "shorter pauses, less work")
	cmd.Flags().BoolVar(&o.Keep, "keep", false, "keep the temporary directory and say where it is")
	return cmd
}
