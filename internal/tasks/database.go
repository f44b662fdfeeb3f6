package tasks

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/globaltask/gtf"
)

// source is a database to read from. Its errors never hold the URL: it may contain a password.
type source struct {
	*sql.DB
	// interruptible makes a query whose whole evaluation ends when its context does.
	interruptible func(query string) string
}

// checkDatabaseURL tells whether openSource knows such a URL.
func checkDatabaseURL(bad *problems, databaseURL string) {
	scheme, rest, found := strings.Cut(databaseURL, "://")
	switch {
	case !found:
		bad.add("database_url", "is not a URL: must begin with sqlite:// or postgres://")
	case scheme != "sqlite" && scheme != "postgres" && scheme != "postgresql":
		bad.add("database_url", "has an unknown scheme: must begin with sqlite:// or postgres://")
	case scheme == "sqlite" && rest == "":
		bad.add("database_url", "names no file: must be sqlite:///path or sqlite://path")
	}
}

func openSource(databaseURL string) (*source, error) {
	if path, ok := strings.CutPrefix(databaseURL, "sqlite://"); ok {
		return openSQLite(path)
	}
	return openPostgres(databaseURL)
}

// openSQLite opens a file read-only; it must exist.
func openSQLite(path string) (*source, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if _, err := os.Stat(path); err != nil { // SQLite's own words are "unable to open database file"
		return nil, fmt.Errorf("open the database: %w", err)
	}
	file := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: "mode=ro&_busy_timeout=10000"}
	db, err := sql.Open("sqlite", file.String())
	if err != nil {
		return nil, fmt.Errorf("open the database %s: %w", path, err)
	}
	return &source{db, materialized}, nil
}

// materialized makes SQLite evaluate the query before it returns the first row. The driver heeds the context only until
// then: afterwards a row that takes a minute to find could not be interrupted, whereas reading what is already found takes
// no time. The price is a temporary copy of the result. In passing, nothing but one SELECT (or VALUES) is accepted.
func materialized(query string) string {
	query = strings.TrimRight(query, "; \t\r\n")
	return "WITH export AS MATERIALIZED (\n" + query + "\n) SELECT * FROM export" // on lines of their own: a query may end in a comment
}

// openPostgres opens nothing yet; the first query connects.
func openPostgres(databaseURL string) (*source, error) {
	cfg, err := pgx.ParseConfig(databaseURL)
	if err != nil { // not told: it quotes the URL, and finds the password only in one that is well-formed
		return nil, gtf.NoRetry(errors.New("database_url: is not a PostgreSQL URL that can be understood"))
	}
	// By default the driver returns first and has the server cancel the query afterwards, in the background: the task would
	// end, and maybe the process with it, before the server has heard of it.
	cfg.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: 5 * time.Second}
	}
	return &source{stdlib.OpenDB(*cfg), func(query string) string { return query }}, nil
}
