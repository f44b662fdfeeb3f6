package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/term"
	"github.com/spf13/cobra"
)

// runFlags are those of run.
type runFlags struct {
	who
	input, key, name string
	timeout          time.Duration
	attempts         int
}

func (c *Console) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run TYPE",
		Short: "Do a task here and now, and print its result",
		Long: `Do a task in this process, and print its result as JSON.

The task is stored, seen and stopped like any other. If the key is busy with an active task, that one is joined and its
outcome awaited. Ctrl-C aborts the task, as cancel would; a second one leaves at once. SIGTERM stops like a worker does.`,
		Example: "  " + c.name + ` run report.export --as ada --input '{"report": "sales"}'`,
		Args:    oneArg("TYPE"), ValidArgsFunction: c.completeTypes,
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args[0], &f) },
	}
	f.who.register(cmd)
	fl := cmd.Flags()
	fl.StringVar(&f.input, "input", "", "JSON, @FILE, or - for standard input (default {})")
	fl.StringVar(&f.key, "key", "", "identity of the work: the same key joins")
	fl.StringVar(&f.name, "name", "", "what people see")
	fl.Var(&durationFlag{&f.timeout}, "timeout", "time limit of an attempt; none for none")
	fl.IntVar(&f.attempts, "max-attempts", 0, "how often the function may be started (default: the type's)")
	return cmd
}

func (c *Console) run(ctx context.Context, typ string, f *runFlags) error {
	got, unhook := signals(ctx)
	defer unhook()
	ctx, err := f.in(ctx)
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
	handler, err := c.handler(conn.Client, typ)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	h, err := handler.Start(ctx, conn.Client, input, &gtf.RunOpts{Key: f.key, Name: f.name, Timeout: f.timeout, MaxAttempts: f.attempts})
	if err != nil {
		return errors.Join(stored(err), conn.Close())
	}
	r := &running{c: c, conn: conn, h: h, notes: make(chan string, 8)}
	return r.attend(context.WithoutCancel(ctx), got)
}

// running is a task that run has started or joined.
type running struct {
	c     *Console
	conn  *Connection
	h     *gtf.Handle[rawJSON]
	notes chan string
	shut  chan struct{} // closed when a shutdown is done; nil without one
}

// attend shows the task until it ends, and deals with signals: the first asks, the second leaves.
func (r *running) attend(ctx context.Context, got <-chan os.Signal) error {
	if r.h.Joined {
		r.say("joined task %s, which was active already", r.h.ID)
	} else if !r.c.json() {
		r.say("task %s", r.h.ID)
	}
	watch, leave := context.WithCancel(ctx)
	defer leave()
	type ended struct {
		tasks []*gtf.Task
		err   error
	}
	done := make(chan ended, 1)
	go func() {
		tasks, err := follow(watch, ownDesk{r.conn.Client}, []gtf.ID{r.h.ID}, r.c.display(watch, r.c.Err), r.notes)
		done <- ended{tasks, err}
	}()
	var gone error // why to go before the task has ended
	for asked := false; ; asked = true {
		select {
		case e := <-done:
			if gone != nil {
				return errors.Join(gone, r.conn.Close())
			}
			return errors.Join(r.conclude(ctx, e.tasks[0], e.err), r.conn.Close())
		case s := <-got:
			if asked {
				leave()
				<-done
				if !r.h.Joined {
					r.c.Note("left; task %s runs no more, and fails as lost when a worker finds out", r.h.ID)
				}
				return errInterrupted // without closing: nothing may wait for the task now
			}
			if gone = r.stop(ctx, s); gone != nil {
				leave()
			}
		}
	}
}

// conclude prints the result, after a shutdown that is under way.
func (r *running) conclude(ctx context.Context, t *gtf.Task, err error) error {
	if r.shut != nil {
		<-r.shut
	}
	if errors.Is(err, gtf.ErrStopped) { // the shutdown was quicker than the watcher
		t, err = r.conn.Client.Get(ctx, r.h.ID)
	}
	if err != nil {
		return stored(err)
	}
	return r.c.result(t)
}

func (r *running) say(text string, args ...any) { r.notes <- fmt.Sprintf(text, args...) }

// stop deals with the first signal. What it returns is not nil if there is nothing more to wait for.
func (r *running) stop(ctx context.Context, s os.Signal) error {
	if s != os.Interrupt && !r.h.Joined {
		grace := max(0, r.conn.Client.Config().Grace)
		r.say("stopping; the task may go on for %s", term.Duration(grace))
		r.shut = make(chan struct{})
		go r.shutDown(grace)
		return nil
	}
	_, somebody := gtf.PrincipalFrom(ctx)
	did, err := r.h.Cancel(ctx, &gtf.CancelOpts{Force: !somebody && !r.h.Joined}) // the host follows nothing, and may
	switch {
	case errors.Is(err, gtf.ErrFinished):
		return nil // it has ended by itself
	case err != nil && r.h.Joined:
		r.say("the task goes on: %v", err)
		return errInterrupted
	case err != nil:
		r.say("%v; Ctrl-C again leaves at once", err)
	case did.Effect == gtf.EffectAbort:
		r.say("aborting; Ctrl-C again leaves at once")
	case r.h.Joined:
		r.say("left; the task goes on for others")
		return errInterrupted
	default:
		r.say("you left, but the task goes on here for others; Ctrl-C again ends it the hard way")
	}
	return nil
}

// shutDown is what SIGTERM means to a worker, for the one task here: its outcome is stored before it returns, and the
// watcher sees it.
func (r *running) shutDown(grace time.Duration) {
	defer close(r.shut)
	ctx, cancel := context.WithTimeout(context.Background(), grace+afterGrace)
	defer cancel()
	if err := r.conn.Client.Stop(ctx); err != nil {
		r.say("%v", err)
	}
}
