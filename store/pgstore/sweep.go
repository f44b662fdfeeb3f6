package pgstore

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/globaltask/gtf"
)

// orphaned is every active task bound to a worker without a living row. It does not ask who died just now: a claim that
// slipped in late is found by the next pass (S12.2).
const orphaned = ` FROM gtf.tasks t WHERE t.worker IS NOT NULL AND t.status IN ('pending', 'in_progress', 'aborting')
	AND NOT EXISTS (SELECT 1 FROM gtf.workers w WHERE w.id = t.worker AND w.lost_at IS NULL)`

// goneAfter is how long lost workers stay on the list.
const goneAfter = 24 * time.Hour

const (
	reapable = `
SELECT EXISTS (SELECT 1 FROM gtf.workers WHERE lost_at IS NULL AND beat_at < statement_timestamp() - $1::bigint * interval '1 microsecond'
	OR lost_at < statement_timestamp() - $2::bigint * interval '1 microsecond') OR EXISTS (SELECT 1` + orphaned + `)`
	declareLost = `
UPDATE gtf.workers SET lost_at = clock_timestamp() WHERE id = ANY (ARRAY(
	SELECT id FROM gtf.workers WHERE lost_at IS NULL AND beat_at < clock_timestamp() - $1::bigint * interval '1 microsecond' FOR UPDATE SKIP LOCKED))`
	forget = `
DELETE FROM gtf.workers WHERE id = ANY (ARRAY(
	SELECT id FROM gtf.workers WHERE lost_at < clock_timestamp() - $1::bigint * interval '1 microsecond' FOR UPDATE SKIP LOCKED))`
	orphan = `
SELECT t.id, t.worker, t.type, t.queue, t.status, t.mode, t.claim, t.max_attempts, t.backoff_base, t.backoff_max` + orphaned + `
ORDER BY t.id LIMIT $1 FOR UPDATE OF t SKIP LOCKED`
)

// Reap first looks, and writes only if there is something to do. A row that is locked waits for the next pass.
func (s *Store) Reap(ctx context.Context, silence time.Duration, limit int) ([]gtf.Transition, error) {
	due := false
	err := s.look(ctx, reapable, []any{micros(silence), micros(goneAfter)}, func(row scanner) error { return row(&due) })
	if err != nil || !due {
		return nil, err
	}
	var r reaper
	err = s.transaction(ctx, withRows, lockTimeout, func(ctx context.Context, tx pgxTx) error {
		for _, st := range []statement{
			{declareLost, []any{micros(silence)}, nil}, {forget, []any{micros(goneAfter)}, nil}, {orphan, []any{limit}, r.add},
		} {
			if err := tx.run(ctx, st); err != nil {
				return err
			}
		}
		w := newWritten(len(r.running))
		for _, st := range r.statements(w) {
			if err := tx.run(ctx, st); err != nil {
				return err
			}
		}
		return s.enqueue(ctx, tx, Tx(tx.tx), w.pending)
	})
	if err != nil {
		return nil, err
	}
	return r.taken, nil
}

// reaper collects what becomes of orphans: running ones end their attempt as if they had said so themselves.
type reaper struct {
	taken   []gtf.Transition
	running []*gtf.Finish
	waiting []gtf.ID // sync tasks between two attempts
}

func (r *reaper) add(row scanner) error {
	tr := gtf.Transition{To: gtf.StatusFailure}
	f := &gtf.Finish{
		Running:  gtf.Outcome{Status: gtf.StatusFailure, Error: "worker lost"},
		Aborting: gtf.Outcome{Status: gtf.StatusFailure, Error: "worker lost while aborting"},
	}
	var mode gtf.Mode
	var maxAttempts, base, most int64
	if err := row(into(&tr.ID), &tr.Worker, &tr.Type, &tr.Queue, &tr.From, &mode, &f.Claim, &maxAttempts, &base, &most); err != nil {
		return err
	}
	f.ID = tr.ID
	switch {
	case tr.From == gtf.StatusPending:
		r.waiting = append(r.waiting, tr.ID)
	case tr.From == gtf.StatusInProgress && mode == gtf.ModeAsync && f.Claim < maxAttempts:
		tr.To = gtf.StatusPending
		f.Running.Status = gtf.StatusPending
		f.Running.Delay = gtf.Backoff{Base: duration(base), Max: duration(most)}.Delay(int(f.Claim), rand.Float64())
		fallthrough
	default:
		r.running = append(r.running, f)
	}
	r.taken = append(r.taken, tr)
	return nil
}

func (r *reaper) statements(w *written) []statement {
	var statements []statement
	if len(r.running) > 0 {
		statements = finishStatements(r.running, w)
	}
	if len(r.waiting) > 0 {
		statements = append(statements, end(gtf.StatusFailure, "worker lost", r.waiting, gtf.StatusPending))
	}
	return statements
}

const late = `SELECT id, type, queue FROM gtf.tasks WHERE queue_deadline IS NOT NULL AND queue_deadline <= statement_timestamp()
	AND status = 'pending' ORDER BY queue_deadline LIMIT $1`

// ExpireQueued ends tasks that were never claimed in time.
func (s *Store) ExpireQueued(ctx context.Context, limit int) (taken []gtf.Transition, err error) {
	var ids []gtf.ID
	add := func(row scanner) error {
		tr := gtf.Transition{From: gtf.StatusPending, To: gtf.StatusTimedOut}
		if err := row(into(&tr.ID), &tr.Type, &tr.Queue); err != nil {
			return err
		}
		taken, ids = append(taken, tr), append(ids, tr.ID)
		return nil
	}
	if err := s.look(ctx, late, []any{limit}, add); err != nil || len(taken) == 0 {
		return nil, err
	}
	err = s.transaction(ctx, withRows, lockTimeout, func(ctx context.Context, tx pgxTx) error {
		taken, ids = nil, nil
		if err := tx.run(ctx, statement{late + " FOR UPDATE SKIP LOCKED", []any{limit}, add}); err != nil { // again, under locks
			return err
		}
		return tx.run(ctx, end(gtf.StatusTimedOut, "waited longer than its maximum queue time", ids, gtf.StatusPending))
	})
	if err != nil {
		return nil, err
	}
	return taken, nil
}

const prune = `
DELETE FROM gtf.tasks WHERE id = ANY (ARRAY(
	SELECT id FROM gtf.tasks WHERE ended_at IS NOT NULL AND ended_at <= statement_timestamp() - $1::bigint * interval '1 microsecond'
	ORDER BY ended_at, id LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING 1`

// Prune deletes the oldest; subscribers and logs go with them.
func (s *Store) Prune(ctx context.Context, age time.Duration, limit int) (deleted int, err error) {
	err = s.alone(ctx, withRows, statement{prune, []any{micros(age), limit}, func(scanner) error {
		deleted++
		return nil
	}})
	return deleted, err
}
