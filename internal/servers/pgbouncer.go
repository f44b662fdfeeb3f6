package servers

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// PgBouncerOptions may be nil.
type PgBouncerOptions struct {
	// Settings are those of the section [pgbouncer], on top of pool_mode transaction, default_pool_size 20 and
	// max_client_conn 1000.
	Settings map[string]string
}

// PgBouncer is a pool of connections to a PostgreSQL server, in transaction mode: what a client sets or prepares in one
// transaction is not there in the next.
type PgBouncer struct {
	*Server
	program  string
	owner    account
	url      *url.URL // of the server behind it
	target   *pgx.ConnConfig
	settings map[string]string
}

// StartPgBouncer returns when the server behind it answers through it. Every client is let in, and is the user of
// postgresURL to the server. The error is [ErrMissing] if PgBouncer is not installed.
func StartPgBouncer(ctx context.Context, postgresURL string, o *PgBouncerOptions) (*PgBouncer, error) {
	target, err := pgx.ParseConfig(postgresURL)
	if err != nil {
		return nil, fmt.Errorf("put pgbouncer before PostgreSQL: %w", err)
	}
	found, err := find([]string{"/usr/sbin"}, "pgbouncer")
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(postgresURL)
	if err != nil {
		return nil, fmt.Errorf("put pgbouncer before PostgreSQL: %w", err)
	}
	b := &PgBouncer{program: found[0], url: u, target: target, settings: pgbouncerSettings(o)}
	if b.owner, err = unprivileged(); err != nil {
		return nil, err
	}
	dir, err := makeDir("pgbouncer", b.owner)
	if err != nil {
		return nil, err
	}
	b.Server = &Server{
		name: "pgbouncer", dir: dir, start: b.command, ping: b.answers,
		halt: [2]syscall.Signal{Fast: syscall.SIGTERM, Immediate: syscall.SIGKILL},
	}
	if err := b.open(ctx); err != nil {
		return nil, err
	}
	return b, nil
}

// URL is that of the database it was started for, through PgBouncer.
func (b *PgBouncer) URL() string { return b.URLFor(b.target.Database) }

// URLFor is the URL of another database of the same server, through PgBouncer.
func (b *PgBouncer) URLFor(database string) string {
	u := *b.url
	query := u.Query()
	for _, name := range []string{"host", "port", "dbname", "database"} {
		query.Del(name)
	}
	query.Set("sslmode", "disable")
	u.Host, u.Path, u.RawQuery = b.Addr(), "/"+database, query.Encode()
	return u.String()
}

// AdminURL is that of PgBouncer's console, for SHOW POOLS, PAUSE and the like, which know simple queries only:
// [pgx.QueryExecModeSimpleProtocol].
func (b *PgBouncer) AdminURL() string {
	return "postgres://pgbouncer@" + b.Addr() + "/pgbouncer?sslmode=disable"
}

func pgbouncerSettings(o *PgBouncerOptions) map[string]string {
	settings := map[string]string{
		"pool_mode": "transaction", "default_pool_size": "20", "max_client_conn": "1000", "ignore_startup_parameters": "extra_float_digits",
	}
	if o != nil {
		maps.Copy(settings, o.Settings)
	}
	settings["listen_addr"] = "127.0.0.1"
	settings["unix_socket_dir"] = ""
	settings["auth_type"] = "any"
	settings["admin_users"] = "pgbouncer"
	return settings
}

func (b *PgBouncer) command() (*exec.Cmd, error) {
	path := b.dir.file("pgbouncer.ini")
	b.settings["listen_port"] = strconv.Itoa(b.port)
	b.settings["pidfile"] = b.pidFile()
	lines := []string{"[databases]", "* = " + b.behind(), "[pgbouncer]"}
	lines = append(lines, arguments(b.settings, func(name, value string) []string { return []string{name + " = " + value} })...)
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return nil, err
	}
	if err := b.owner.give(path); err != nil {
		return nil, err
	}
	return b.owner.command(b.dir.path, b.program, path), nil
}

func (b *PgBouncer) pidFile() string { return b.dir.file("pid") }

// behind is how to connect to the server, in PgBouncer's words.
func (b *PgBouncer) behind() string {
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	words := "host=" + quote(b.target.Host) + " port=" + strconv.Itoa(int(b.target.Port)) + " user=" + quote(b.target.User)
	if b.target.Password != "" {
		words += " password=" + quote(b.target.Password)
	}
	return words
}

// answers tells by a file's name whether it is this server that has the port, and whether PostgreSQL is behind it.
func (b *PgBouncer) answers(ctx context.Context) error {
	rows, err := query(ctx, b.AdminURL(), "SHOW CONFIG")
	if err != nil {
		return err
	}
	ours := func(row []any) bool { return row[0] == "pidfile" && row[1] == b.pidFile() }
	if !slices.ContainsFunc(rows, ours) {
		return fmt.Errorf("%s is the port of another server", b.Addr())
	}
	_, err = query(ctx, b.URL(), "SELECT 1")
	return err
}

// query returns the rows of a simple query.
func query(ctx context.Context, url, statement string) ([][]any, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, statement)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
}
