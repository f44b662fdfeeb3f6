package pgstore

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/globaltask/gtf"
)

// holding is the right of an executor to write: its claim number, on a task that is running.
const holding = `t.id = u.id AND t.claim = u.claim AND t.status IN ('in_progress', 'aborting')`

// theEnd is what makes a task terminal besides its status, wherever that happens: the end, and the key freed.
const theEnd = `ended_at = statement_timestamp(), dedup_key = t.id::text, queue_deadline = NULL, ` + theChange

// theChange marks every change that people may see.
const theChange = `changed_at = statement_timestamp(), changed_xid = pg_current_xact_id(), version = t.version + 1`

// reported are the columns of an Update; NULL leaves a column alone.
const (
	reported = `progress_form = coalesce(u.progress_form, t.progress_form), progress_ratio = coalesce(u.progress_ratio, t.progress_ratio),
	progress_current = coalesce(u.progress_current, t.progress_current), progress_total = coalesce(u.progress_total, t.progress_total),
	payload = coalesce(u.payload, t.payload), abortable = t.abortable OR u.abortable, timeout_warning = t.timeout_warning OR u.timeout_warning,
	log_seq = t.log_seq + u.log_lines, log_bytes = t.log_bytes + u.log_bytes`

	// reports are the Updates of a statement, arguments 1 to 11. Columns of other arrays may follow.
	reportTypes = `$1::uuid[], $2::bigint[], $3::text[], $4::float8[], $5::bigint[], $6::bigint[], $7::text[], $8::boolean[], $9::boolean[],
	$10::bigint[], $11::bigint[]`
	reportColumns = `id, claim, progress_form, progress_ratio, progress_current, progress_total, payload, abortable, timeout_warning,
	log_lines, log_bytes`

	// logged adds the lines of the tasks that were written, arguments 12 to 17. They are numbered back from the last one.
	logged = `logged AS (
	INSERT INTO gtf.task_logs (task_id, seq, at, start_byte, level, text)
	SELECT w.id, w.log_seq - l.lines_after, statement_timestamp() - l.age * interval '1 microsecond', w.log_bytes - l.bytes_from, l.level, l.text
	FROM unnest($12::uuid[], $13::bigint[], $14::bigint[], $15::bigint[], $16::int[], $17::text[]) AS l (id, lines_after, bytes_from, age, level, text)
	JOIN written w ON w.id = l.id
)`
)

const update = `
WITH written AS (
	UPDATE gtf.tasks t SET ` + theChange + `, ` + reported + `
	FROM unnest(` + reportTypes + `) AS u (` + reportColumns + `)
	WHERE ` + holding + ` RETURNING t.id, t.claim, t.status, t.log_seq, t.log_bytes
), ` + logged + `
SELECT id, claim, status FROM written`

// finish picks each outcome by the row's status: of those for in_progress (r) and aborting (a). It leaves alone what is to be
// pending again.
var finish = `
WITH written AS (
	UPDATE gtf.tasks t SET
		status = CASE WHEN t.status = 'in_progress' THEN u.r_status WHEN u.a_status <> '' THEN u.a_status
			WHEN t.abort_reason = 'timeout' THEN 'timed_out' ELSE 'aborted' END,
		error = CASE WHEN t.status = 'in_progress' THEN u.r_error ELSE u.a_error END,
		error_type = CASE WHEN t.status = 'in_progress' THEN u.r_type ELSE u.a_type END,
		stack = CASE WHEN t.status = 'in_progress' THEN u.r_stack ELSE u.a_stack END,
		result = CASE WHEN t.status = 'in_progress' THEN u.r_result ELSE u.a_result END,
		` + theEnd + `, ` + reported + `
	FROM unnest(` + reportTypes + `, $18::text[], $19::text[], $20::text[], $21::text[], $22::text[],
		$23::text[], $24::text[], $25::text[], $26::text[], $27::text[])
		AS u (` + reportColumns + `, r_status, r_error, r_type, r_stack, r_result, a_status, a_error, a_type, a_stack, a_result)
	WHERE ` + holding + ` AND (t.status = 'aborting' OR u.r_status <> 'pending') RETURNING t.id, t.claim, t.status, t.log_seq, t.log_bytes
), ` + logged + `
SELECT id, claim, status FROM written`

