package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
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

// work is the life of a worker, and of a site if there is one.
func (c *Console) work(ctx context.Context, s *site) error {
	got, unhook := signals(ctx)
	defer unhook()
	opts := ConnectOpts{Create: true}
	if s != nil {
		opts.Observer = s.metrics
	}
	conn, err := c.Connect(ctx, opts)
	if err != nil {
		return err
	}
	log := c.Logger(slog.LevelInfo)
	if err := c.begin(ctx, conn, s, log); err != nil {
		return errors.Join(err, conn.Close())
	}
	grace := conn.Client.Config().Grace
	var failed <-chan error
	if s != nil {
		failed = s.failed
	}
	select {
	case sig := <-got:
		log.Info("stopping: no more tasks are claimed, running ones may finish", "signal", sig.String(), "grace", formatDuration(grace))
	case err = <-failed:
		log.Error("the HTTP server has failed; stopping", "error", err)
	}
	now, unhurried := hurry(got, log)
	defer unhurried()
	return errors.Join(err, c.leave(now, conn, s, max(0, grace)+afterGrace, log))
}

// begin has tasks executed, and the site answer.
func (c *Console) begin(ctx context.Context, conn *Connection, s *site, log *slog.Logger) error {
	if s != nil {
		if err := s.attach(conn); err != nil {
			return err
		}
	}
	if s == nil || s.work {
		if err := c.startWork(ctx, conn, log); err != nil {
			return err
		}
	}
	if s != nil {
		s.open()
	}
	return nil
}

// startWork has tasks executed.
func (c *Console) startWork(ctx context.Context, conn *Connection, log *slog.Logger) error {
	if len(conn.Client.Types()) == 0 {
		return usage("this binary has no task types: there is nothing to work on")
	}
	if err := conn.Client.Start(ctx); err != nil {
		return stored(err)
	}
	log.Info("working", "database", c.Settings.shown("database_url"), "queues", format(conn.Client.Config().Queues),
		"types", len(conn.Client.Types()), "pid", os.Getpid())
	return nil
}

// hurry is a context that ends with the next signal.
func hurry(again <-chan os.Signal, log *slog.Logger) (now context.Context, stop func()) {
	now, cancel := context.WithCancel(context.Background())
	var waiting sync.WaitGroup
	waiting.Go(func() {
		select {
		case sig := <-again:
			log.Warn("leaving now; running tasks will be taken over like those of a lost worker", "signal", sig.String())
			cancel()
		case <-now.Done():
		}
	})
	return now, func() { cancel(); waiting.Wait() }
}

// afterWork is how long requests that are being answered may take when the last task is done.
const afterWork = 5 * time.Second

// leave ends everything in order: event streams, tasks within the limit, other requests, the store. When now ends, all of it
// ends at once.
func (c *Console) leave(now context.Context, conn *Connection, s *site, limit time.Duration, log *slog.Logger) error {
	if s != nil {
		s.leave()
	}
	err := c.drain(now, conn, limit, log)
	if s != nil {
		ctx, cancel := context.WithTimeout(now, afterWork)
		defer cancel()
		s.stop(ctx)
	}
	if _, quiet := errors.AsType[quietError](err); quiet {
		return err // something uses the store for ever
	}
	return errors.Join(err, conn.closeStore())
}

// drain stops the client: within the limit, or at once when now ends.
func (c *Console) drain(now context.Context, conn *Connection, limit time.Duration, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(now, limit)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- conn.Client.Stop(ctx) }()
	var err error
	select {
	case err = <-done:
	case <-now.Done():
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
	return err
}
