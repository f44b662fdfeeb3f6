package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	start "github.com/globaltask/gtf/internal/servers"
	"github.com/jackc/pgx/v5"
	goredis "github.com/redis/go-redis/v9"
)

// servers are those that the contenders use.
type servers struct {
	admin       *pgx.Conn
	databaseURL string
	redis       *goredis.Client
	redisURL    string
	stop        []func() error // of what was started here
}

// open connects to the servers that the chosen contenders need, and starts those that are not given.
func open(ctx context.Context, opts *options) (*servers, error) {
	s := &servers{databaseURL: opts.databaseURL, redisURL: opts.redisURL}
	needs := func(on engine) bool {
		return slices.ContainsFunc(opts.only, func(c contender) bool { return c.On() == on })
	}
	var err error
	if needs(postgres) {
		err = s.openPostgres(ctx)
	}
	if err == nil && needs(redis) {
		err = s.openRedis(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *servers) openPostgres(ctx context.Context) (err error) {
	if s.databaseURL == "" {
		started, err := start.StartPostgres(ctx, nil)
		if err != nil {
			return err
		}
		s.stop = append(s.stop, started.Stop)
		s.databaseURL = started.URL()
	}
	if s.admin, err = pgx.Connect(ctx, s.databaseURL); err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	return nil
}

func (s *servers) openRedis(ctx context.Context) error {
	if s.redisURL == "" {
		started, err := start.StartRedis(ctx, nil)
		if err != nil {
			return err
		}
		s.stop = append(s.stop, started.Stop)
		s.redisURL = started.URL()
	}
	options, err := goredis.ParseURL(s.redisURL)
	if err != nil {
		return fmt.Errorf("parse the URL of Redis: %w", err)
	}
	client := goredis.NewClient(options)
	keys, err := client.DBSize(ctx).Result()
	if err == nil && keys > 0 {
		err = fmt.Errorf("it has %d keys, which would be flushed: give an empty one", keys)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("look into Redis: %w", err), client.Close())
	}
	s.redis = client
	return nil
}

// Close ends the connections, and the servers that were started here.
func (s *servers) Close() (err error) {
	if s.redis != nil {
		err = errors.Join(s.flush(context.Background()), s.redis.Close())
	}
	if s.admin != nil {
		err = errors.Join(err, s.admin.Close(context.Background()))
	}
	for _, stop := range s.stop {
		err = errors.Join(err, stop())
	}
	return err
}

func (s *servers) flush(ctx context.Context) error {
	if err := s.redis.FlushDB(ctx).Err(); err != nil {
		return fmt.Errorf("flush Redis: %w", err)
	}
	return nil
}

// empty makes an empty database for a contender.
func (s *servers) empty(ctx context.Context, key string) (*database, error) {
	name := "gtf_bench_" + strings.ReplaceAll(key, "-", "_")
	quoted := pgx.Identifier{name}.Sanitize()
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + quoted + " WITH (FORCE)", "CREATE DATABASE " + quoted} {
		if _, err := s.admin.Exec(ctx, statement); err != nil {
			return nil, fmt.Errorf("make database %s: %w", name, err)
		}
	}
	u, err := url.Parse(s.databaseURL)
	if err != nil {
		return nil, fmt.Errorf("parse the database's URL: %w", err)
	}
	u.Path = "/" + name
	conn, err := pgx.Connect(ctx, u.String())
	if err != nil {
		return nil, fmt.Errorf("connect to database %s: %w", name, err)
	}
	return &database{admin: s.admin, conn: conn, name: quoted, url: u.String()}, nil
}

// database is that of one contender, looked at by a connection of its own.
type database struct {
	admin *pgx.Conn
	conn  *pgx.Conn
	name  string // quoted
	url   string
}

// tidy does what autovacuum and the checkpointer would do sooner or later, lest they do it in the midst of somebody's
// measurement.
func (d *database) tidy(ctx context.Context) error {
	for _, statement := range []string{"VACUUM (ANALYZE)", "CHECKPOINT"} {
		if _, err := d.conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

func (d *database) drop(ctx context.Context) error {
	err := d.conn.Close(ctx)
	_, dropped := d.admin.Exec(ctx, "DROP DATABASE "+d.name+" WITH (FORCE)")
	return errors.Join(err, dropped)
}

// position is how far the server's log is written; nobody else writes.
func (d *database) position(ctx context.Context) (int64, error) {
	var bytes int64
	if err := d.conn.QueryRow(ctx, "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint").Scan(&bytes); err != nil {
		return 0, fmt.Errorf("ask for the position of the log: %w", err)
	}
	return bytes, nil
}

// log adds up what is written to the log.
type log struct {
	*database
	from, sum int64
}

// written begins to count; nil for a contender that is not on PostgreSQL.
func (s *subject) written(ctx context.Context) (*log, error) {
	if s.watch == nil {
		return nil, nil //nolint:nilnil // a log of nothing, which its methods know
	}
	from, err := s.watch.position(ctx)
	return &log{s.watch, from, 0}, err
}

// pause has the database analysed without counting it: a queue that grows gets that from autovacuum, and plans for an
// empty one would be unfair.
func (l *log) pause(ctx context.Context) error {
	if l == nil {
		return nil
	}
	to, err := l.position(ctx)
	if err != nil {
		return err
	}
	l.sum += to - l.from
	if _, err := l.conn.Exec(ctx, "ANALYZE"); err != nil {
		return fmt.Errorf("analyse: %w", err)
	}
	l.from, err = l.position(ctx)
	return err
}

func (l *log) bytes(ctx context.Context) (int64, error) {
	to, err := l.position(ctx)
	return l.sum + to - l.from, err
}

// commit is the median time of a transaction that inserts one row: what everything on this machine has to pay.
func (s *servers) commit(ctx context.Context) (time.Duration, error) {
	if _, err := s.admin.Exec(ctx, "CREATE TABLE IF NOT EXISTS gtf_bench_commit (n int)"); err != nil {
		return 0, fmt.Errorf("make a table: %w", err)
	}
	took := make([]time.Duration, 500)
	for i := range took {
		began := time.Now()
		if _, err := s.admin.Exec(ctx, "INSERT INTO gtf_bench_commit VALUES ($1)", i); err != nil {
			return 0, fmt.Errorf("insert a row: %w", err)
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	_, err := s.admin.Exec(ctx, "DROP TABLE gtf_bench_commit")
	return took[len(took)/2], err
}
