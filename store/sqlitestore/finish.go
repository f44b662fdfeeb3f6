package sqlitestore

import (
	"context"
	"fmt"

	"github.com/globaltask/gtf"
)

// holding is the right of an executor to write: its claim number, on a task that is running.
const holding = `id = ?1 AND claim = ?2 AND status IN ('in_progress', 'aborting')`

const report = `
UPDATE tasks SET changed_at = ?3, version = ?4,
	progress_form = coalesce(?5, progress_form), progress_ratio = coalesce(?6, progress_ratio),
	progress_current = coalesce(?7, progress_current), progress_total = coalesce(?8, progress_total),
	payload = coalesce(?9, payload), abortable = abortable OR ?10, timeout_warning = timeout_warning OR ?11
WHERE ` + holding

const expire = `
UPDATE tasks SET status = 'aborting', abortable = 1, changed_at = ?3, version = ?4, abort_reason = 'timeout', aborted_at = ?3
WHERE id = ?1 AND claim = ?2 AND `

// terminate is the one statement that makes a task terminal: the status, the end, the outcome, and the key freed. What it
// may start from is appended as a literal: a parameter there would have SQLite plan the statement anew at every call.
const terminate = `
UPDATE tasks SET status = ?2, ended_at = ?3, changed_at = ?3, version = ?4, dedup_key = id, queue_deadline = NULL,
	error = ?5, error_type = ?6, stack = ?7, result = ?8,
	progress_form = coalesce(?9, progress_form), progress_ratio = coalesce(?10, progress_ratio),
	progress_current = coalesce(?11, progress_current), progress_total = coalesce(?12, progress_total),
	payload = coalesce(?13, payload), abortable = abortable OR ?14, timeout_warning = timeout_warning OR ?15
WHERE id = ?1 AND coalesce(claim = ?16, 1) AND `

// again takes a running task back to pending for another attempt: its progress is cleared, its payload stays, and the
// attempt is remembered. A sync task stays bound to its process.
var again = `
UPDATE tasks SET status = 'pending', changed_at = ?2, version = ?3, due_at = ?2 + ?4, started_at = NULL,
	abortable = declared_abortable, timeout_warning = 0,
	worker = CASE mode WHEN 'sync' THEN worker END,
	progress_form = '', progress_ratio = 0, progress_current = 0, progress_total = 0,
	payload = coalesce(?6, payload),
	attempts = json_insert(attempts, '$[#]', json_object('started_at', started_at, 'ended_at', ?2, 'worker', worker, 'error', ?5))
WHERE id = ?1 AND ` + gtf.SQLFrom(gtf.StatusPending, gtf.StatusInProgress)

