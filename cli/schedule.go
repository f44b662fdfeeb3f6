package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/globaltask/gtf"
	"github.com/spf13/cobra"
)

// scheduleFlags are those of schedule.
type scheduleFlags struct {
	runFlags
	queue               string
	priority            int
	delay, maxQueueTime time.Duration
	wait                bool
}

func (c *Console) scheduleCommand() *cobra.Command {
	var f scheduleFlags
	cmd := &cobra.Command{
		Use:   "schedule TYPE",
		Short: "Store a task for a worker, and print its id",
		Long: `Store a task for a worker, and print its id. If the key is busy with an active task, that one is joined.

With --wait, show the task until it ends and print its result instead; Ctrl-C then stops only the waiting.`,
		Example: "  " + c.name + ` schedule report.export --as ada --input '{"report": "sales"}' --wait`,
		Args:    oneArg("TYPE"), ValidArgsFunction: c.completeTypes,
		RunE: func(cmd *cobra.Command, args []string) error { return c.schedule(cmd.Context(), args[0], &f) },
	}
	f.who.register(cmd)
	fl := cmd.Flags()
	fl.StringVar(&f.input, "input", "", "JSON, @FILE, or - for standard input (default {})")
	fl.StringVar(&f.key, "key", "", "identity of the work: the same key joins")
	fl.StringVar(&f.name, "name", "", "what people see")
	fl.StringVar(&f.queue, "queue", "", "the queue to wait in (default: the type's)")
	fl.IntVar(&f.priority, "priority", 0, "1 (first) to 9 within the queue (default: the type's)")
	fl.Var(&durationFlag{&f.delay}, "delay", "how long until it may start")
	fl.Var(&durationFlag{&f.timeout}, "timeout", "time limit of an attempt; none for none")
	fl.Var(&durationFlag{&f.maxQueueTime}, "max-queue-time", "how long it may wait for its first start; none for ever")
	fl.IntVar(&f.attempts, "max-attempts", 0, "how often the function may be started (default: the type's)")
	fl.BoolVar(&f.wait, "wait", false, "wait for the end and print the result")
	return cmd
}

func (c *Console) schedule(ctx context.Context, typ string, f *scheduleFlags) (err error) {
	ctx, err = f.in(ctx)
	if err != nil {
		return err
	}
	input, err := c.input(f.input)
	if err != nil {
		return err
	}
	conn, err := c.Connect(ctx, ConnectOpts{Create: true, LogLevel: slog.LevelWarn})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	handler, err := c.handler(conn.Client, typ)
	if err != nil {
		return err
	}
	h, err := handler.Schedule(ctx, conn.Client, input, &gtf.ScheduleOpts{
		Key: f.key, Name: f.name, Queue: f.queue, Priority: f.priority, Delay: max(0, f.delay),
		Timeout: f.timeout, MaxQueueTime: f.maxQueueTime, MaxAttempts: f.attempts,
	})
	if err != nil {
		return stored(err)
	}
	switch {
	case f.wait:
		if h.Joined {
			c.Note("joined task %s, which was active already", h.ID)
		} else {
			c.Note("task %s", h.ID)
		}
		return c.wait(ctx, conn.Client, h.ID)
	case c.json():
		return writeJSON(c.Out, map[string]any{"uuid": h.ID, "joined": h.Joined})
	case h.Joined:
		c.Note("joined a task that was active already")
	}
	_, err = fmt.Fprintln(c.Out, h.ID)
	return err
}

// wait shows a task until it ends and prints its result.
func (c *Console) wait(ctx context.Context, client *gtf.Client, id gtf.ID) error {
	ctx, stop := untilSignal(ctx)
	defer stop()
	tasks, err := follow(ctx, ownDesk{client}, []gtf.ID{id}, c.display(ctx, c.Err), nil)
	if err != nil {
		return stored(err)
	}
	return c.result(tasks[0])
}

// result prints what a successful task came back with; otherwise it is the error. With JSON it has been shown already.
func (c *Console) result(t *gtf.Task) error {
	err := outcome(t)
	switch {
	case c.json() && err != nil:
		return quietError(ExitFailed)
	case err != nil || c.json() || len(t.Result) == 0:
		return err
	}
	_, err = fmt.Fprintf(c.Out, "%s\n", t.Result)
	return err
}
