// Package audit has the database of a torture test write down every change of the table of tasks, by triggers, and reads it.
package audit

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	_ "modernc.org/sqlite"             // the driver sqlite

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/torture/check"
	"github.com/globaltask/gtf/internal/torture/load"
)

// Database is the conductor's own way into the store.
type Database struct {
	db     *sql.DB
	sqlite bool
}

//go:embed sqlite.sql
var sqliteSchema string

//go:embed postgres.sql
var postgresSchema string

// Open opens the database of a store. The schema of gtf must be there; nothing may have been submitted.
func Open(ctx context.Context, store string) (*Database, error) {
	d := &Database{}
	path, ok := strings.CutPrefix(store, load.SQLiteScheme)
	driver, schema := "pgx", postgresSchema
	if ok {
		d.sqlite = true
		driver, schema, store = "sqlite", sqliteSchema, "file:"+path+"?_pragma=busy_timeout(20000)&_txlock=immediate"
	}
	var err error
	if d.db, err = sql.Open(driver, store); err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	d.db.SetMaxOpenConns(4)
	if _, err := d.db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("install the triggers: %w", err), d.db.Close())
	}
	return d, nil
}

// Close closes the connections.
func (d *Database) Close() error { return d.db.Close() }

// Probe asks for what every write needs: an answer and, of SQLite, the lock. It changes nothing.
func (d *Database) Probe(ctx context.Context) error {
	if !d.sqlite {
		return d.db.PingContext(ctx)
	}
	return d.Hog(ctx, 0)
}

// Hog keeps the one write lock of SQLite for a while.
func (d *Database) Hog(ctx context.Context, length time.Duration) error {
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if length > 0 {
		select {
		case <-time.After(length):
		case <-ctx.Done():
		}
	}
	if err := tx.Rollback(); !errors.Is(err, sql.ErrTxDone) { // done by the end of ctx
		return err
	}
	return nil
}

// Terminate ends the connections of all others.
func (d *Database) Terminate(ctx context.Context) (n int, err error) {
	err = d.db.QueryRowContext(ctx, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`).Scan(&n)
	return n, err
}

// Transaction is one that has been going on for a while at a PostgreSQL server.
type Transaction struct {
	PID   int
	Age   time.Duration
	State string
	Query string
}

// Lasting lists the transactions that are older than a time: they hold locks.
func (d *Database) Lasting(ctx context.Context, least time.Duration) (all []Transaction, err error) {
	rows, err := d.db.QueryContext(ctx, `SELECT pid, (extract(epoch FROM clock_timestamp() - xact_start) * 1000000)::bigint,
		concat_ws(' ', state, wait_event_type, wait_event, pg_blocking_pids(pid)::text), regexp_replace(left(query, 300), '\s+', ' ', 'g')
		FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
			AND xact_start < clock_timestamp() - $1::bigint * interval '1 microsecond'`, least.Microseconds())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var t Transaction
		var micros int64
		if err := rows.Scan(&t.PID, &micros, &t.State, &t.Query); err != nil {
			return nil, err
		}
		t.Age = time.Duration(micros) * time.Microsecond
		all = append(all, t)
	}
	return all, rows.Err()
}

// Active counts the tasks that have not ended.
func (d *Database) Active(ctx context.Context) (n int, err error) {
	table := "gtf.tasks"
	if d.sqlite {
		table = "tasks"
	}
	err = d.db.QueryRowContext(ctx, "SELECT count(*) FROM "+table+" WHERE status IN ('pending', 'in_progress', 'aborting')").Scan(&n)
	return n, err
}

// Changes reads all of them; clock turns the wall clock's microseconds into the time of the journals.
func (d *Database) Changes(ctx context.Context, clock func(wall int64) int64) (changes []check.Change, err error) {
	rows, err := d.db.QueryContext(ctx, `SELECT at, task, before, after, dedup_key, claim, coalesce(worker, ''), coalesce(payload, ''), progress, sealed
		FROM torture_changes ORDER BY seq`)
	if err != nil {
		return nil, fmt.Errorf("read the changes: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var ch check.Change
		var from, to string
		if err := rows.Scan(&ch.At, &ch.Task, &from, &to, &ch.Key, &ch.Claim, &ch.Worker, &ch.Payload, &ch.Progress, &ch.Sealed); err != nil {
			return nil, fmt.Errorf("read the changes: %w", err)
		}
		ch.At, ch.From, ch.To = clock(ch.At), gtf.Status(from), gtf.Status(to)
		changes = append(changes, ch)
	}
	return changes, rows.Err()
}

// Leases reads who kept house.
func (d *Database) Leases(ctx context.Context, clock func(wall int64) int64) (leases []check.Lease, err error) {
	rows, err := d.db.QueryContext(ctx, "SELECT at, token, until FROM torture_leases ORDER BY seq")
	if err != nil {
		return nil, fmt.Errorf("read the leases: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var l check.Lease
		if err := rows.Scan(&l.At, &l.Token, &l.Until); err != nil {
			return nil, fmt.Errorf("read the leases: %w", err)
		}
		l.At, l.Until = clock(l.At), clock(l.Until)
		leases = append(leases, l)
	}
	return leases, rows.Err()
}

// Tasks reads them all, as the host sees them.
func Tasks(ctx context.Context, store gtf.Store) (tasks []*gtf.Task, err error) {
	c, err := gtf.New(store, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Stop(ctx)) }()
	p := gtf.ListParams{PageSize: 100}
	for {
		page, err := c.List(ctx, &p)
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, page.Tasks...)
		if p.Cursor = page.Next; p.Cursor == "" {
			return tasks, nil
		}
	}
}
