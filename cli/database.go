package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/pgstore"
	"github.com/globaltask/gtf/store/sqlitestore"
)

const inMemory = ":memory:"

// defaultDatabase is a file in the user's data directory.
func defaultDatabase() string {
	dir := os.Getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(dir) { // the XDG specification has relative ones ignored
		home, err := os.UserHomeDir()
		if err != nil {
			return "sqlite://gtf.db"
		}
		dir = filepath.Join(home, ".local", "share")
	}
	return sqliteURL(filepath.Join(dir, "gtf", "gtf.db"))
}

func sqliteURL(path string) string {
	return "sqlite://" + strings.NewReplacer("%", "%25", "?", "%3F", "#", "%23").Replace(filepath.ToSlash(path))
}

// database is what a database URL names: a SQLite file, or a PostgreSQL database.
type database struct {
	path     string // SQLite
	postgres string // the URL
}

// parseDatabase reads a database URL. Errors never show it: it may hold a password.
func parseDatabase(text string) (database, error) {
	const allowed = "sqlite://PATH and postgres://USER:PASSWORD@HOST:PORT/DATABASE are known"
	scheme, rest, ok := strings.Cut(text, ":")
	switch {
	case text == "":
		return database{}, usage("database_url is empty: %s", allowed)
	case !ok || strings.ContainsAny(scheme, "/@"):
		return database{}, usage("database_url has no scheme: %s", allowed)
	case scheme == "postgres" || scheme == "postgresql":
		return database{postgres: text}, nil
	case scheme != "sqlite":
		return database{}, usage("database_url has the unknown scheme %q: %s", scheme, allowed)
	}
	path, err := url.PathUnescape(strings.TrimPrefix(rest, "//"))
	if err != nil {
		return database{}, usage("database_url: a %% in the path must be written %%25")
	}
	switch {
	case path == "":
		return database{}, usage("database_url names no file: %s", allowed)
	case strings.ContainsAny(rest, "?#"):
		return database{}, usage("database_url takes no parameters for SQLite; write a ? in a file name as %%3F, a # as %%23")
	}
	return database{path: filepath.FromSlash(path)}, nil
}

// openMode says what may happen to a database that is not as this program needs it.
type openMode int

const (
	openAsIs    openMode = iota // nothing: that it is missing or older is an error
	openCurrent                 // SQLite is brought up to date
	openCreate                  // SQLite is also made
	openMigrate                 // so is PostgreSQL
)

// openStore opens what a database URL names.
func (c *Console) openStore(ctx context.Context, url string, mode openMode) (gtf.Store, error) {
	db, err := parseDatabase(url)
	if err != nil {
		return nil, err
	}
	if db.postgres != "" {
		return c.openPostgres(ctx, db.postgres, mode)
	}
	return c.openSQLite(ctx, db.path, mode)
}

func (c *Console) openPostgres(ctx context.Context, url string, mode openMode) (gtf.Store, error) {
	store, err := pgstore.Open(ctx, url, &pgstore.Options{
		ChannelPrefix: c.Settings.Text("channel_prefix"), ListenURL: c.Settings.Text("postgres.listen_url"),
		Migrate: mode == openMigrate, Schema: c.Settings.Text("postgres.schema"),
	})
	if err != nil {
		return nil, &storeError{err}
	}
	return store, nil
}

func (c *Console) openSQLite(ctx context.Context, path string, mode openMode) (gtf.Store, error) {
	if path != inMemory {
		if err := c.findFile(path, mode >= openCreate); err != nil {
			return nil, err
		}
	}
	opts := &sqlitestore.Options{
		NoMigrate: mode == openAsIs && path != inMemory, Synchronous: strings.ToUpper(c.Settings.Text("sqlite.synchronous")),
	}
	store, err := sqlitestore.Open(ctx, path, opts)
	if err != nil {
		return nil, &storeError{err}
	}
	return store, nil
}

// findFile checks that the file is there, or may be made. Only the default directory is made too.
func (c *Console) findFile(path string, create bool) error {
	_, err := os.Stat(path)
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return &storeError{err}
	case !create:
		return &storeError{fmt.Errorf("the database %s does not exist; %s migrate, worker or serve makes it", path, c.name)}
	}
	dir := filepath.Dir(path)
	if !c.Settings.Given("database_url") {
		err = os.MkdirAll(dir, 0o700)
	} else {
		_, err = os.Stat(dir)
	}
	if err != nil {
		return &storeError{fmt.Errorf("the directory of the database: %w", err)}
	}
	return nil
}
