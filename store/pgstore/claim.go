package pgstore

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/globaltask/gtf"
)

// claimable is what the index tasks_queue holds; a statement that wants to use the index repeats it.
const claimable = `status = 'pending' AND mode = 'async' AND unmet = 0`

const jobColumns = `t.id, t.claim, t.type, t.key, t.name, t.scope, t.mode, t.queue, t.priority, t.max_attempts, t.backoff_base, t.backoff_max,
	t.timeout, t.declared_abortable, t.input, t.payload, t.creator_kind, t.creator_id, t.creator_name, t.trace, t.due_at, t.started_at`

// take makes a pending task the worker's. The rows are chosen in an array, so that they are chosen once: joined, the planner
// may run the choice again and take more than there are slots.
var take = `
UPDATE gtf.tasks t SET status = 'in_progress', claim = t.claim + 1, worker = $1, started_at = statement_timestamp(),
	changed_at = statement_timestamp(), changed_xid = pg_current_xact_id(), version = t.version + 1, queue_deadline = NULL
WHERE ` + gtf.SQLFrom(gtf.StatusInProgress, gtf.StatusPending)

// claim walks the queues' priorities in order, each in the order of due times: what is due later costs nothing, and the dead
// versions of what was claimed before are passed over by beginning at a mark. If slots are left, it also says when the first
// of the others is due.
var claim = `
WITH taken AS (` + take + ` AND t.id = ANY (ARRAY(
		SELECT c.id FROM unnest($2::text[], $3::bigint[]) WITH ORDINALITY AS q (queue, free, n), LATERAL (
			SELECT l.id FROM generate_series(1, 9) AS p (priority), LATERAL (
				SELECT id FROM gtf.tasks WHERE ` + claimable + ` AND queue = q.queue AND priority = p.priority AND type = ANY ($4::text[])
					AND due_at >= ($5::timestamptz[])[(q.n - 1) * 9 + p.priority] AND due_at <= statement_timestamp()
				ORDER BY due_at, id LIMIT q.free FOR UPDATE SKIP LOCKED
			) l LIMIT q.free
		) c
	)) RETURNING ` + jobColumns + `
), later AS (
	SELECT CASE WHEN (SELECT count(*) FROM taken) < (SELECT sum(free) FROM unnest($3::bigint[]) AS s (free)) THEN (
		SELECT min(l.due_at) FROM unnest($2::text[]) AS q (queue), generate_series(1, 9) AS p (priority), LATERAL (
			SELECT due_at FROM gtf.tasks WHERE ` + claimable + ` AND queue = q.queue AND priority = p.priority AND type = ANY ($4::text[])
				AND due_at > statement_timestamp() ORDER BY due_at LIMIT 1
		) l
	) END AS due_at
)
SELECT (extract(epoch FROM later.due_at - statement_timestamp()) * 1000000)::bigint, t.id IS NOT NULL, ` + jobColumns + `
FROM later LEFT JOIN taken t ON true`

var claimOnly = take + ` AND t.id = ANY (ARRAY(
	SELECT id FROM gtf.tasks WHERE ` + claimable + ` AND id = ANY ($2::uuid[]) AND type = ANY ($3::text[]) AND due_at <= statement_timestamp()
	ORDER BY id FOR UPDATE SKIP LOCKED
)) RETURNING ` + jobColumns

var resume = take + ` AND t.id = $2 AND t.worker = $1 RETURNING ` + jobColumns

// Claim takes what is due, in order.
func (s *Store) Claim(ctx context.Context, p *gtf.ClaimParams) (*gtf.Claimed, error) {
	var c claims
	if len(p.Only) > 0 {
		if err := s.shared(ctx, withRows, func() []statement {
			c = nil
			return []statement{{claimOnly, []any{p.Worker, uuids(p.Only), p.Types}, c.add}}
		}); err != nil {
			return nil, err
		}
		return &gtf.Claimed{Jobs: c.jobs()}, nil
	}
	queues, free, slots := make([]string, len(p.Queues)), make([]int64, len(p.Queues)), 0
	for i, q := range p.Queues {
		queues[i], free[i] = q.Queue, int64(q.Free)
		slots += q.Free
	}
	var next *int64
	from, again := s.marks.from(p.Worker, queues)
	err := s.shared(ctx, withRows, func() []statement {
		c, next = nil, nil
		return []statement{{claim, []any{p.Worker, queues, free, p.Types, from}, func(row scanner) error {
			found := false
			if err := row(append([]any{&next, &found}, skipped...)...); err != nil || !found {
				return err
			}
			return c.add(func(dest ...any) error { return row(append([]any{nil, nil}, dest...)...) })
		}}}
	})
	if err != nil {
		return nil, err
	}
	s.marks.move(p.Worker, c)
	claimed := &gtf.Claimed{Jobs: c.jobs()}
	if next != nil {
		claimed.Next = max(duration(*next), time.Millisecond)
	}
	if again > 0 && len(c) < slots && (next == nil || again < claimed.Next) {
		claimed.Next = again // what was committed late lies behind the mark, and its signal has been heard already
	}
	return claimed, nil
}

// Resume begins the next attempt of a sync task in its own process.
func (s *Store) Resume(ctx context.Context, id gtf.ID, worker string) (*gtf.Job, error) {
	var c claims
	if err := s.alone(ctx, withRows, statement{resume, []any{worker, uuid(id)}, c.add}); err != nil || len(c) == 0 {
		return nil, err
	}
	return c[0].job, nil
}

// claims are what a statement took, in no order.
type claims []claimedJob

type claimedJob struct {
	job      *gtf.Job
	priority int
	due      time.Time
}

func (c *claims) add(row scanner) error {
	j := &gtf.Job{}
	one := claimedJob{job: j}
	var base, most, timeout int64
	var started time.Time
	if err := row(into(&j.ID), &j.Claim, &j.Type, &j.Key, &j.Name, &j.Scope, &j.Mode, &j.Queue, &one.priority, &j.MaxAttempts, &base, &most,
		&timeout, &j.Abortable, (*[]byte)(&j.Input), (*[]byte)(&j.Payload), &j.By.Kind, &j.By.ID, &j.By.Name, &j.Trace, &one.due, &started); err != nil {
		return err
	}
	j.Backoff = gtf.Backoff{Base: duration(base), Max: duration(most)}
	j.Timeout = duration(timeout)
	j.Waited = max(0, started.Sub(one.due))
	*c = append(*c, one)
	return nil
}

// skipped are the columns of a job, not read.
var skipped = make([]any, strings.Count(jobColumns, ",")+1)

// jobs are in the order in which they are to begin.
func (c claims) jobs() []*gtf.Job {
	slices.SortFunc(c, func(a, b claimedJob) int {
		return cmp.Or(cmp.Compare(a.priority, b.priority), a.due.Compare(b.due), bytes.Compare(a.job.ID[:], b.job.ID[:]))
	})
	jobs := make([]*gtf.Job, len(c))
	for i := range c {
		jobs[i] = c[i].job
	}
	return jobs
}