// finishPlain is finish for attempts that report nothing more and end alike whatever the row says: most of them. It has a fifth
// of the arguments.
const finishPlain = `
UPDATE gtf.tasks t SET status = u.status, error = u.error, error_type = u.error_type, result = u.result, ` + theEnd + `
FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[]) AS u (id, claim, status, error, error_type, result)
WHERE ` + holding + ` RETURNING t.id, t.claim, t.status`

// again takes a running task back to pending for another attempt: its progress is cleared, its payload stays, and the attempt
// is remembered. A sync task stays bound to its process.
var again = `
WITH written AS (
	UPDATE gtf.tasks t SET status = 'pending', due_at = statement_timestamp() + u.delay * interval '1 microsecond', started_at = NULL,
		abortable = t.declared_abortable, timeout_warning = false, worker = CASE t.mode WHEN 'sync' THEN t.worker END,
		progress_form = '', progress_ratio = 0, progress_current = 0, progress_total = 0, payload = coalesce(u.payload, t.payload),
		attempts = t.attempts || jsonb_build_object('started_at', (extract(epoch FROM t.started_at) * 1000000)::bigint,
			'ended_at', (extract(epoch FROM statement_timestamp()) * 1000000)::bigint, 'worker', t.worker, 'error', u.error),
		log_seq = t.log_seq + u.log_lines, log_bytes = t.log_bytes + u.log_bytes, ` + theChange + `
	FROM unnest(` + reportTypes + `, $18::text[], $19::bigint[]) AS u (` + reportColumns + `, error, delay)
	WHERE ` + holding + ` AND t.` + gtf.SQLFrom(gtf.StatusPending, gtf.StatusInProgress) + `
	RETURNING t.id, t.claim, t.status, t.mode, t.queue, t.priority, t.due_at, t.log_seq, t.log_bytes
), ` + logged + `
SELECT id, claim, status, mode, queue, priority, due_at FROM written`

// trim drops the oldest lines beyond the limits (S6.6).
const trim = `
DELETE FROM gtf.task_logs l USING gtf.tasks t
WHERE l.task_id = ANY ($1::uuid[]) AND t.id = l.task_id AND (l.seq <= t.log_seq - $2 OR l.start_byte < t.log_bytes - $3)`

var expire = `
UPDATE gtf.tasks t SET status = 'aborting', abortable = true, abort_reason = 'timeout', aborted_at = statement_timestamp(), ` + theChange + `
WHERE t.id = $1 AND t.claim = $2 AND t.` + gtf.SQLFrom(gtf.StatusAborting, gtf.StatusInProgress) + ` RETURNING true`

// Update writes reports; a claim that no longer holds changes nothing.
func (s *Store) Update(ctx context.Context, updates []gtf.Update) ([]bool, error) {
	w := newWritten(len(updates))
	var statements []statement
	for _, part := range distinct(updates, func(u *gtf.Update) gtf.ID { return u.ID }) {
		r := newReports(len(part))
		for i, u := range part {
			r.set(i, u)
		}
		statements = append(statements, statement{update, r.args(), w.add})
		statements = append(statements, r.trims()...)
	}
	if err := s.grouped(ctx, withRows, len(updates), w.before(statements)); err != nil {
		return nil, err
	}
	held := make([]bool, len(updates))
	for i := range updates {
		_, held[i] = w.status[updates[i].Ref]
	}
	return held, nil
}

// Expire asks a running task to abort because its time is over.
func (s *Store) Expire(ctx context.Context, ref gtf.Ref) (won bool, err error) {
	err = s.alone(ctx, withRows, statement{expire, []any{uuid(ref.ID), ref.Claim}, func(row scanner) error { return row(&won) }})
	return won, err
}

// Finish ends attempts, in order of their ids so that two groups never wait for each other.
func (s *Store) Finish(ctx context.Context, finishes []gtf.Finish) ([]gtf.Finished, error) {
	w := newWritten(len(finishes))
	var statements []statement
	for _, part := range distinct(finishes, func(f *gtf.Finish) gtf.ID { return f.ID }) {
		for _, f := range part {
			if err := checkOutcomes(f); err != nil {
				return nil, err
			}
		}
		plain, other := sortOut(part)
		if len(plain) > 0 {
			statements = append(statements, plainStatement(plain, w))
		}
		if len(other) > 0 {
			statements = append(statements, finishStatements(other, w)...)
		}
	}
	if err := s.write(ctx, w, len(finishes), statements); err != nil {
		return nil, err
	}
	done := make([]gtf.Finished, len(finishes))
	for i := range finishes {
		status, held := w.status[finishes[i].Ref]
		done[i] = gtf.Finished{Held: held, Status: status}
	}
	return done, nil
}

