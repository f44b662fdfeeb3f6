package sqlitestore

import (
	"context"
	"fmt"

	"github.com/globaltask/gtf"
)

var ask = `
UPDATE tasks SET status = 'aborting', changed_at = ?2, version = ?3, abort_reason = 'user', aborted_at = ?2,
	aborted_kind = ?4, aborted_id = ?5, aborted_name = ?6
WHERE id = ?1 AND ` + gtf.SQLFrom(gtf.StatusAborting, gtf.StatusInProgress)

const askedBefore = `
UPDATE tasks SET abort_reason = 'user', aborted_at = ?2, aborted_kind = ?3, aborted_id = ?4, aborted_name = ?5 WHERE id = ?1`

const (
	unsubscribe = `DELETE FROM subscribers WHERE task_id = ?1 AND kind = ?2 AND principal_id = ?3`
	detach      = `
UPDATE subscribers SET clients = (SELECT json_group_array(value) FROM json_each(clients) WHERE value <> ?4)
WHERE task_id = ?1 AND kind = ?2 AND principal_id = ?3`
	touch = `UPDATE tasks SET changed_at = ?2, version = ?3, touched = 1 WHERE id = ?1`
)

// Cancel reads, decides and writes in one transaction: SQLite's write lock is the row's lock.
func (s *Store) Cancel(ctx context.Context, id gtf.ID, decide func(*gtf.Task) (gtf.Deed, error)) (task *gtf.Task, err error) {
	err = s.write.do(ctx, func(t *tx) error {
		if task, err = t.task(id); err != nil {
			return err
		}
		deed, err := decide(task)
		if err != nil {
			return err
		}
		if deed.Kind == gtf.DeedNone {
			return errNothing
		}
		if err := t.deed(task, deed); err != nil {
			return err
		}
		task, err = t.task(id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return task, nil
}

func (t *tx) deed(task *gtf.Task, d gtf.Deed) error {
	id := task.ID.String()
	version, err := t.next()
	if err != nil {
		return err
	}
	switch d.Kind {
	case gtf.DeedAbort:
		if task.Status == gtf.StatusPending { // nothing ran, so nothing has to be asked
			if _, err := t.terminate(id, task.Status, gtf.Outcome{Status: gtf.StatusAborted}, nil); err != nil {
				return err
			}
			_, err = t.exec(askedBefore, id, t.now, d.By.Kind, d.By.ID, d.By.Name)
			return err
		}
		ok, err := t.changed(ask, id, t.now, version, d.By.Kind, d.By.ID, d.By.Name)
		if err == nil && !ok {
			err = fmt.Errorf("task %s cannot go from %s to aborting", id, task.Status)
		}
		return err
	case gtf.DeedLeave:
		_, err = t.exec(unsubscribe, id, d.By.Kind, d.By.ID)
	case gtf.DeedDetach:
		_, err = t.exec(detach, id, d.By.Kind, d.By.ID, d.Client)
	}
	if err == nil {
		_, err = t.exec(touch, id, t.now, version)
	}
	return err
}

// task reads one task inside the transaction.
func (t *tx) task(id gtf.ID) (*gtf.Task, error) {
	return getTask(context.Background(), t.w.conn, id, gtf.Viewer{All: true})
}
