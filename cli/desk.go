package cli

import (
	"context"
	"errors"
	"iter"
	"log/slog"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi"
)

// deskSettings say where tasks are asked for, if not in the database.
func deskSettings() []Setting {
	return withFiles([]Setting{
		{Name: "server", Kind: KindURL, Commands: deskCommands,
			Usage: "ask a server over HTTP instead of the database: the URL that gtf serve is reached at, with its serve.base."},
		{Name: "token", Secret: true, Commands: deskCommands, Usage: "with server: the bearer token that says who asks."},
	})
}

// deskCommands are those that a server can answer.
var deskCommands = []string{"ls", "show", "watch", "cancel", "logs"}

// desk is where tasks are asked for: the configured store, or a server.
type desk interface {
	watcher

	Cancel(ctx context.Context, id gtf.ID, opts *gtf.CancelOpts) (*gtf.Canceled, error)
	Get(ctx context.Context, id gtf.ID) (*gtf.Task, error)
	List(ctx context.Context, params *gtf.ListParams) (*gtf.TaskPage, error)
	Logs(ctx context.Context, id gtf.ID, after int64, limit int) ([]gtf.LogLine, error)
}

// watcher yields a task at every change.
type watcher interface {
	Watch(ctx context.Context, id gtf.ID) iter.Seq2[*gtf.Task, error]
}

var (
	_ desk = ownDesk{}
	_ desk = (*httpapi.Client)(nil)
)

// ownDesk is the client of a store.
type ownDesk struct{ *gtf.Client }

// Watch implements watcher.
func (d ownDesk) Watch(ctx context.Context, id gtf.ID) iter.Seq2[*gtf.Task, error] {
	return d.Attach(id).Watch(ctx)
}

// atDesk runs a command where tasks are asked for, with a context that says on whose behalf.
func (c *Console) atDesk(ctx context.Context, w *who, command func(ctx context.Context, d desk) error) (err error) {
	if server := c.Settings.Text("server"); server != "" {
		return c.atServer(ctx, server, w, command)
	}
	ctx, err = w.in(ctx)
	if err != nil {
		return err
	}
	conn, err := c.Connect(ctx, ConnectOpts{LogLevel: slog.LevelWarn})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return command(ctx, ownDesk{conn.Client})
}

func (c *Console) atServer(ctx context.Context, server string, w *who, command func(ctx context.Context, d desk) error) error {
	if w.given() {
		return usage("--as, --admin and --guest are for databases: on a server, the token says who asks")
	}
	token, err := c.secret("token")
	if err != nil {
		return err
	}
	client, err := httpapi.NewClient(server, &httpapi.ClientOpts{Token: token})
	if err != nil {
		return usage("%w", err)
	}
	info, err := client.Info(ctx)
	if err != nil {
		return stored(err)
	}
	me := info.User
	return command(gtf.WithPrincipal(ctx, gtf.Principal{Kind: me.Kind, ID: me.ID, Name: me.Name, Admin: me.Admin}), client)
}
