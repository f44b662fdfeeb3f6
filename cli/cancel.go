package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi"
	"github.com/spf13/cobra"
)

func (c *Console) cancelCommand() *cobra.Command {
	var w who
	var opts gtf.CancelOpts
	cmd := &cobra.Command{
		Use:   "cancel ID",
		Short: "Stop a task, or leave it to its other followers",
		Long: `Stop a task; a shared one that others follow is only left, unless an admin says --force. "show" tells which it would be.

It returns when the request is stored, not when the task has stopped; watch tells that. With --expect, nothing is done if
the effect would be another.`,
		Example: "  " + c.name + " cancel 0199b6a0-2c7e-7d4f-9c55-6b1d5a3f0e21 --as ada",
		Args:    oneArg("ID"),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.cancel(cmd.Context(), args[0], &w, opts) },
	}
	w.register(cmd)
	cmd.Flags().BoolVar(&opts.Force, "force", false, "stop a shared task for everybody; admins and the host only")
	cmd.Flags().StringVar((*string)(&opts.Expect), "expect", "", "the expected effect: abort, unsubscribe or detach")
	cmd.Flags().StringVar(&opts.Client, "client", "", "the client that leaves, for types with subscriptions per client")
	return cmd
}

func (c *Console) cancel(ctx context.Context, text string, w *who, opts gtf.CancelOpts) error {
	id, err := taskID(text)
	if err != nil {
		return err
	}
	return c.atDesk(ctx, w, func(ctx context.Context, d desk) error {
		did, err := d.Cancel(ctx, id, &opts)
		if err != nil {
			return stored(err)
		}
		if c.json() {
			return writeJSON(c.Out, map[string]any{"action": did.Effect.Action(), "task": httpapi.NewTask(did.Task, gtf.ActorFrom(ctx), time.Now())})
		}
		_, err = fmt.Fprintln(c.Out, canceledText(did))
		return err
	})
}

func canceledText(did *gtf.Canceled) string {
	switch {
	case did.Effect == gtf.EffectUnsubscribe:
		return "left; the task goes on for others"
	case did.Effect == gtf.EffectDetach:
		return "this client has left; the task goes on for your others"
	case did.Task.Status == gtf.StatusAborting:
		return "asked to abort"
	}
	return "aborted"
}
