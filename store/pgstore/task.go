package pgstore

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/globaltask/gtf"
)

// taskColumns are what people may see of a task, in the order scanTask reads them.
const taskColumns = `t.id, t.dedup_key, t.type, t.key, t.name, t.scope, t.status, t.mode, t.queue, t.priority, t.due_at,
	t.claim, coalesce(t.worker, ''), t.created_at, t.changed_at, t.started_at, t.ended_at, t.version,
	t.creator_kind, t.creator_id, ` + creatorName + `, t.per_client, t.dedupe_count, t.max_attempts, t.timeout,
	t.abortable, t.timeout_warning, t.abort_reason, t.aborted_kind, t.aborted_id, ` + aborterName + `, t.aborted_at,
	t.progress_form, t.progress_ratio, t.progress_current, t.progress_total, t.log_seq,
	CASE WHEN t.log_seq = 0 THEN 0 ELSE (SELECT count(*) FROM gtf.task_logs l WHERE l.task_id = t.id) END,
	t.error, t.error_type, t.attempts, t.payload, t.result, t.stack`

// taskRow is where the columns of a task are read into.
type taskRow struct {
	task             gtf.Task
	attempts         []byte
	timeout, lastLog int64
}

func (r *taskRow) dest() []any {
	t := &r.task
	return []any{
		into(&t.ID), &t.DedupKey, &t.Type, &t.Key, &t.Name, &t.Scope, &t.Status, &t.Mode, &t.Queue, &t.Priority, instant{&t.DueAt},
		&t.Attempt, &t.Worker, instant{&t.CreatedAt}, instant{&t.ChangedAt}, instant{&t.StartedAt}, instant{&t.EndedAt}, &t.Version,
		&t.CreatedBy.Kind, &t.CreatedBy.ID, &t.CreatedBy.Name, &t.PerClient, &t.DedupeCount, &t.MaxAttempts, &r.timeout,
		&t.Abortable, &t.TimeoutWarning, &t.AbortReason, &t.AbortedBy.Kind, &t.AbortedBy.ID, &t.AbortedBy.Name, instant{&t.AbortedAt},
		&t.Progress.Form, &t.Progress.Ratio, &t.Progress.Current, &t.Progress.Total, &r.lastLog,
		&t.Logged.Lines, &t.Error, &t.ErrorType, &r.attempts, (*[]byte)(&t.Payload), (*[]byte)(&t.Result), &t.Stack,
	}
}

// skippedTask are the columns of a task, not read.
var skippedTask = make([]any, len(new(taskRow).dest()))

func (r *taskRow) read() (*gtf.Task, error) {
	t := &r.task
	t.Timeout = duration(r.timeout)
	t.Logged.Dropped = r.lastLog - int64(t.Logged.Lines)
	var err error
	t.Attempts, err = parseAttempts(r.attempts)
	return t, err
}

func parseAttempts(raw []byte) ([]gtf.Attempt, error) {
	if string(raw) == "[]" {
		return nil, nil
	}
	var stored []struct {
		StartedAt int64  `json:"started_at"`
		EndedAt   int64  `json:"ended_at"`
		Worker    string `json:"worker"`
		Error     string `json:"error"`
	}
	if err := json.Unmarshal(raw, &stored); err != nil {
		return nil, fmt.Errorf("read attempts: %w", err)
	}
	attempts := make([]gtf.Attempt, len(stored))
	for i, a := range stored {
		attempts[i] = gtf.Attempt{
			StartedAt: time.UnixMicro(a.StartedAt).UTC(), EndedAt: time.UnixMicro(a.EndedAt).UTC(), Worker: a.Worker, Error: a.Error,
		}
	}
	return attempts, nil
}

// conditions are those of a query, with their arguments.
type conditions struct {
	from string
	text string
	args []any
}

// visible is the one predicate of S10: it joins the viewer's subscription, for everybody but admins and the host. A list
// that starts from it walks the index of the viewer's own subscriptions.
func visible(v gtf.Viewer) *conditions {
	c := &conditions{from: "gtf.tasks t", text: "true"}
	if !v.All {
		c = subscribedBy(gtf.Principal{Kind: v.Kind, ID: v.ID})
		c.and("t.scope <> 'system'")
	}
	c.narrow(v.Types)
	return c
}

// subscribedBy is what somebody is attached to, whoever looks.
func subscribedBy(p gtf.Principal) *conditions {
	c := &conditions{from: "gtf.subscribers v JOIN gtf.tasks t ON t.id = v.task_id", text: "true"}
	c.and("v.kind = ? AND v.principal_id = ?", string(p.Kind), p.ID)
	return c
}

// narrow leaves tasks of some types; nil is all of them.
func (c *conditions) narrow(types []string) {
	if types != nil {
		c.and(`t.type COLLATE "C" = ANY (?::text[])`, types)
	}
}

