package sqlitestore

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/globaltask/gtf"
)

// orphaned is every active task bound to a worker without a living row. It does not ask who died just now: a claim that
// slipped in late is found by the next pass (S12.2).
const orphaned = ` FROM tasks t WHERE t.worker IS NOT NULL AND t.ended_at IS NULL
	AND NOT EXISTS (SELECT 1 FROM workers w WHERE w.id = t.worker AND w.lost_at IS NULL)`

// goneAfter is how long lost workers stay on the list.
const goneAfter = 24 * time.Hour

// Reap first looks, and writes only if there is something to do.
func (s *Store) Reap(ctx context.Context, silence time.Duration, limit int) (taken []gtf.Transition, err error) {
	due := false
	err = s.look(ctx, func(q querier) error {
		now := time.Now().UnixMicro()
		return q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM workers WHERE lost_at IS NULL AND beat_at < ?1 OR lost_at < ?2)
			OR EXISTS (SELECT 1`+orphaned+`)`, now-micros(silence), now-micros(goneAfter)).Scan(&due)
	})
	if err != nil || !due {
		return nil, err
	}
	err = s.write.do(ctx, func(t *tx) error {
		if _, err := t.exec("UPDATE workers SET lost_at = ?1 WHERE lost_at IS NULL AND beat_at < ?2", t.now, t.now-micros(silence)); err != nil {
			return err
		}
		if _, err := t.exec("DELETE FROM workers WHERE lost_at < ?", t.now-micros(goneAfter)); err != nil {
			return err
		}
		orphans, err := t.orphans(limit)
		if err != nil {
			return err
		}
		for _, o := range orphans {
			tr, err := t.reap(o)
			if err != nil {
				return err
			}
			taken = append(taken, tr)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return taken, nil
}

type orphan struct {
	id, worker, typ, queue string
	status                 gtf.Status
	mode                   gtf.Mode
	claim, maxAttempts     int
	base, most             int64
}

func (t *tx) orphans(limit int) ([]orphan, error) {
	rows, err := t.query(`SELECT id, worker, type, queue, status, mode, claim, max_attempts, backoff_base, backoff_max`+
		orphaned+` ORDER BY id LIMIT ?`, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []orphan
	for rows.Next() {
		var o orphan
		if err := rows.Scan(&o.id, &o.worker, &o.typ, &o.queue, &o.status, &o.mode, &o.claim, &o.maxAttempts, &o.base, &o.most); err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, rows.Err()
}

// reap gives a task another attempt, or fails it.
func (t *tx) reap(o orphan) (gtf.Transition, error) {
	id, err := gtf.ParseID(o.id)
	if err != nil {
		return gtf.Transition{}, err
	}
	tr := gtf.Transition{ID: id, Type: o.typ, Queue: o.queue, From: o.status, To: gtf.StatusFailure, Worker: o.worker}
	switch {
	case o.status == gtf.StatusAborting:
		_, err = t.terminate(o.id, o.status, gtf.Outcome{Status: gtf.StatusFailure, Error: "worker lost while aborting"}, nil)
	case o.status == gtf.StatusInProgress && o.mode == gtf.ModeAsync && o.claim < o.maxAttempts:
		tr.To = gtf.StatusPending
		delay := gtf.Backoff{Base: duration(o.base), Max: duration(o.most)}.Delay(o.claim, rand.Float64())
		err = t.again(o.id, gtf.Outcome{Delay: delay, Error: "worker lost"}, nil)
	default:
		_, err = t.terminate(o.id, o.status, gtf.Outcome{Status: gtf.StatusFailure, Error: "worker lost"}, nil)
	}
	return tr, err
}

// ExpireQueued ends tasks that were never claimed in time.
func (s *Store) ExpireQueued(ctx context.Context, limit int) (taken []gtf.Transition, err error) {
	late := func(q querier, now int64) (found []gtf.Transition, err error) {
		rows, err := q.QueryContext(ctx, `SELECT id, type, queue FROM tasks WHERE queue_deadline IS NOT NULL AND queue_deadline <= ?
			AND status = 'pending' ORDER BY queue_deadline LIMIT ?`, now, limit)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		for rows.Next() {
			tr := gtf.Transition{From: gtf.StatusPending, To: gtf.StatusTimedOut}
			var id string
			if err := rows.Scan(&id, &tr.Type, &tr.Queue); err != nil {
				return nil, err
			}
			if tr.ID, err = gtf.ParseID(id); err != nil {
				return nil, err
			}
			found = append(found, tr)
		}
		return found, rows.Err()
	}
	err = s.look(ctx, func(q querier) error {
		taken, err = late(q, time.Now().UnixMicro())
		return err
	})
	if err != nil || len(taken) == 0 {
		return nil, err
	}
	err = s.write.do(ctx, func(t *tx) error {
		if taken, err = late(t.w.conn, t.now); err != nil { // again, with the lock held
			return err
		}
		for _, tr := range taken {
			o := gtf.Outcome{Status: gtf.StatusTimedOut, Error: "waited longer than its maximum queue time"}
			if _, err := t.terminate(tr.ID.String(), tr.From, o, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return taken, nil
}

// Prune deletes the oldest; subscribers and logs go with them.
func (s *Store) Prune(ctx context.Context, age time.Duration, limit int) (deleted int, err error) {
	err = s.write.do(ctx, func(t *tx) error {
		res, err := t.exec(`DELETE FROM tasks WHERE id IN (
			SELECT id FROM tasks WHERE ended_at IS NOT NULL AND ended_at <= ? ORDER BY ended_at, id LIMIT ?)`, t.now-micros(age), limit)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		deleted = int(n)
		return err
	})
	return deleted, err
}
