package riverengine

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"

	"github.com/globaltask/gtf"
)

// job is what River keeps of a task. Everything else is in the task's row.
type job struct {
	ID gtf.ID `json:"id"`
}

// kind is in every row: changing it strands what waits.
const kind = "gtf.task"

// Kind implements river.JobArgs.
func (job) Kind() string { return kind }

// endless is as many attempts as River can count; a job that is to be delivered again is snoozed, which counts none.
const endless = math.MaxInt16

const (
	// soon is what River's scheduler, which comes by every five seconds, would be late for: such a job is made available at
	// once, and is taken when it is due.
	soon = 6 * time.Second
	// overdue is when a task can only have been enqueued before: its job may be waiting still, and one is enough.
	overdue = 30 * time.Second
)

// Enqueue inserts jobs in the transaction, which is a pgx.Tx or a *sql.Tx. Of tasks that were due long ago it leaves out
// those whose job still waits, so that a sweep over a long queue does not fill it with copies.
func (e *Engine) Enqueue(ctx context.Context, tx gtf.Tx, jobs []gtf.Delivery) (err error) {
	switch tx := tx.Unwrap().(type) {
	case pgx.Tx:
		if jobs, err = e.missing(ctx, tx, jobs); err != nil {
			return fmt.Errorf("look for jobs of River: %w", explain(err))
		}
		err = insert(ctx, e.pgx, tx, e.config(), jobs)
	case *sql.Tx:
		err = insert(ctx, e.sql, tx, e.config(), jobs)
	default:
		err = fmt.Errorf("the transaction is a %T, must be a pgx.Tx or a *sql.Tx", tx)
	}
	if err != nil {
		return fmt.Errorf("enqueue %d jobs in River: %w", len(jobs), explain(err))
	}
	return nil
}

// insert inserts jobs by a River client of its own. A client that is kept tells of only one insert into a queue within a
// cooldown; of the others, those that commit after the next look would wait for the poll.
func insert[T any](ctx context.Context, driver riverdriver.Driver[T], tx T, cfg *river.Config, jobs []gtf.Delivery) error {
	if len(jobs) == 0 {
		return nil
	}
	client, err := river.NewClient(driver, cfg)
	if err != nil {
		return err
	}
	_, err = client.InsertManyTx(ctx, tx, params(jobs))
	return err
}

func params(jobs []gtf.Delivery) []river.InsertManyParams {
	all := make([]river.InsertManyParams, len(jobs))
	for i, j := range jobs {
		all[i] = river.InsertManyParams{Args: job{j.ID}, InsertOpts: &river.InsertOpts{
			Priority: priority(j.Priority), Queue: queueName(j.Queue), ScheduledAt: j.DueAt,
		}}
	}
	return all
}

// insertion looks at each job before it is inserted. River would stamp it by the clock of this process; here it has the due
// time of the task, by the database's clock, or else the database's now.
type insertion struct{ river.HookDefaults }

// InsertBegin implements rivertype.HookInsertBegin.
func (*insertion) InsertBegin(_ context.Context, p *rivertype.JobInsertParams) error {
	now := &time.Time{} // a zero time is what the statement takes for now()
	p.CreatedAt = now
	if p.ScheduledAt == nil {
		p.ScheduledAt = now
	}
	if p.State == rivertype.JobStateScheduled && time.Until(*p.ScheduledAt) < soon {
		p.State = rivertype.JobStateAvailable
	}
	return nil
}

// waitingFor is the task that a job waits for; NULL if it is no such job. There is an index on it, the one thing that is added
// to River's tables. Written as one expression it is the only index that the planner can take, however little it knows of a
// table that grows and shrinks.
const waitingFor = `(CASE WHEN kind = '` + kind + `' AND state IN ('available', 'retryable', 'scheduled') THEN args->>'id' END)`

func (e *Engine) index() string {
	return `CREATE INDEX IF NOT EXISTS river_job_gtf_waiting ON ` + e.prefix + `river_job (` + waitingFor + `) WHERE ` + waitingFor + ` IS NOT NULL`
}

// missing leaves out tasks that have been due for long and still have a job that waits. One that runs does not count: its
// process may be gone.
func (e *Engine) missing(ctx context.Context, tx pgx.Tx, jobs []gtf.Delivery) ([]gtf.Delivery, error) {
	var old []string
	for _, j := range jobs {
		if !j.DueAt.IsZero() && time.Since(j.DueAt) > overdue {
			old = append(old, j.ID.String())
		}
	}
	if len(old) == 0 {
		return jobs, nil
	}
	rows, err := tx.Query(ctx, `SELECT w.id FROM unnest($1::text[]) AS w (id) WHERE EXISTS (
		SELECT FROM `+e.prefix+`river_job WHERE `+waitingFor+` = w.id)`, old)
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(jobs), func(j gtf.Delivery) bool { return slices.Contains(found, j.ID.String()) }), nil
}
