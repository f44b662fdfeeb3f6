package servers

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// PostgresOptions may be nil.
type PostgresOptions struct {
	// NoSync does not wait for the disk: everything is faster, a killed server recovers as ever, and only when the
	// machine fails the data is lost. Default: it waits.
	NoSync bool
	// Settings are those of postgresql.conf, on top of max_connections 300 and shared_buffers 128MB, such as
	// "shared_preload_libraries": "pg_stat_statements".
	Settings map[string]string
}

// Postgres is a PostgreSQL server. Everybody on this machine may connect as its superuser postgres, without a password.
type Postgres struct {
	*Server
	programs struct{ initdb, postgres string }
	owner    account
	settings map[string]string
}

// StartPostgres makes a new database cluster and returns when it answers. The error is [ErrMissing] if PostgreSQL is not
// installed.
func StartPostgres(ctx context.Context, o *PostgresOptions) (*Postgres, error) {
	if o == nil {
		o = &PostgresOptions{}
	}
	found, err := find(debianDirs(), "postgres", "initdb")
	if err != nil {
		return nil, err
	}
	p := &Postgres{settings: postgresSettings(o)}
	p.programs.postgres, p.programs.initdb = found[0], found[1]
	if p.owner, err = unprivileged(); err != nil {
		return nil, err
	}
	dir, err := makeDir("postgres", p.owner)
	if err != nil {
		return nil, err
	}
	p.Server = &Server{
		name: "postgres", dir: dir, start: p.command, ping: p.answers, finish: p.freeMemory,
		halt: [2]syscall.Signal{Fast: syscall.SIGINT, Immediate: syscall.SIGQUIT},
	}
	if err := p.initdb(ctx); err != nil {
		_ = p.Stop()
		return nil, err
	}
	if err := p.open(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// URL is that of the database postgres, which exists from the beginning.
func (p *Postgres) URL() string { return p.URLFor("postgres") }

// URLFor is the URL of the database with that name.
func (p *Postgres) URLFor(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User("postgres"), Host: p.Addr(), Path: "/" + database, RawQuery: "sslmode=disable"}
	return u.String()
}

// CreateDatabase makes an empty database.
func (p *Postgres) CreateDatabase(ctx context.Context, name string) error {
	if err := p.exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()+" TEMPLATE template0"); err != nil {
		return fmt.Errorf("create database %s: %w", name, err)
	}
	return nil
}

// DropDatabase removes the database, if there is one, and ends the connections to it.
func (p *Postgres) DropDatabase(ctx context.Context, name string) error {
	if err := p.exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("drop database %s: %w", name, err)
	}
	return nil
}

func postgresSettings(o *PostgresOptions) map[string]string {
	settings := map[string]string{
		"max_connections": "300",
		"shared_buffers":  "128MB",
		"log_line_prefix": "%m [%p] ",
	}
	if o.NoSync {
		settings["fsync"] = "off"
		settings["full_page_writes"] = "off"
	}
	maps.Copy(settings, o.Settings)
	settings["listen_addresses"] = "127.0.0.1"
	settings["unix_socket_directories"] = ""
	settings["dynamic_shared_memory_type"] = "mmap" // files of its own directory, which go with it
	return settings
}

func (p *Postgres) initdb(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err // it takes a second, and is not interrupted
	}
	cmd := p.owner.command(p.dir.path, p.programs.initdb, "--pgdata", p.dir.file("data"), "--username=postgres", "--auth=trust",
		"--encoding=UTF8", "--locale=C", "--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run %s: %w:\n%s", p.programs.initdb, err, tail(string(out), 20))
	}
	return nil
}

func (p *Postgres) command() (*exec.Cmd, error) {
	args := []string{"-D", p.dir.file("data"), "-p", strconv.Itoa(p.port)}
	args = append(args, arguments(p.settings, func(name, value string) []string { return []string{"-c", name + "=" + value} })...)
	return p.owner.command(p.dir.path, p.programs.postgres, args...), nil
}

// answers tells by the directory whether it is this server that has the port.
func (p *Postgres) answers(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, p.URL())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var data string
	if err := conn.QueryRow(ctx, "SHOW data_directory").Scan(&data); err != nil {
		return err
	}
	if data != p.dir.file("data") {
		return fmt.Errorf("%s is the port of another server, in %s", p.Addr(), data)
	}
	return nil
}

func (p *Postgres) exec(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, p.URL())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

// freeMemory removes the shared memory of a server that was killed and not started again. Others have removed it.
func (p *Postgres) freeMemory() {
	text, err := os.ReadFile(p.dir.file("data/postmaster.pid"))
	if err != nil {
		return
	}
	lines := strings.Split(string(text), "\n")
	if key := strings.Fields(lines[min(6, len(lines)-1)]); len(key) == 2 {
		_ = exec.Command("ipcrm", "-m", key[1]).Run() //nolint:noctx // takes no time, and without the program a few bytes stay
	}
}
