package pgstore

import (
	"context"
	"fmt"

	"github.com/globaltask/gtf"
)

var ask = `
UPDATE gtf.tasks t SET status = 'aborting', abort_reason = 'user', aborted_at = statement_timestamp(), aborted_kind = $2, aborted_id = $3,
	aborted_name = $4, ` + theChange + `
WHERE t.id = $1 AND t.` + gtf.SQLFrom(gtf.StatusAborting, gtf.StatusInProgress) + ` RETURNING true`

const (
	askedBefore = `
UPDATE gtf.tasks SET abort_reason = 'user', aborted_at = statement_timestamp(), aborted_kind = $2, aborted_id = $3, aborted_name = $4
WHERE id = $1`
	unsubscribe = `DELETE FROM gtf.subscribers WHERE task_id = $1 AND kind = $2 AND principal_id = $3`
	detach      = `
UPDATE gtf.subscribers SET clients = array_remove(clients, $4::text) WHERE task_id = $1 AND kind = $2 AND principal_id = $3`

	// What has ended keeps its instant of change, which lists take from ended_at.
	touch = `
UPDATE gtf.tasks t SET changed_at = CASE WHEN ended_at IS NULL THEN statement_timestamp() ELSE changed_at END,
	changed_xid = pg_current_xact_id(), version = t.version + 1 WHERE t.id = $1`
)

// Cancel locks the row, reads, decides and writes.
func (s *Store) Cancel(ctx context.Context, id gtf.ID, decide func(*gtf.Task) (gtf.Deed, error)) (task *gtf.Task, err error) {
	err = s.transaction(ctx, withRows, 0, func(ctx context.Context, tx pgxTx) error {
		if task, err = lockTask(ctx, tx, id); err != nil {
			return err
		}
		deed, err := decide(task)
		if err != nil || deed.Kind == gtf.DeedNone {
			return err
		}
		if err := tx.deed(ctx, task, deed); err != nil {
			return err
		}
		task, err = lockTask(ctx, tx, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return task, nil
}

func (t pgxTx) deed(ctx context.Context, task *gtf.Task, d gtf.Deed) error {
	id := uuid(task.ID)
	var query string
	args := []any{id, string(d.By.Kind), d.By.ID}
	switch d.Kind {
	case gtf.DeedAbort:
		args = append(args, d.By.Name)
		if task.Status != gtf.StatusPending {
			return t.ask(ctx, task, args)
		}
		// Nothing ran, so nothing has to be asked.
		if err := t.run(ctx, end(gtf.StatusAborted, "", []gtf.ID{task.ID}, gtf.StatusPending)); err != nil {
			return err
		}
		return t.run(ctx, statement{query: askedBefore, args: args})
	case gtf.DeedLeave:
		query = unsubscribe
	case gtf.DeedDetach:
		query, args = detach, append(args, d.Client)
	}
	if err := t.run(ctx, statement{query: query, args: args}); err != nil {
		return err
	}
	return t.run(ctx, statement{query: touch, args: []any{id}})
}

func (t pgxTx) ask(ctx context.Context, task *gtf.Task, args []any) error {
	asked := false
	err := t.run(ctx, statement{ask, args, func(row scanner) error { return row(&asked) }})
	if err == nil && !asked {
		err = fmt.Errorf("task %s cannot go from %s to aborting", task.ID, task.Status)
	}
	return err
}

// end makes tasks terminal that nobody runs.
func end(to gtf.Status, text string, ids []gtf.ID, from ...gtf.Status) statement {
	return statement{
		query: `UPDATE gtf.tasks t SET status = $1, error = $2, ` + theEnd + ` WHERE t.id = ANY ($3::uuid[]) AND t.` + gtf.SQLFrom(to, from...),
		args:  []any{string(to), text, uuids(ids)},
	}
}
