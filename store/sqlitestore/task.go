package sqlitestore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/globaltask/gtf"
)

// taskColumns are what people may see of a task, in the order scanTask reads them.
var taskColumns = `t.id, t.dedup_key, t.type, t.key, t.name, t.scope, t.status, t.mode, t.queue, t.priority, t.due_at,
	t.claim, coalesce(t.worker, ''), t.created_at, t.changed_at, t.started_at, t.ended_at, t.version,
	t.creator_kind, t.creator_id, ` + creatorName + `, t.per_client, t.dedupe_count, t.max_attempts, t.timeout,
	t.abortable, t.timeout_warning, t.abort_reason, t.aborted_kind, t.aborted_id, ` + aborterName + `,
	t.aborted_at,
	t.progress_form, t.progress_ratio, t.progress_current, t.progress_total, t.log_seq,
	(SELECT count(*) FROM task_logs l WHERE l.task_id = t.id), t.error, t.error_type, t.attempts, t.payload, t.result, t.stack`

// The names of people: as stored, or else as remembered.
var (
	creatorName    = nameOf("t.creator_kind", "t.creator_id", "t.creator_name")
	aborterName    = nameOf("t.aborted_kind", "t.aborted_id", "t.aborted_name")
	subscriberName = nameOf("s.kind", "s.principal_id", "s.name")
)

func nameOf(kind, id, stored string) string {
	return "CASE " + stored + " WHEN '' THEN coalesce((SELECT p.name FROM principals p WHERE p.kind = " + kind + " AND p.id = " + id +
		"), '') ELSE " + stored + " END"
}

// instant reads microseconds; NULL is the zero time.
type instant struct{ to *time.Time }

// Scan implements sql.Scanner.
func (i instant) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*i.to = time.Time{}
	case int64:
		*i.to = time.UnixMicro(v).UTC()
	default:
		return fmt.Errorf("%T is not a time", v)
	}
	return nil
}

// taskRow is a row of taskColumns.
type taskRow struct {
	gtf.Task
	id, attempts     string
	timeout, lastLog int64
	payload, result  []byte
}

// dest are where the columns go.
func (r *taskRow) dest() []any {
	t := &r.Task
	return []any{&r.id, &t.DedupKey, &t.Type, &t.Key, &t.Name, &t.Scope, &t.Status, &t.Mode, &t.Queue, &t.Priority, instant{&t.DueAt},
		&t.Attempt, &t.Worker, instant{&t.CreatedAt}, instant{&t.ChangedAt}, instant{&t.StartedAt}, instant{&t.EndedAt}, &t.Version,
		&t.CreatedBy.Kind, &t.CreatedBy.ID, &t.CreatedBy.Name, &t.PerClient, &t.DedupeCount, &t.MaxAttempts, &r.timeout,
		&t.Abortable, &t.TimeoutWarning, &t.AbortReason, &t.AbortedBy.Kind, &t.AbortedBy.ID, &t.AbortedBy.Name, instant{&t.AbortedAt},
		&t.Progress.Form, &t.Progress.Ratio, &t.Progress.Current, &t.Progress.Total, &r.lastLog,
		&t.Logged.Lines, &t.Error, &t.ErrorType, &r.attempts, &r.payload, &r.result, &t.Stack}
}

// task is what was read.
func (r *taskRow) task() (*gtf.Task, error) {
	t := &r.Task
	var err error
	if t.ID, err = gtf.ParseID(r.id); err != nil {
		return nil, err
	}
	t.Timeout = duration(r.timeout)
	t.Logged.Dropped = r.lastLog - int64(t.Logged.Lines)
	t.Payload, t.Result = r.payload, r.result
	t.Attempts, err = parseAttempts(r.attempts)
	return t, err
}

