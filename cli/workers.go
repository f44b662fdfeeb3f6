package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/term"
	"github.com/spf13/cobra"
)

func (c *Console) workersCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "workers",
		Short: "List the processes that execute",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return c.workers(cmd.Context()) },
	}
}

func (c *Console) workers(ctx context.Context) (err error) {
	conn, err := c.Connect(ctx, ConnectOpts{LogLevel: slog.LevelWarn})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	workers, err := conn.Client.Workers(ctx)
	if err != nil {
		return stored(err)
	}
	cfg := conn.Client.Config()
	if c.json() {
		for _, w := range workers {
			if err := writeJSON(c.Out, workerObject(w)); err != nil {
				return err
			}
		}
		return nil
	}
	if len(workers) == 0 {
		c.Note("no worker is known")
		return nil
	}
	now := time.Now()
	t := newTable("ID", "STATE", "HOST", "PID", "VERSION", "QUEUES", "RUNNING", "TYPES", "STARTED", "LAST BEAT")
	t.right[3], t.right[6], t.right[7] = true, true, true
	for _, w := range workers {
		t.add(w.ID, workerState(w, cfg), w.Host, w.PID, w.Version, queuesText(w), w.Running, len(w.Types),
			term.Ago(now, w.StartedAt), term.Duration(w.Silence)+" ago")
	}
	return t.write(c.Out, term.PaletteOf(c.Out))
}

// workerState is alive, silent (two beats are missing) or lost.
func workerState(w gtf.Worker, cfg gtf.Config) cell {
	switch {
	case w.Lost:
		return cell{"lost", term.Bad}
	case w.Silence > 2*cfg.Heartbeat:
		return cell{"silent", term.Warning}
	}
	return cell{"alive", term.Good}
}

func queuesText(w gtf.Worker) string {
	if len(w.Queues) == 0 {
		return "inline"
	}
	return format(w.Queues)
}

func workerObject(w gtf.Worker) map[string]any {
	queues := maps.Clone(w.Queues)
	if queues == nil {
		queues = map[string]int{}
	}
	return map[string]any{
		"id": w.ID, "host": w.Host, "pid": w.PID, "version": w.Version, "queues": queues, "types": slices.Concat([]string{}, w.Types),
		"running": w.Running, "started_at": w.StartedAt, "beat_at": w.BeatAt, "silence_seconds": w.Silence.Seconds(), "lost": w.Lost,
	}
}

// workerName names a worker for people.
func workerName(w gtf.Worker) string { return fmt.Sprintf("%s (pid %d on %s)", w.ID, w.PID, w.Host) }
