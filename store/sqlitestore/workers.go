package sqlitestore

import (
	"context"
	"encoding/json"
	"time"

	"github.com/globaltask/gtf"
)

const register = `
INSERT INTO workers (id, host, pid, version, queues, types, started_at, beat_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)
ON CONFLICT (id) DO UPDATE SET queues = ?5, types = ?6, beat_at = ?7 WHERE lost_at IS NULL`

// Register adds a worker, or updates what it offers.
func (s *Store) Register(ctx context.Context, w *gtf.Worker) error {
	queues, err := json.Marshal(w.Queues)
	if err != nil {
		return err
	}
	_, err = s.write.one(ctx, register, func(now int64) []any {
		return []any{w.ID, w.Host, w.PID, w.Version, string(queues), jsonText(w.Types), now}
	})
	return err
}

// Beat moves nothing but the worker's own row.
func (s *Store) Beat(ctx context.Context, id string, running int) (alive bool, err error) {
	return s.write.one(ctx, "UPDATE workers SET beat_at = ?2, running = ?3 WHERE id = ?1 AND lost_at IS NULL",
		func(now int64) []any { return []any{id, now, running} })
}

// Leave removes a worker.
func (s *Store) Leave(ctx context.Context, id string) error {
	_, err := s.write.one(ctx, "DELETE FROM workers WHERE id = ?", func(int64) []any { return []any{id} })
	return err
}

// Held reads what a worker has claimed.
func (s *Store) Held(ctx context.Context, worker string) (held []gtf.Held, err error) {
	err = s.look(ctx, func(q querier) error {
		rows, err := q.QueryContext(ctx, `SELECT id, claim, status, abort_reason FROM tasks
			WHERE worker = ? AND ended_at IS NULL AND status <> 'pending'`, worker)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var h gtf.Held
			var id string
			if err := rows.Scan(&id, &h.Claim, &h.Status, &h.AbortReason); err != nil {
				return err
			}
			if h.ID, err = gtf.ParseID(id); err != nil {
				return err
			}
			held = append(held, h)
		}
		return rows.Err()
	})
	return held, err
}

// Workers lists all that have not left, the lost last.
func (s *Store) Workers(ctx context.Context) (workers []gtf.Worker, err error) {
	err = s.look(ctx, func(q querier) error {
		rows, err := q.QueryContext(ctx, `SELECT id, host, pid, version, queues, types, running, started_at, beat_at, lost_at IS NOT NULL
			FROM workers ORDER BY lost_at IS NOT NULL, started_at, id`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var w gtf.Worker
			var queues, types string
			if err := rows.Scan(&w.ID, &w.Host, &w.PID, &w.Version, &queues, &types, &w.Running, instant{&w.StartedAt},
				instant{&w.BeatAt}, &w.Lost); err != nil {
				return err
			}
			if err := json.Unmarshal([]byte(queues), &w.Queues); err != nil {
				return err
			}
			if err := json.Unmarshal([]byte(types), &w.Types); err != nil {
				return err
			}
			w.Silence = max(0, time.Since(w.BeatAt))
			workers = append(workers, w)
		}
		return rows.Err()
	})
	return workers, err
}
