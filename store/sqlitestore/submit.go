package sqlitestore

import (
	"context"
	"time"

	"github.com/globaltask/gtf"
)

// create inserts unless the key is taken: the unique index on it decides. A key is busy exactly while its task is active.
const create = `
INSERT INTO tasks (id, dedup_key, type, key, name, scope, status, mode, queue, priority, due_at, max_queue_time,
	queue_deadline, claim, worker, created_at, changed_at, started_at, version, creator_kind, creator_id, creator_name,
	per_client, max_attempts, backoff_base, backoff_max, timeout, declared_abortable, abortable, input, trace)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?16, ?17, ?18, ?19, ?20, ?21,
	?22, ?23, ?24, ?25, ?26, ?27, ?27, ?28, ?29)
ON CONFLICT (dedup_key) WHERE dedup_key <> id DO NOTHING`

const join = `
UPDATE tasks SET dedupe_count = dedupe_count + 1, changed_at = ?2, version = ?3 WHERE dedup_key = ?1 AND dedup_key <> id
RETURNING id, created_at, per_client, scope = 'system'`

const subscribe = `
INSERT INTO subscribers (task_id, kind, principal_id, name, since, task_created, hidden) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT DO NOTHING`

const addClient = `
UPDATE subscribers SET clients = json_insert(clients, '$[#]', ?4)
WHERE task_id = ?1 AND kind = ?2 AND principal_id = ?3 AND NOT EXISTS (SELECT 1 FROM json_each(clients) WHERE value = ?4)`

// Submit inserts or joins, all in one transaction.
func (s *Store) Submit(ctx context.Context, subs []*gtf.Submission) ([]gtf.Submitted, error) {
	done := make([]gtf.Submitted, len(subs))
	err := s.write.do(ctx, func(t *tx) (err error) {
		for i, sub := range subs {
			if done[i], err = t.submit(sub); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return done, nil
}

func (t *tx) submit(s *gtf.Submission) (gtf.Submitted, error) {
	version, err := t.next()
	if err != nil {
		return gtf.Submitted{}, err
	}
	status, claim, worker, started := gtf.StatusPending, 0, any(nil), any(nil)
	if s.Mode == gtf.ModeSync { // inserted claimed by the process that runs it
		status, claim, worker, started = gtf.StatusInProgress, 1, s.Worker, t.now
	}
	due := t.now + micros(s.Delay)
	if !s.DueAt.IsZero() {
		due = max(t.now, s.DueAt.UnixMicro())
	}
	var deadline any
	if s.MaxQueueTime > 0 {
		deadline = due + micros(s.MaxQueueTime)
	}
	id := s.ID.String()
	created, perClient, hidden := t.now, s.PerClient, s.Scope == gtf.ScopeSystem
	answer := gtf.Submitted{ID: s.ID}
	if answer.Created, err = t.changed(create,
		id, s.DedupKey, s.Type, s.Key, s.Name, s.Scope, status, s.Mode, s.Queue, s.Priority, due, micros(s.MaxQueueTime),
		deadline, claim, worker, t.now, started, version, s.By.Kind, s.By.ID, s.By.Name,
		s.PerClient, s.MaxAttempts, micros(s.Backoff.Base), micros(s.Backoff.Max), micros(s.Timeout), s.Abortable, string(s.Input), s.Trace,
	); err != nil {
		return gtf.Submitted{}, err
	}
	if !answer.Created {
		if _, err := t.row([]any{&id, &created, &perClient, &hidden}, join, s.DedupKey, t.now, version); err != nil {
			return gtf.Submitted{}, err
		}
		if answer.ID, err = gtf.ParseID(id); err != nil {
			return gtf.Submitted{}, err
		}
	}
	if s.By.IsZero() {
		return answer, nil
	}
	if _, err := t.exec(subscribe, id, s.By.Kind, s.By.ID, s.By.Name, t.now, created, hidden); err != nil {
		return gtf.Submitted{}, err
	}
	if perClient && s.Client != "" {
		_, err = t.exec(addClient, id, s.By.Kind, s.By.ID, s.Client)
	}
	return answer, err
}

// micros is how durations are stored.
func micros(d time.Duration) int64 { return int64(d / time.Microsecond) }

func duration(micros int64) time.Duration { return time.Duration(micros) * time.Microsecond }
