package sqlitestore

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"slices"

	"github.com/globaltask/gtf"
)

// claimable is what the index tasks_queue holds; a statement that wants to use the index repeats it to the letter.
const claimable = `status = 'pending' AND mode = 'async' AND unmet = 0`

// earliest tells, for each priority of a queue, when its first task is due: nine steps into the index.
const earliest = `
SELECT p.value, (SELECT due_at FROM tasks WHERE ` + claimable + ` AND queue = ?1 AND priority = p.value
	AND type IN (SELECT value FROM json_each(?2)) ORDER BY due_at LIMIT 1) AS due
FROM json_each('[1,2,3,4,5,6,7,8,9]') p WHERE due IS NOT NULL ORDER BY 1`

const jobColumns = `id, claim, type, key, name, scope, mode, queue, max_attempts, backoff_base, backoff_max, timeout,
	declared_abortable, input, payload, creator_kind, creator_id, creator_name, due_at`

var (
	// claim has LIMIT ?7 + 0, not LIMIT ?7: SQLite plans a statement anew whenever a bare limit is bound.
	claim = `
UPDATE tasks SET status = 'in_progress', claim = claim + 1, worker = ?1, started_at = ?2, changed_at = ?2, version = ?3,
	queue_deadline = NULL
WHERE ` + gtf.SQLFrom(gtf.StatusInProgress, gtf.StatusPending) + ` AND id IN (
	SELECT id FROM tasks WHERE ` + claimable + ` AND queue = ?4 AND priority = ?5 AND due_at <= ?2
	AND type IN (SELECT value FROM json_each(?6)) ORDER BY due_at, id LIMIT ?7 + 0)
RETURNING ` + jobColumns

	resume = `
UPDATE tasks SET status = 'in_progress', claim = claim + 1, started_at = ?2, changed_at = ?2, version = ?3
WHERE id = ?4 AND worker = ?1 AND ` + gtf.SQLFrom(gtf.StatusInProgress, gtf.StatusPending) + `
RETURNING ` + jobColumns
)

// Claim first looks, outside a transaction, and writes only if something is due.
func (s *Store) Claim(ctx context.Context, p *gtf.ClaimParams) (*gtf.Claimed, error) {
	types, err := json.Marshal(p.Types)
	if err != nil {
		return nil, err
	}
	claimed := &gtf.Claimed{}
	var due []lane
	err = s.write.peek(ctx, func(t *tx) error {
		for _, q := range p.Queues {
			lanes, err := t.lanes(q, string(types))
			if err != nil {
				return err
			}
			for _, l := range lanes {
				if l.due <= t.now {
					due = append(due, l)
				} else if wait := duration(l.due - t.now); claimed.Next == 0 || wait < claimed.Next {
					claimed.Next = wait
				}
			}
		}
		return nil
	})
	if err != nil || len(due) == 0 {
		return claimed, err
	}
	err = s.write.do(ctx, func(t *tx) error {
		version, err := t.next()
		if err != nil {
			return err
		}
		free := map[string]int{}
		for _, q := range p.Queues {
			free[q.Queue] = q.Free
		}
		for _, l := range due {
			if free[l.queue] == 0 {
				continue
			}
			jobs, err := t.jobs(claim, p.Worker, t.now, version, l.queue, l.priority, string(types), free[l.queue])
			if err != nil {
				return err
			}
			free[l.queue] -= len(jobs)
			claimed.Jobs = append(claimed.Jobs, jobs...)
		}
		if len(claimed.Jobs) == 0 {
			return errNothing
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// lane is one priority of one queue, with when its first task is due.
type lane struct {
	queue    string
	priority int
	due      int64
}

func (t *tx) lanes(q gtf.QueueSlots, types string) ([]lane, error) {
	rows, err := t.query(earliest, q.Queue, types)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var lanes []lane
	for rows.Next() {
		l := lane{queue: q.Queue}
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
		version, err := t.next()
		if err != nil {
			return err
		}
		jobs, err := t.jobs(resume, worker, t.now, version, id.String())
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

// jobs runs a statement that claims, and puts what it returns in order: RETURNING has none.
func (t *tx) jobs(query string, args ...any) ([]*gtf.Job, error) {
	rows, err := t.query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	type claimed struct {
		job *gtf.Job
		due int64
	}
	var all []claimed
	for rows.Next() {
		j := &gtf.Job{}
		var id string
		var base, most, timeout, due int64
		var input, payload sql.RawBytes
		if err := rows.Scan(&id, &j.Claim, &j.Type, &j.Key, &j.Name, &j.Scope, &j.Mode, &j.Queue, &j.MaxAttempts, &base, &most,
			&timeout, &j.Abortable, &input, &payload, &j.By.Kind, &j.By.ID, &j.By.Name, &due); err != nil {
			return nil, err
		}
		if j.ID, err = gtf.ParseID(id); err != nil {
			return nil, err
		}
		j.Backoff = gtf.Backoff{Base: duration(base), Max: duration(most)}
		j.Timeout = duration(timeout)
		j.Input, j.Payload = slices.Clone([]byte(input)), slices.Clone([]byte(payload))
		j.Waited = max(0, duration(t.now-due))
		all = append(all, claimed{j, due})
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b claimed) int {
		return cmp.Or(cmp.Compare(a.due, b.due), slices.Compare(a.job.ID[:], b.job.ID[:]))
	})
	jobs := make([]*gtf.Job, len(all))
	for i := range all {
		jobs[i] = all[i].job
	}
	return jobs, nil
}