// write runs statements that may make tasks pending: for another engine, with their jobs.
func (s *Store) write(ctx context.Context, w *written, rows int, statements []statement) error {
	if s.engine.Load() == nil {
		return s.grouped(ctx, withRows, rows, w.before(statements))
	}
	return s.transaction(ctx, withRows, lockTimeout, func(ctx context.Context, tx pgxTx) error {
		for _, st := range statements {
			if err := tx.run(ctx, st); err != nil {
				return err
			}
		}
		return s.enqueue(ctx, tx, Tx(tx.tx), w.pending)
	})
}

func checkOutcomes(f *gtf.Finish) error {
	running := f.Running.Status == gtf.StatusPending || f.Running.Status.Terminal() && gtf.StatusInProgress.CanBecome(f.Running.Status)
	aborting := f.Aborting.Status == "" || f.Aborting.Status.Terminal() && gtf.StatusAborting.CanBecome(f.Aborting.Status)
	if !running || !aborting {
		return fmt.Errorf("finish task %s: outcomes %q and %q are not of the table of transitions", f.ID, f.Running.Status, f.Aborting.Status)
	}
	return nil
}

// sortOut finds the finishes that finishPlain can write.
func sortOut(part []*gtf.Finish) (plain, other []*gtf.Finish) {
	for _, f := range part {
		r, a := &f.Running, &f.Aborting
		alike := r.Status == a.Status && r.Error == a.Error && r.ErrorType == a.ErrorType && r.Stack == a.Stack && bytes.Equal(r.Result, a.Result)
		silent := f.Progress == nil && f.Payload == nil && !f.Abortable && !f.TimeoutWarning && len(f.Logs) == 0 && f.LogsDropped == 0
		if alike && silent && r.Stack == "" && r.Status != gtf.StatusPending {
			plain = append(plain, f)
		} else {
			other = append(other, f)
		}
	}
	return plain, other
}

func plainStatement(part []*gtf.Finish, w *written) statement {
	n := len(part)
	ids, claims := make(uuids, n), make([]int64, n)
	statuses, errs, types, results := make([]string, n), make([]string, n), make([]string, n), make([]*string, n)
	for i, f := range part {
		o := &f.Running
		ids[i], claims[i] = f.ID, f.Claim
		statuses[i], errs[i], types[i], results[i] = string(o.Status), o.Error, o.ErrorType, maybeText(o.Result)
	}
	return statement{finishPlain, []any{ids, claims, statuses, errs, types, results}, w.add}
}

func finishStatements(part []*gtf.Finish, w *written) []statement {
	r := newReports(len(part))
	var texts [8][]string // of Running, then of Aborting: status, error, type, stack; results apart
	for i := range texts {
		texts[i] = make([]string, len(part))
	}
	var results [2][]*string
	results[0], results[1] = make([]*string, len(part)), make([]*string, len(part))
	var retries []*gtf.Finish
	for i, f := range part {
		r.set(i, &f.Update)
		for j, o := range []*gtf.Outcome{&f.Running, &f.Aborting} {
			for k, text := range []string{string(o.Status), o.Error, o.ErrorType, o.Stack} {
				texts[4*j+k][i] = text
			}
			results[j][i] = maybeText(o.Result)
		}
		if f.Running.Status == gtf.StatusPending {
			retries = append(retries, f)
		}
	}
	t := texts
	var statements []statement
	if len(retries) > 0 { // first: what it finds aborting, when a cancel lets go of the row, is left for finish
		statements = append(statements, againStatement(retries, w))
	}
	statements = append(statements, statement{finish, append(r.args(), t[0], t[1], t[2], t[3], results[0], t[4], t[5], t[6], t[7], results[1]), w.add})
	return append(statements, r.trims()...)
}

func againStatement(retries []*gtf.Finish, w *written) statement {
	r := newReports(len(retries))
	errs, delays := make([]string, len(retries)), make([]int64, len(retries))
	for i, f := range retries {
		r.set(i, &f.Update)
		errs[i], delays[i] = f.Running.Error, micros(f.Running.Delay)
	}
	return statement{again, append(r.args(), errs, delays), w.addPending}
}

// written is what statements answered.
type written struct {
	status  map[gtf.Ref]gtf.Status
	pending []gtf.Delivery // async tasks that are pending again
}

