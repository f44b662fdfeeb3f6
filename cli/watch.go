package cli

import (
	"context"

	"github.com/globaltask/gtf"
	"github.com/spf13/cobra"
)

func (c *Console) watchCommand() *cobra.Command {
	var w who
	cmd := &cobra.Command{
		Use:   "watch ID...",
		Short: "Show tasks live until they end",
		Long: `Show tasks live until all have ended: lines that move on a terminal, else a line at each change, with --json an object.

The exit code is 0 if all succeeded. Ctrl-C stops only the watching.`,
		Args: someArgs("ID"),
		RunE: func(cmd *cobra.Command, args []string) error { return c.watch(cmd.Context(), args, &w) },
	}
	w.register(cmd)
	return cmd
}

func (c *Console) watch(ctx context.Context, texts []string, w *who) error {
	ids := make([]gtf.ID, len(texts))
	for i, text := range texts {
		id, err := taskID(text)
		if err != nil {
			return err
		}
		ids[i] = id
	}
	ctx, stop := untilSignal(ctx)
	defer stop()
	return c.atDesk(ctx, w, func(ctx context.Context, d desk) error { return c.watchAll(ctx, d, ids) })
}

func (c *Console) watchAll(ctx context.Context, d desk, ids []gtf.ID) error {
	for _, id := range ids { // watching is not filtered; who may look is asked here
		if _, err := d.Get(ctx, id); err != nil {
			return stored(err)
		}
	}
	tasks, err := follow(ctx, d, ids, c.display(ctx, c.Out), nil)
	if err != nil {
		return stored(err)
	}
	for _, t := range tasks {
		if t.Status != gtf.StatusSuccess {
			return quietError(ExitFailed) // how it ended stands in its last line
		}
	}
	return nil
}
