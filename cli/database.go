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

// sqlitePath reads the path out of a database URL. Errors never show the URL: it may hold a password.
func sqlitePath(text string) (string, error) {
	const allowed = "sqlite://PATH is what this version knows"
	scheme, rest, ok := strings.Cut(text, ":")
	switch {
	case text == "":
		return "", usage("database_url is empty: %s", allowed)
	case !ok || strings.ContainsAny(scheme, "/@"):
		return "", usage("database_url has no scheme: %s", allowed)
	case scheme == "postgres" || scheme == "postgresql":
		return "", usage("database_url: PostgreSQL comes with a later version; %s", allowed)
	case scheme != "sqlite":
		return "", usage("database_url has the unknown scheme %q: %s", scheme, allowed)
	}
	path, err := url.PathUnescape(strings.TrimPrefix(rest, "//"))
	if err != nil {
		return "", usage("database_url: a %% in the path must be written %%25")
	}
	switch {
	case path == "":
		return "", usage("database_url names no file: %s", allowed)
	case strings.ContainsAny(rest, "?#"):
		return "", usage("database_url takes no parameters; write a ? in a file name as %%3F, a # as %%23")
	}
	return filepath.FromSlash(path), nil
}

// openStore opens what a database URL names.
func (c *Console) openStore(ctx context.Context, url string, create bool) (gtf.Store, error) {
	path, err := sqlitePath(url)
	if err != nil {
		return nil, err
	}
	if path != inMemory {
		if err := c.findFile(path, create); err != nil {
			return nil, err
		}
	}
	store, err := sqlitestore.Open(ctx, path, c.sqliteOptions())
	if err != nil {
		return nil, &storeError{err}
	}
	return store, nil
}

func (c *Console) sqliteOptions() *sqlitestore.Options {
	return &sqlitestore.Options{Synchronous: strings.ToUpper(c.Settings.Text("sqlite.synchronous"))}
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

// openAsIs opens an existing database and leaves its schema alone.
func (c *Console) openAsIs(ctx context.Context) (gtf.Store, error) {
	path, err := sqlitePath(c.Settings.Text("database_url"))
	if err != nil {
		return nil, err
	}
	if path != inMemory {
		if err := c.findFile(path, false); err != nil {
			return nil, err
		}
	}
	store, err := sqlitestore.Open(ctx, path, &sqlitestore.Options{NoMigrate: path != inMemory})
	if err != nil {
		return nil, &storeError{err}
	}
	return store, nil
}
