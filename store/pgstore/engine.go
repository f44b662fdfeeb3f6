package pgstore

import (
	"context"
	"time"

	"github.com/globaltask/gtf"
)

// UseEngine has e enqueue every task that becomes pending.
func (s *Store) UseEngine(e gtf.Engine) { s.engine.Store(&e) }

// enqueue hands jobs to the engine, if there is one, in the transaction that makes the tasks pending.
func (s *Store) enqueue(ctx context.Context, tx executor, of gtf.Tx, jobs []gtf.Delivery) error {
	engine := s.engine.Load()
	if engine == nil || len(jobs) == 0 {
		return nil
	}
	ids := make(uuids, len(jobs))
	for i, job := range jobs {
		ids[i] = job.ID
	}
	if err := tx.run(ctx, statement{query: "UPDATE gtf.tasks SET enqueued_at = statement_timestamp() WHERE id = ANY ($1::uuid[])", args: []any{ids}}); err != nil {
		return err
	}
	return (*engine).Enqueue(ctx, of, jobs)
}

const jobless = `
SELECT id, queue, priority, due_at FROM gtf.tasks
WHERE status = 'pending' AND mode = 'async' AND unmet = 0 AND due_at <= statement_timestamp()
	AND coalesce(enqueued_at, '-infinity') <= statement_timestamp() - $1::bigint * interval '1 microsecond'
	AND due_at <= statement_timestamp() - least($1::bigint, $2::bigint) * interval '1 microsecond'
LIMIT $3 FOR UPDATE SKIP LOCKED`

// justDue is how long a task that became due may wait for its job before that counts as lost.
const justDue = time.Minute

// Requeue enqueues what nobody took.
func (s *Store) Requeue(ctx context.Context, age time.Duration, limit int) (int, error) {
	var jobs []gtf.Delivery
	err := s.transaction(ctx, withRows, lockTimeout, func(ctx context.Context, tx pgxTx) error {
		err := tx.run(ctx, statement{query: jobless, args: []any{micros(age), micros(justDue), limit}, row: func(row scanner) error {
			var job gtf.Delivery
			if err := row(into(&job.ID), &job.Queue, &job.Priority, &job.DueAt); err != nil {
				return err
			}
			jobs = append(jobs, job)
			return nil
		}})
		if err != nil {
			return err
		}
		return s.enqueue(ctx, tx, Tx(tx.tx), jobs)
	})
	return len(jobs), err
}
