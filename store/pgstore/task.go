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
	t.creator_kind, t.creator_id, t.creator_name, t.per_client, t.dedupe_count, t.max_attempts, t.timeout,
	t.abortable, t.timeout_warning, t.abort_reason, t.aborted_kind, t.aborted_id, t.aborted_name, t.aborted_at,
	t.progress_form, t.progress_ratio, t.progress_current, t.progress_total, t.log_seq,
	CASE WHEN t.log_seq = 0 THEN 0 ELSE (SELECT count(*) FROM gtf.task_logs l WHERE l.task_id = t.id) END,
	t.error, t.error_type, t.attempts, t.payload, t.result, t.stack`

func scanTask(row scanner) (*gtf.Task, error) {
	t := &gtf.Task{}
	var attempts []byte
	var timeout, lastLog int64
	if err := row(into(&t.ID), &t.DedupKey, &t.Type, &t.Key, &t.Name, &t.Scope, &t.Status, &t.Mode, &t.Queue, &t.Priority, instant{&t.DueAt},
		&t.Attempt, &t.Worker, instant{&t.CreatedAt}, instant{&t.ChangedAt}, instant{&t.StartedAt}, instant{&t.EndedAt}, &t.Version,
		&t.CreatedBy.Kind, &t.CreatedBy.ID, &t.CreatedBy.Name, &t.PerClient, &t.DedupeCount, &t.MaxAttempts, &timeout,
		&t.Abortable, &t.TimeoutWarning, &t.AbortReason, &t.AbortedBy.Kind, &t.AbortedBy.ID, &t.AbortedBy.Name, instant{&t.AbortedAt},
		&t.Progress.Form, &t.Progress.Ratio, &t.Progress.Current, &t.Progress.Total, &lastLog,
		&t.Logged.Lines, &t.Error, &t.ErrorType, &attempts, (*[]byte)(&t.Payload), (*[]byte)(&t.Result), &t.Stack); err != nil {
		return nil, err
	}
	t.Timeout = duration(timeout)
	t.Logged.Dropped = lastLog - int64(t.Logged.Lines)
	var err error
	t.Attempts, err = parseAttempts(attempts)
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
	if v.All {
		return &conditions{from: "gtf.tasks t", text: "true"}
	}
	c := &conditions{from: "gtf.subscribers v JOIN gtf.tasks t ON t.id = v.task_id", text: "t.scope <> 'system'"}
	c.and("v.kind = ? AND v.principal_id = ?", string(v.Kind), v.ID)
	return c
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

// Get reads one task that the viewer sees.
func (s *Store) Get(ctx context.Context, id gtf.ID, v gtf.Viewer) (*gtf.Task, error) {
	return getTask(ctx, single{s}, id, v, "")
}

// single runs each statement by itself.
type single struct{ s *Store }

func (o single) run(ctx context.Context, st statement) error {
	return o.s.look(ctx, st.query, st.args, st.row)
}

func getTask(ctx context.Context, on executor, id gtf.ID, v gtf.Viewer, lock string) (task *gtf.Task, err error) {
	c := visible(v)
	c.and("t.id = ?", uuid(id))
	err = on.run(ctx, statement{"SELECT " + taskColumns + " FROM " + c.from + " WHERE " + c.text + " " + lock, c.args, func(row scanner) error {
		task, err = scanTask(row)
		return err
	}})
	switch {
	case err != nil:
		return nil, err
	case task == nil:
		return nil, gtf.ErrNotFound
	}
	return task, addSubscribers(ctx, on, []*gtf.Task{task})
}

// addSubscribers reads the subscribers of many tasks in one statement, whoever came first at the front.
func addSubscribers(ctx context.Context, on executor, tasks []*gtf.Task) error {
	byID := make(map[gtf.ID]*gtf.Task, len(tasks))
	ids := make(uuids, len(tasks))
	for i, t := range tasks {
		ids[i] = t.ID
		byID[t.ID] = t
	}
	return on.run(ctx, statement{`SELECT task_id, kind, principal_id, name, since, clients FROM gtf.subscribers
		WHERE task_id = ANY ($1::uuid[]) ORDER BY task_id, since, kind, principal_id`, []any{ids}, func(row scanner) error {
		var id gtf.ID
		var sub gtf.Subscriber
		if err := row(into(&id), &sub.Kind, &sub.ID, &sub.Name, instant{&sub.Since}, &sub.Clients); err != nil {
			return err
		}
		if len(sub.Clients) == 0 {
			sub.Clients = nil
		}
		byID[id].Subscribers = append(byID[id].Subscribers, sub)
		return nil
	}})
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
	c := visible(v)
	c.and("t.id = ?", uuid(id))
	found := false
	if err := s.look(ctx, "SELECT true FROM "+c.from+" WHERE "+c.text, c.args, func(row scanner) error { return row(&found) }); err != nil {
		return nil, err
	}
	if !found {
		return nil, gtf.ErrNotFound
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
