package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/term"
	"github.com/spf13/cobra"
)

func (c *Console) pruneCommand() *cobra.Command {
	var olderThan time.Duration
	var maxRows int
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Delete tasks that ended long ago",
		Long: `Delete tasks that ended longer ago than --older-than, oldest first, with their subscribers and log lines. Active tasks are
never deleted. Workers do this by themselves every hour, with --retention.`,
		Example: "  " + c.name + " prune --older-than 90d --max-rows 10000",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.prune(cmd.Context(), olderThan, maxRows) },
	}
	cmd.Flags().Var(&durationFlag{&olderThan}, "older-than", "the least age of a task's end (default: --retention)")
	cmd.Flags().IntVar(&maxRows, "max-rows", 0, "delete at most so many (default 100000)")
	return cmd
}

func (c *Console) prune(ctx context.Context, olderThan time.Duration, maxRows int) (err error) {
	conn, err := c.Connect(ctx, ConnectOpts{LogLevel: slog.LevelWarn})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	switch {
	case maxRows < 0:
		return usage("--max-rows is %d, must be at least 1", maxRows)
	case olderThan == gtf.None:
		return usage("--older-than must be a positive duration")
	case olderThan == 0 && conn.Client.Config().Retention == gtf.None:
		return usage("--retention is none, so --older-than must say what to delete")
	}
	n, err := conn.Client.Prune(ctx, &gtf.PruneOpts{OlderThan: olderThan, MaxRows: maxRows})
	if c.json() {
		return errors.Join(stored(err), writeJSON(c.Out, map[string]int{"pruned": n}))
	}
	_, printed := fmt.Fprintf(c.Out, "pruned %s\n", term.Plural(n, "task", "tasks"))
	return errors.Join(stored(err), printed)
}