func parseAttempts(raw string) ([]gtf.Attempt, error) {
	if raw == "[]" {
		return nil, nil
	}
	var stored []struct {
		StartedAt int64  `json:"started_at"`
		EndedAt   int64  `json:"ended_at"`
		Worker    string `json:"worker"`
		Error     string `json:"error"`
	}
	if err := json.Unmarshal([]byte(raw), &stored); err != nil {
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

const notSystem = "t.scope <> 'system'"

// visible is the one predicate of S10: it joins the viewer's subscription, for everybody but admins and the host. What starts
// from it walks the index of the viewer's own subscriptions.
func visible(a *arguments, v gtf.Viewer) (from, where string) {
	from, where = "tasks t", "1"
	if !v.All {
		from = "subscribers v CROSS JOIN tasks t ON t.id = v.task_id"
		where = own(a, gtf.Principal{Kind: v.Kind, ID: v.ID}) + " AND v.hidden = 0 AND " + notSystem
	}
	if v.Types != nil {
		where += " AND t.type IN " + a.list(v.Types)
	}
	return from, where
}

// own are the subscriptions of one principal.
func own(a *arguments, p gtf.Principal) string {
	return "v.kind = " + a.arg(p.Kind) + " AND v.principal_id = " + a.arg(p.ID)
}

// sees is the same predicate on rows of t, for what starts from elsewhere.
func sees(a *arguments, v gtf.Viewer) string {
	where := "1"
	if !v.All {
		where = notSystem + " AND EXISTS (SELECT 1 FROM subscribers v WHERE v.task_id = t.id AND " +
			own(a, gtf.Principal{Kind: v.Kind, ID: v.ID}) + ")"
	}
	if v.Types != nil {
		where += " AND +t.type IN " + a.list(v.Types)
	}
	return where
}

// ofTask reads columns of one task that the viewer sees, or gtf.ErrNotFound.
func ofTask(ctx context.Context, q querier, columns string, id gtf.ID, v gtf.Viewer, dest ...any) error {
	var a arguments
	from, where := visible(&a, v)
	query := "SELECT " + columns + " FROM " + from + " WHERE " + where + " AND t.id = " + a.arg(id.String())
	err := q.QueryRowContext(ctx, query, a...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return gtf.ErrNotFound
	}
	return err
}

// Get reads one task that the viewer sees, and its subscribers, of one state of the file.
func (s *Store) Get(ctx context.Context, id gtf.ID, v gtf.Viewer) (task *gtf.Task, err error) {
	err = s.snapshot(ctx, func(q querier) error {
		task, err = getTask(ctx, q, id, v)
		return err
	})
	return task, err
}

func getTask(ctx context.Context, q querier, id gtf.ID, v gtf.Viewer) (*gtf.Task, error) {
	var row taskRow
	if err := ofTask(ctx, q, taskColumns, id, v, row.dest()...); err != nil {
		return nil, err
	}
	task, err := row.task()
	if err != nil {
		return nil, err
	}
	return task, addSubscribers(ctx, q, []*gtf.Task{task})
}

// Status reads one column.
func (s *Store) Status(ctx context.Context, id gtf.ID, v gtf.Viewer) (status gtf.Status, err error) {
	err = s.look(ctx, func(q querier) error { return ofTask(ctx, q, "t.status", id, v, &status) })
	return status, err
}

// addSubscribers reads the subscribers of many tasks in one statement, whoever came first at the front.
func addSubscribers(ctx context.Context, q querier, tasks []*gtf.Task) error {
	byID := make(map[string]*gtf.Task, len(tasks))
	ids := make([]string, len(tasks))
	for i, t := range tasks {
		ids[i] = t.ID.String()
		byID[ids[i]] = t
	}
	rows, err := q.QueryContext(ctx, "SELECT task_id, kind, principal_id, "+subscriberName+`, since, clients FROM subscribers s
		WHERE task_id IN (SELECT value FROM json_each(?)) ORDER BY task_id, since, kind, principal_id`, jsonText(ids))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, clients string
		var sub gtf.Subscriber
		if err := rows.Scan(&id, &sub.Kind, &sub.ID, &sub.Name, instant{&sub.Since}, &clients); err != nil {
			return err
		}
		if clients != "[]" {
			if err := json.Unmarshal([]byte(clients), &sub.Clients); err != nil {
				return fmt.Errorf("read clients of a subscriber of task %s: %w", id, err)
			}
		}
		byID[id].Subscribers = append(byID[id].Subscribers, sub)
	}
	return rows.Err()
}

// jsonText is a list as one argument, for json_each.
func jsonText[T any](values []T) string {
	raw, _ := json.Marshal(values) // strings and ids always encode
	return string(raw)
}

// Look reads what waiters need.
func (s *Store) Look(ctx context.Context, ids []gtf.ID) (looks []gtf.Look, err error) {
	err = s.look(ctx, func(q querier) error {
		rows, err := q.QueryContext(ctx, `SELECT id, claim, type, status, abort_reason, version, error, result FROM tasks
			WHERE id IN (SELECT value FROM json_each(?))`, jsonText(ids))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var l gtf.Look
			var id string
			var result []byte
			if err := rows.Scan(&id, &l.Claim, &l.Type, &l.Status, &l.AbortReason, &l.Version, &l.Error, &result); err != nil {
				return err
			}
			if l.ID, err = gtf.ParseID(id); err != nil {
				return err
			}
			l.Result = result
			looks = append(looks, l)
		}
		return rows.Err()
	})
	return looks, err
}

// Logs reads log lines of a task that the viewer sees.
func (s *Store) Logs(ctx context.Context, id gtf.ID, v gtf.Viewer, after int64, limit int) (lines []gtf.LogLine, err error) {
	err = s.look(ctx, func(q querier) error {
		var one int
		if err := ofTask(ctx, q, "1", id, v, &one); err != nil {
			return err
		}
		rows, err := q.QueryContext(ctx, "SELECT seq, at, level, text FROM task_logs WHERE task_id = ? AND seq > ? ORDER BY seq LIMIT ?",
			id.String(), after, limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var l gtf.LogLine
			if err := rows.Scan(&l.Seq, instant{&l.At}, &l.Level, &l.Text); err != nil {
				return err
			}
			lines = append(lines, l)
		}
		return rows.Err()
	})
	return lines, err
}

// Backlog counts pending tasks.
func (s *Store) Backlog(ctx context.Context) (backlog []gtf.Backlog, err error) {
	err = s.look(ctx, func(q querier) error {
		now := time.Now().UnixMicro()
		rows, err := q.QueryContext(ctx, `SELECT queue, type, sum(due_at <= ?1), sum(due_at > ?1), max(0, ?1 - min(due_at))
			FROM tasks WHERE `+claimable+` GROUP BY queue, type ORDER BY queue, type`, now)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var b gtf.Backlog
			var oldest int64
			if err := rows.Scan(&b.Queue, &b.Type, &b.Due, &b.Later, &oldest); err != nil {
				return err
			}
			b.Oldest = duration(oldest)
			backlog = append(backlog, b)
		}
		return rows.Err()
	})
	return backlog, err
}
