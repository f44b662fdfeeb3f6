package pgstore

import (
	"context"
	"encoding/json"

	"github.com/globaltask/gtf"
)

const register = `
INSERT INTO gtf.workers AS w (id, host, pid, version, queues, types, started_at, beat_at)
VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp(), clock_timestamp())
ON CONFLICT (id) DO UPDATE SET queues = excluded.queues, types = excluded.types, beat_at = excluded.beat_at WHERE w.lost_at IS NULL`

// Register adds a worker, or updates what it offers.
func (s *Store) Register(ctx context.Context, w *gtf.Worker) error {
	queues, err := json.Marshal(w.Queues)
	if err != nil {
		return err
	}
	types := w.Types
	if types == nil {
		types = []string{}
	}
	_, err = s.one(ctx, register, w.ID, w.Host, w.PID, w.Version, string(queues), types)
	return err
}

// Beat moves nothing but the worker's own row.
func (s *Store) Beat(ctx context.Context, id string, running int) (alive bool, err error) {
	return s.one(ctx, "UPDATE gtf.workers SET beat_at = clock_timestamp(), running = $2 WHERE id = $1 AND lost_at IS NULL", id, running)
}

// Leave removes a worker.
func (s *Store) Leave(ctx context.Context, id string) error {
	_, err := s.one(ctx, "DELETE FROM gtf.workers WHERE id = $1", id)
	return err
}

// Held reads what a worker has claimed, over the connections of the heartbeat.
func (s *Store) Held(ctx context.Context, worker string) (held []gtf.Held, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.StatementTimeout)
	defer cancel()
	rows, err := s.vital.Query(ctx, s.sql(`SELECT id, claim, status, abort_reason FROM gtf.tasks
		WHERE worker = $1 AND status IN ('pending', 'in_progress', 'aborting') AND status <> 'pending'`), worker)
	if err != nil {
		return nil, explain(err)
	}
	defer rows.Close()
	err = each(rows, func(row scanner) error {
		var h gtf.Held
		if err := row(into(&h.ID), &h.Claim, &h.Status, &h.AbortReason); err != nil {
			return err
		}
		held = append(held, h)
		return nil
	})
	return held, explain(err)
}

// Workers lists all that have not left, the lost last.
func (s *Store) Workers(ctx context.Context) (workers []gtf.Worker, err error) {
	err = s.look(ctx, `SELECT id, host, pid, version, queues, types, running, started_at, beat_at, lost_at IS NOT NULL,
			(extract(epoch FROM statement_timestamp() - beat_at) * 1000000)::bigint
		FROM gtf.workers ORDER BY lost_at IS NOT NULL, started_at, id`, nil, func(row scanner) error {
		var w gtf.Worker
		var silence int64
		if err := row(&w.ID, &w.Host, &w.PID, &w.Version, &w.Queues, &w.Types, &w.Running, instant{&w.StartedAt}, instant{&w.BeatAt},
			&w.Lost, &silence); err != nil {
			return err
		}
		w.Silence = max(0, duration(silence))
		workers = append(workers, w)
		return nil
	})
	return workers, err
}
