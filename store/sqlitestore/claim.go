package sqlitestore

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/globaltask/gtf"
)

// claimable is what the index tasks_queue holds; a statement that wants to use the index repeats it to the letter.
const claimable = `status = 'pending' AND mode = 'async' AND unmet = 0`

// earliest tells, for each priority of a queue, when its first task is due: nine steps into the index. TYPES becomes the
// types of a worker, so that each worker has statements of its own, prepared once.
const earliest = `
WITH p (priority) AS (VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9))
SELECT priority, (SELECT due_at FROM tasks t WHERE ` + claimable + ` AND queue = ?1 AND t.priority = p.priority
	AND type IN (TYPES) ORDER BY due_at LIMIT 1) AS due
FROM p WHERE due IS NOT NULL ORDER BY priority`

const jobColumns = `rowid, id, claim, type, key, name, scope, mode, queue, max_attempts, backoff_base, backoff_max, timeout,
	declared_abortable, input, payload, creator_kind, creator_id, creator_name, due_at, trace`

const (
	// candidates are selected and then taken one by one: with the write lock held that is one step, and cheaper than an
	// UPDATE … RETURNING. It has LIMIT ?4 + 0, for SQLite plans a statement anew whenever a bare limit is bound.
	candidates = `SELECT ` + jobColumns + ` FROM tasks WHERE ` + claimable + ` AND queue = ?1 AND priority = ?2 AND due_at <= ?3
	AND type IN (TYPES) ORDER BY due_at, id LIMIT ?4 + 0`

	bound = `SELECT ` + jobColumns + ` FROM tasks WHERE id = ?1 AND worker = ?2 AND status = 'pending'`
)

var take = `
UPDATE tasks SET status = 'in_progress', claim = ?2, worker = ?3, started_at = ?4, changed_at = ?4, version = ?5,
	queue_deadline = NULL
WHERE rowid = ?1 AND ` + gtf.SQLFrom(gtf.StatusInProgress, gtf.StatusPending)

// Claim first looks, outside a transaction, and writes only if something is due.
func (s *Store) Claim(ctx context.Context, p *gtf.ClaimParams) (*gtf.Claimed, error) {
	o := offer{
		earliest: withTypes(earliest, p.Types), candidates: withTypes(candidates, p.Types), free: map[string]int{},
	}
	for _, q := range p.Queues {
		o.queues = append(o.queues, q.Queue)
		o.free[q.Queue] = q.Free
	}
	claimed := &gtf.Claimed{}
	var due []lane
	err := s.write.peek(ctx, func(t *tx) (err error) {
		due, claimed.Next, err = t.lanes(&o)
		return err
	})
	if err != nil || len(due) == 0 {
		return claimed, err
	}
	err = s.write.do(ctx, func(t *tx) error {
		for _, l := range due {
			jobs, err := t.claim(p.Worker, o.candidates, l.queue, l.priority, t.now, o.free[l.queue])
			if err != nil {
				return err
			}
			o.free[l.queue] -= len(jobs)
			claimed.Jobs = append(claimed.Jobs, jobs...)
		}
		_, claimed.Next, err = t.lanes(&o) // behind what was taken, others may become due
		return err
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// offer is what a worker has free.
type offer struct {
	earliest, candidates string // the statements for its types
	queues               []string
	free                 map[string]int
}

// withTypes puts the types of a worker into a statement, quoted.
func withTypes(query string, types []string) string {
	quoted := make([]string, len(types))
	for i, typ := range types {
		quoted[i] = "'" + strings.ReplaceAll(typ, "'", "''") + "'"
	}
	return strings.Replace(query, "TYPES", strings.Join(quoted, ", "), 1)
}

// lane is one priority of one queue, with when its first task is due.
type lane struct {
	queue    string
	priority int
	due      int64
}

// lanes finds, in the queues with free slots, what is due, and how long until the first of the others is.
func (t *tx) lanes(o *offer) (due []lane, next time.Duration, err error) {
	for _, queue := range o.queues {
		if o.free[queue] == 0 {
			continue
		}
		lanes, err := t.lanesOf(queue, o.earliest)
		if err != nil {
			return nil, 0, err
		}
		for _, l := range lanes {
			if l.due <= t.now {
				due = append(due, l)
			} else if wait := duration(l.due - t.now); next == 0 || wait < next {
				next = wait
			}
		}
	}
	return due, next, nil
}

func (t *tx) lanesOf(queue, earliest string) (lanes []lane, err error) {
	rows, err := t.query(earliest, queue)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		l := lane{queue: queue}
		if err := rows.Scan(&l.priority, &l.due); err != nil {
			return nil, err
		}
		lanes = append(lanes, l)
	}
	return lanes, rows.Err()
}

// Resume begins the next attempt of a sync task in its own process.
func (s *Store) Resume(ctx context.Context, id gtf.ID, worker string) (*gtf.Job, error) {
	var job *gtf.Job
	err := s.write.do(ctx, func(t *tx) error {
		jobs, err := t.claim(worker, bound, id.String(), worker)
		if err != nil {
			return err
		}
		if len(jobs) == 0 {
			return errNothing
		}
		job = jobs[0]
		return nil
	})
	return job, err
}

// claim takes what a query selects, in its order.
func (t *tx) claim(worker, query string, args ...any) ([]*gtf.Job, error) {
	jobs, rowids, err := t.jobs(query, args...)
	if err != nil || len(jobs) == 0 {
		return nil, err
	}
	version, err := t.next()
	if err != nil {
		return nil, err
	}
	for i, j := range jobs {
		j.Claim++
		if _, err := t.exec(take, rowids[i], j.Claim, worker, t.now, version); err != nil {
			return nil, err
		}
	}
	return jobs, nil
}

func (t *tx) jobs(query string, args ...any) (jobs []*gtf.Job, rowids []int64, err error) {
	rows, err := t.query(query, args...)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		j := &gtf.Job{}
		var id string
		var rowid, base, most, timeout, due int64
		var input, payload sql.RawBytes
		if err := rows.Scan(&rowid, &id, &j.Claim, &j.Type, &j.Key, &j.Name, &j.Scope, &j.Mode, &j.Queue, &j.MaxAttempts, &base, &most,
			&timeout, &j.Abortable, &input, &payload, &j.By.Kind, &j.By.ID, &j.By.Name, &due, &j.Trace); err != nil {
			return nil, nil, err
		}
		if j.ID, err = gtf.ParseID(id); err != nil {
			return nil, nil, err
		}
		j.Backoff = gtf.Backoff{Base: duration(base), Max: duration(most)}
		j.Timeout = duration(timeout)
		j.Input, j.Payload = slices.Clone([]byte(input)), slices.Clone([]byte(payload))
		j.Waited = max(0, duration(t.now-due))
		jobs, rowids = append(jobs, j), append(rowids, rowid)
	}
	return jobs, rowids, rows.Err()
}