// and adds a condition; each ? stands for the next argument.
func (c *conditions) and(condition string, args ...any) {
	c.text += " AND "
	for _, r := range condition {
		if r != '?' {
			c.text += string(r)
			continue
		}
		c.text += c.arg(args[0])
		args = args[1:]
	}
}

// arg adds an argument and names it.
func (c *conditions) arg(arg any) string {
	c.args = append(c.args, arg)
	return fmt.Sprintf("$%d", len(c.args))
}

// Get reads one task that the viewer sees and its subscribers, in one statement: as they were at one moment.
func (s *Store) Get(ctx context.Context, id gtf.ID, v gtf.Viewer) (*gtf.Task, error) {
	c := visible(v)
	c.and("t.id = ?", uuid(id))
	var read taskRow
	var who attached
	err := s.look(ctx, "SELECT "+taskColumns+", s.* FROM "+c.from+" CROSS JOIN LATERAL ("+attachedTo+") s WHERE "+c.text, c.args,
		func(row scanner) error { return row(append(read.dest(), who.dest()...)...) })
	switch {
	case err != nil:
		return nil, err
	case read.task.ID != id:
		return nil, gtf.ErrNotFound
	}
	read.task.Subscribers = who.subscribers()
	return read.read()
}

// Status reads one column.
func (s *Store) Status(ctx context.Context, id gtf.ID, v gtf.Viewer) (status gtf.Status, err error) {
	c := visible(v)
	c.and("t.id = ?", uuid(id))
	err = s.look(ctx, "SELECT t.status FROM "+c.from+" WHERE "+c.text, c.args, func(row scanner) error { return row(&status) })
	if err == nil && status == "" {
		err = gtf.ErrNotFound
	}
	return status, err
}

// lockTask locks a row and reads it, and then its subscribers: what a statement reads beside a row that it had to wait for may
// be older than the row.
func lockTask(ctx context.Context, tx pgxTx, id gtf.ID) (*gtf.Task, error) {
	var read taskRow
	err := tx.run(ctx, statement{"SELECT " + taskColumns + " FROM gtf.tasks t WHERE t.id = $1 FOR UPDATE OF t", []any{uuid(id)},
		func(row scanner) error { return row(read.dest()...) }})
	switch {
	case err != nil:
		return nil, err
	case read.task.ID != id:
		return nil, gtf.ErrNotFound
	}
	task, err := read.read()
	if err != nil {
		return nil, err
	}
	return task, addSubscribers(ctx, tx, []*gtf.Task{task})
}

// Look reads what waiters need.
func (s *Store) Look(ctx context.Context, ids []gtf.ID) (looks []gtf.Look, err error) {
	err = s.look(ctx, `SELECT id, claim, type, status, abort_reason, version, error, result FROM gtf.tasks WHERE id = ANY ($1::uuid[])`,
		[]any{uuids(ids)}, func(row scanner) error {
			var l gtf.Look
			if err := row(into(&l.ID), &l.Claim, &l.Type, &l.Status, &l.AbortReason, &l.Version, &l.Error, (*[]byte)(&l.Result)); err != nil {
				return err
			}
			looks = append(looks, l)
			return nil
		})
	return looks, err
}

// Logs reads log lines of a task that the viewer sees.
func (s *Store) Logs(ctx context.Context, id gtf.ID, v gtf.Viewer, after int64, limit int) (lines []gtf.LogLine, err error) {
	if _, err := s.Status(ctx, id, v); err != nil {
		return nil, err
	}
	err = s.look(ctx, "SELECT seq, at, level, text FROM gtf.task_logs WHERE task_id = $1 AND seq > $2 ORDER BY seq LIMIT $3",
		[]any{uuid(id), after, limit}, func(row scanner) error {
			var l gtf.LogLine
			if err := row(&l.Seq, instant{&l.At}, &l.Level, &l.Text); err != nil {
				return err
			}
			lines = append(lines, l)
			return nil
		})
	return lines, err
}

const backlog = `
SELECT queue, type, count(*) FILTER (WHERE due_at <= statement_timestamp()), count(*) FILTER (WHERE due_at > statement_timestamp()),
	greatest(0, extract(epoch FROM statement_timestamp() - min(due_at)) * 1000000)::bigint
FROM gtf.tasks WHERE ` + claimable + ` GROUP BY queue, type ORDER BY queue, type`

// Backlog counts pending tasks.
func (s *Store) Backlog(ctx context.Context) (counts []gtf.Backlog, err error) {
	err = s.look(ctx, backlog, nil, func(row scanner) error {
		var b gtf.Backlog
		var oldest int64
		if err := row(&b.Queue, &b.Type, &b.Due, &b.Later, &oldest); err != nil {
			return err
		}
		b.Oldest = duration(oldest)
		counts = append(counts, b)
		return nil
	})
	return counts, err
}
