package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"
)

func (c *Console) migrateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Make the database, or bring its schema up to date",
		Long: `Make the database, or bring its schema up to date. Migrations only add: programs of the version before go on working.

On SQLite every command that writes does this when it opens the file. On PostgreSQL only this command does: run it before
the programs of a new version, which refuse an older schema.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.migrate(cmd.Context()) },
	}
}

func (c *Console) migrate(ctx context.Context) (err error) {
	conn, err := c.Connect(ctx, ConnectOpts{Migrate: true, LogLevel: slog.LevelWarn})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	info, err := conn.Store.Info(ctx)
	if err != nil {
		return stored(err)
	}
	if c.json() {
		return writeJSON(c.Out, map[string]any{"kind": info.Kind, "where": info.Where, "schema": info.Schema})
	}
	_, err = fmt.Fprintf(c.Out, "%s %s is at schema %d\n", info.Kind, info.Where, info.Schema)
	return err
}