// Update writes reports; a claim that no longer holds changes nothing.
func (s *Store) Update(ctx context.Context, updates []gtf.Update) ([]bool, error) {
	held := make([]bool, len(updates))
	err := s.write.do(ctx, func(t *tx) error {
		version, err := t.next()
		if err != nil {
			return err
		}
		for i := range updates {
			u := &updates[i]
			id, p := u.ID.String(), progressArgs(u.Progress)
			if held[i], err = t.changed(report, id, u.Claim, t.now, version, p[0], p[1], p[2], p[3], text(u.Payload),
				u.Abortable, u.TimeoutWarning); err != nil {
				return err
			}
			if held[i] {
				if err := t.addLogs(id, u.Logs, u.LogsDropped); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return held, nil
}

// Expire asks a running task to abort because its time is over.
func (s *Store) Expire(ctx context.Context, ref gtf.Ref) (won bool, err error) {
	err = s.write.do(ctx, func(t *tx) error {
		version, err := t.next()
		if err != nil {
			return err
		}
		won, err = t.changed(expire+gtf.SQLFrom(gtf.StatusAborting, gtf.StatusInProgress), ref.ID.String(), ref.Claim, t.now, version)
		return err
	})
	return won, err
}

// Finish reads each row under the write lock, picks the outcome by its status, and writes it.
func (s *Store) Finish(ctx context.Context, finishes []gtf.Finish) ([]gtf.Finished, error) {
	done := make([]gtf.Finished, len(finishes))
	err := s.write.do(ctx, func(t *tx) (err error) {
		for i := range finishes {
			if done[i], err = t.finish(&finishes[i]); err != nil {
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

// finish tries the common case first: the row is in_progress and the attempt ends the task. Else it reads the status under
// the write lock and picks the outcome by it.
func (t *tx) finish(f *gtf.Finish) (gtf.Finished, error) {
	id := f.ID.String()
	status, o := gtf.StatusInProgress, f.Running
	ended := false
	var err error
	if o.Status != gtf.StatusPending {
		if ended, err = t.terminate(id, status, o, &f.Update); err != nil {
			return gtf.Finished{}, err
		}
	}
	if !ended {
		var reason gtf.AbortReason
		held, err := t.row([]any{&status, &reason}, "SELECT status, abort_reason FROM tasks WHERE "+holding, id, f.Claim)
		if err != nil || !held {
			return gtf.Finished{}, err
		}
		if status == gtf.StatusAborting {
			o = f.Aborting
			o.Status = byReason(o.Status, reason)
			_, err = t.terminate(id, status, o, &f.Update)
		} else {
			err = t.again(id, o, f.Payload)
		}
		if err != nil {
			return gtf.Finished{}, err
		}
	}
	return gtf.Finished{Held: true, Status: o.Status}, t.addLogs(id, f.Logs, f.LogsDropped)
}

// byReason fills the status that only the row knows.
func byReason(status gtf.Status, reason gtf.AbortReason) gtf.Status {
	switch {
	case status != "":
		return status
	case reason == gtf.AbortByTimeout:
		return gtf.StatusTimedOut
	}
	return gtf.StatusAborted
}

// terminate ends a task that is in status from, and held by last's claim if last is given. It is the only way to a terminal
// status: for finish, cancel, reaper and queue time alike.
func (t *tx) terminate(id string, from gtf.Status, o gtf.Outcome, last *gtf.Update) (bool, error) {
	version, err := t.next()
	if err != nil {
		return false, err
	}
	var claim any
	if last == nil {
		last = &gtf.Update{}
	} else {
		claim = last.Claim
	}
	p := progressArgs(last.Progress)
	return t.changed(terminateFrom(from, o.Status), id, o.Status, t.now, version, o.Error, o.ErrorType, o.Stack, text(o.Result),
		p[0], p[1], p[2], p[3], text(last.Payload), last.Abortable, last.TimeoutWarning, claim)
}

// terminateFrom is made once for each step of the table of transitions.
var terminateFrom = func() func(from, to gtf.Status) string {
	queries := map[[2]gtf.Status]string{}
	for _, from := range gtf.Statuses() {
		for _, to := range gtf.Statuses() {
			if from.CanBecome(to) && to.Terminal() {
				queries[[2]gtf.Status{from, to}] = terminate + gtf.SQLFrom(to, from)
			}
		}
	}
	return func(from, to gtf.Status) string {
		query, ok := queries[[2]gtf.Status{from, to}]
		if !ok {
			panic(fmt.Sprintf("sqlitestore: a task cannot go from %s to %s", from, to))
		}
		return query
	}
}()

func (t *tx) again(id string, o gtf.Outcome, payload []byte) error {
	version, err := t.next()
	if err != nil {
		return err
	}
	_, err = t.exec(again, id, t.now, version, micros(o.Delay), o.Error, text(payload))
	return err
}

// progressArgs are four values, NULL where nothing was reported.
func progressArgs(p *gtf.Progress) [4]any {
	if p == nil {
		return [4]any{}
	}
	return [4]any{string(p.Form), p.Ratio, p.Current, p.Total}
}

// text stores JSON as it is; none is NULL.
func text(raw []byte) any {
	if raw == nil {
		return nil
	}
	return string(raw)
}

// addLogs numbers the lines after those that are there, and drops the oldest beyond the limits (S6.6).
func (t *tx) addLogs(id string, lines []gtf.LogLine, dropped int) error {
	if len(lines) == 0 && dropped == 0 {
		return nil
	}
	var seq, end int64
	if _, err := t.row([]any{&seq, &end}, "SELECT log_seq, log_bytes FROM tasks WHERE id = ?", id); err != nil {
		return err
	}
	seq += int64(dropped)
	for _, l := range lines {
		seq++
		if _, err := t.exec("INSERT INTO task_logs (task_id, seq, at, level, start_byte, text) VALUES (?, ?, ?, ?, ?, ?)",
			id, seq, l.At.UnixMicro(), int(l.Level), end, l.Text); err != nil {
			return err
		}
		end += int64(len(l.Text))
	}
	if _, err := t.exec("UPDATE tasks SET log_seq = ?, log_bytes = ? WHERE id = ?", seq, end, id); err != nil {
		return err
	}
	_, err := t.exec("DELETE FROM task_logs WHERE task_id = ? AND (seq <= ? OR start_byte < ?)",
		id, seq-gtf.MaxLogLines, end-gtf.MaxLogBytes)
	return err
}
