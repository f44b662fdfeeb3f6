package cli

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"
)

func (c *Console) workerCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "worker",
		Short: "Execute tasks until stopped",
		Long: `Execute tasks of this binary's types until stopped.

The first SIGTERM or SIGINT lets running tasks finish: no more are claimed, after --grace the rest is interrupted, and 10
seconds later this process leaves whatever still runs to the others. The second signal leaves at once.`,
		Example: "  " + c.name + " worker --queues default=20,exports=4",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.work(cmd.Context(), nil) },
	}
}

// afterGrace is how long tasks may take to heed the interruption when the grace is over (S12.5).
const afterGrace = 10 * time.Second

// work is the life of a worker, with a health endpoint if there is a listener.
func (c *Console) work(ctx context.Context, listener net.Listener) (err error) {
	got, unhook := signals(ctx)
	defer unhook()
	conn, err := c.Connect(ctx, ConnectOpts{Create: true})
	if err != nil {
		return err
	}
	log := c.Logger(slog.LevelInfo)
	if len(conn.Client.Types()) == 0 {
		return errors.Join(usage("this binary has no task types: there is nothing to work on"), conn.Close())
	}
	if err := conn.Client.Start(ctx); err != nil {
		return errors.Join(stored(err), conn.Close())
	}
	cfg := conn.Client.Config()
	log.Info("working", "database", c.Settings.shown("database_url"), "queues", format(cfg.Queues),
		"types", len(conn.Client.Types()), "pid", os.Getpid())
	h := &health{conn: conn, log: log}
	var failed <-chan error
	if listener != nil {
		serving := h.serve(listener)
		failed = serving.failed
		defer serving.stop()
	}
	select {
	case s := <-got:
		log.Info("stopping: no more tasks are claimed, running ones may finish", "signal", s.String(), "grace", formatDuration(cfg.Grace))
	case err = <-failed:
		log.Error("the health endpoint has failed; stopping", "error", err)
	}
	h.draining.Store(true)
	return errors.Join(err, c.drain(conn, max(0, cfg.Grace)+afterGrace, got, log))
}

// drain stops the client: within the limit, or at once with another signal.
func (c *Console) drain(conn *Connection, limit time.Duration, again <-chan os.Signal, log *slog.Logger) error {
	ctx, now := context.WithTimeout(context.Background(), limit)
	defer now()
	done := make(chan error, 1)
	go func() { done <- conn.Client.Stop(ctx) }()
	var err error
	select {
	case err = <-done:
	case s := <-again:
		log.Warn("leaving now; running tasks will be taken over like those of a lost worker", "signal", s.String())
		now()
		select {
		case err = <-done:
			if err != nil {
				err = errors.New(err.Error()) // names what still runs; that its context was cancelled is no news
			}
		case <-time.After(time.Second): // a function that heeds nothing
			return quietError(ExitFailed)
		}
	}
	if err == nil {
		log.Info("stopped; every outcome is stored")
	}
	return errors.Join(err, conn.closeStore())
}
