package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/term"
	"github.com/spf13/cobra"
)

func (c *Console) logsCommand() *cobra.Command {
	var w who
	var followIt bool
	cmd := &cobra.Command{
		Use:   "logs ID",
		Short: "Print what a task has logged",
		Args:  oneArg("ID"),
		RunE:  func(cmd *cobra.Command, args []string) error { return c.logs(cmd.Context(), args[0], &w, followIt) },
	}
	w.register(cmd)
	cmd.Flags().BoolVarP(&followIt, "follow", "f", false, "go on until the task ends")
	return cmd
}

func (c *Console) logs(ctx context.Context, text string, w *who, followIt bool) error {
	id, err := taskID(text)
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(ctx)
	defer stop()
	return c.atDesk(ctx, w, func(ctx context.Context, d desk) error { return c.writeLogs(ctx, d, id, followIt) })
}

// writeLogs prints the lines there are, and if told so those that come.
func (c *Console) writeLogs(ctx context.Context, d desk, id gtf.ID, followIt bool) error {
	clock := time.NewTicker(time.Second)
	defer clock.Stop()
	for last := int64(0); ; {
		t, err := d.Get(ctx, id) // before the lines: what ended before has logged its last
		if err != nil {
			return stored(err)
		}
		if last, err = c.newLines(ctx, d, id, last); err != nil {
			return err
		}
		if !followIt || t.Status.Terminal() {
			return nil
		}
		select {
		case <-clock.C:
		case <-ctx.Done():
			return errInterrupted
		}
	}
}

// newLines prints the lines after the one numbered last, and returns the last one now.
func (c *Console) newLines(ctx context.Context, d desk, id gtf.ID, last int64) (int64, error) {
	const batch = 1000
	for {
		lines, err := d.Logs(ctx, id, last, batch)
		if err != nil {
			return last, stored(err)
		}
		for _, line := range lines {
			if missing := line.Seq - last - 1; missing > 0 && !c.json() {
				c.Note("… %s not kept", term.Plural(int(missing), "line", "lines"))
			}
			if err := c.writeLine(line); err != nil {
				return last, err
			}
			last = line.Seq
		}
		if len(lines) < batch {
			return last, nil
		}
	}
}

func (c *Console) writeLine(line gtf.LogLine) error {
	if c.json() {
		return writeJSON(c.Out, map[string]any{"seq": line.Seq, "time": line.At, "level": line.Level, "text": line.Text})
	}
	_, err := fmt.Fprintf(c.Out, "%s %-5s %s\n", line.At.Local().Format("15:04:05.000"), line.Level, term.Printable(line.Text))
	return err
}