func newWritten(n int) *written { return &written{status: make(map[gtf.Ref]gtf.Status, n)} }

// before is what builds statements that answer to w: it forgets what a try before them has said.
func (w *written) before(statements []statement) func() []statement {
	return func() []statement {
		clear(w.status)
		return statements
	}
}

func (w *written) add(row scanner) error {
	var ref gtf.Ref
	var status gtf.Status
	if err := row(into(&ref.ID), &ref.Claim, &status); err != nil {
		return err
	}
	w.status[ref] = status
	return nil
}

func (w *written) addPending(row scanner) error {
	var ref gtf.Ref
	var status gtf.Status
	var mode gtf.Mode
	var job gtf.Delivery
	if err := row(into(&ref.ID), &ref.Claim, &status, &mode, &job.Queue, &job.Priority, &job.DueAt); err != nil {
		return err
	}
	w.status[ref] = status
	if job.ID = ref.ID; mode == gtf.ModeAsync {
		w.pending = append(w.pending, job)
	}
	return nil
}

// distinct parts a list so that no part has an id twice, each in the order of ids: a statement writes a row once, and locks
// rows in that order.
func distinct[T any](list []T, id func(*T) gtf.ID) [][]*T {
	var parts [][]*T
	seen := make(map[gtf.ID]int, len(list))
	for i := range list {
		n := seen[id(&list[i])]
		seen[id(&list[i])]++
		if n == len(parts) {
			parts = append(parts, make([]*T, 0, len(list)))
		}
		parts[n] = append(parts[n], &list[i])
	}
	for _, part := range parts {
		slices.SortFunc(part, func(a, b *T) int {
			x, y := id(a), id(b)
			return bytes.Compare(x[:], y[:])
		})
	}
	return parts
}

// reports are the arrays of a statement that writes Updates.
type reports struct {
	ids                  uuids
	claims, lines, bytes []int64
	forms, payloads      []*string
	ratios               []*float64
	currents, totals     []*int64
	abortable, warning   []bool

	lineIDs               uuids
	linesAfter, bytesFrom []int64
	ages                  []int64 // since the line was logged: the time it gets is the database's
	levels                []int32
	texts                 []string
}

func newReports(n int) *reports {
	return &reports{
		ids: make(uuids, n), claims: make([]int64, n), lines: make([]int64, n), bytes: make([]int64, n), forms: make([]*string, n),
		payloads: make([]*string, n), ratios: make([]*float64, n), currents: make([]*int64, n), totals: make([]*int64, n),
		abortable: make([]bool, n), warning: make([]bool, n),
	}
}

func (r *reports) set(i int, u *gtf.Update) {
	r.ids[i], r.claims[i] = u.ID, u.Claim
	r.payloads[i], r.abortable[i], r.warning[i] = maybeText(u.Payload), u.Abortable, u.TimeoutWarning
	if p := u.Progress; p != nil {
		form := string(p.Form)
		r.forms[i], r.ratios[i], r.currents[i], r.totals[i] = &form, &p.Ratio, &p.Current, &p.Total
	}
	r.lines[i] = int64(len(u.Logs) + u.LogsDropped)
	for _, l := range u.Logs {
		r.bytes[i] += int64(len(l.Text))
	}
	left := r.bytes[i]
	for n, l := range u.Logs {
		r.lineIDs = append(r.lineIDs, u.ID)
		r.linesAfter = append(r.linesAfter, int64(len(u.Logs)-1-n))
		r.bytesFrom = append(r.bytesFrom, left)
		r.ages = append(r.ages, max(0, micros(time.Since(l.At))))
		r.levels = append(r.levels, int32(l.Level))
		r.texts = append(r.texts, l.Text)
		left -= int64(len(l.Text))
	}
}

// args are the arguments 1 to 17.
func (r *reports) args() []any {
	return []any{r.ids, r.claims, r.forms, r.ratios, r.currents, r.totals, r.payloads, r.abortable, r.warning, r.lines, r.bytes,
		r.lineIDs, r.linesAfter, r.bytesFrom, r.ages, r.levels, r.texts}
}

// trims is the statement that follows if lines were added.
func (r *reports) trims() []statement {
	if len(r.lineIDs) == 0 {
		return nil
	}
	return []statement{{trim, []any{r.lineIDs, gtf.MaxLogLines, gtf.MaxLogBytes}, nil}}
}
