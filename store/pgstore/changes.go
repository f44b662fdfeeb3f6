package pgstore

import (
	"context"
	"fmt"
	"strings"

	"github.com/globaltask/gtf"
)

// changeColumns are those of a Change, with the transaction that made it.
const changeColumns = `t.id, t.type, t.scope, t.status, t.version, t.progress_form, t.progress_ratio, t.progress_current, t.progress_total,
	t.changed_xid`

// Changes reads what is not visible in the snapshot of the cursor, but in this statement's own, which becomes the next cursor.
// So it does not matter in which order transactions took their numbers, nor how long they are open: each is told once, by the
// first statement that sees it.
func (s *Store) Changes(ctx context.Context, p *gtf.ChangesParams, v gtf.Viewer) (*gtf.Changes, error) {
	var after changeCursor
	if p.After != "" {
		var err error
		if after, err = parseChangeCursor(p.After); err != nil {
			return nil, err
		}
	}
	var now changeCursor
	var since string
	changes := &gtf.Changes{}
	var last place
	query, args := changedSince(p, v, &after)
	err := s.lookPlanned(ctx, query, args, func(row scanner) error {
		there := false
		if err := row(append([]any{&now.era, &since, &there}, skippedChange...)...); err != nil || !there {
			return err
		}
		if len(changes.Tasks) == p.Limit {
			changes.More = true
			return nil
		}
		var c gtf.Change
		var kinds, ids []string
		if err := row(nil, nil, nil, into(&c.ID), &c.Type, &c.Scope, &c.Status, &c.Version,
			&c.Progress.Form, &c.Progress.Ratio, &c.Progress.Current, &c.Progress.Total, &last.xid, &kinds, &ids); err != nil {
			return err
		}
		last.id = c.ID
		for i, kind := range kinds {
			c.Subscribers = append(c.Subscribers, gtf.Subscriber{Kind: gtf.PrincipalKind(kind), ID: ids[i]})
		}
		changes.Tasks = append(changes.Tasks, c)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if now.seen, err = parseSnapshot(since); err != nil {
		return nil, err
	}
	switch {
	case p.After == "":
	case after.era != now.era || after.newest().xmax > now.seen.xmax:
		// The database is another one, or of an earlier time: of a backup, or of a standby that lacks the last commits.
		return &gtf.Changes{Cursor: now.String(), Reset: true}, nil
	case changes.More:
		next := changeCursor{era: now.era, seen: after.seen, upTo: after.upTo, at: last}
		if next.upTo == nil {
			next.upTo = &now.seen
		}
		changes.Cursor = next.String()
		return changes, nil
	case after.upTo != nil:
		// What was committed since the first part comes next.
		changes.More = !after.upTo.coarse && now.seen.String() != after.upTo.String()
		now.seen = *after.upTo
	}
	changes.Cursor = now.String()
	return changes, nil
}

var skippedChange = make([]any, strings.Count(changeColumns, ",")+3)

// era is the table's own number and the time line of the server's log: a database that was restored differs in one of them.
const era = `'gtf.tasks'::regclass::oid::bigint, CASE WHEN pg_is_in_recovery() THEN '' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END`

// isIdle is what tasks_changed holds.
const isIdle = "t.status NOT IN ('in_progress', 'aborting')"

// changedSince gives a row for each change, at least one: the era and the snapshot, whether there is a change, and the change.
func changedSince(p *gtf.ChangesParams, v gtf.Viewer, after *changeCursor) (string, []any) {
	c := visible(v)
	c.narrow(p.Types)
	who := "NULL::text[], NULL::text[]"
	if p.Subscribers {
		who = `ARRAY(SELECT s.kind FROM gtf.subscribers s WHERE s.task_id = t.id ORDER BY s.kind, s.principal_id),
	ARRAY(SELECT s.principal_id FROM gtf.subscribers s WHERE s.task_id = t.id ORDER BY s.kind, s.principal_id)`
	}
	// A restored row may carry the number of a transaction that is yet to come: it is not told until then.
	upTo := "pg_snapshot_xmax(pg_current_snapshot())"
	if after.upTo != nil {
		upTo = c.arg(after.upTo.String()) + "::text::pg_snapshot"
		c.and("pg_visible_in_snapshot(t.changed_xid, " + upTo + ")")
		upTo = "pg_snapshot_xmax(" + upTo + ")"
	}
	begin := c.arg(fmt.Sprint(after.seen.begin())) + "::text::xid8"
	running := c.arg(after.seen.texts()) + "::text[]::xid8[]"
	if after.at != (place{}) {
		c.and("(t.changed_xid, t.id) > (?::text::xid8, ?::uuid)", fmt.Sprint(after.at.xid), uuid(after.at.id))
	}
	if p.After == "" {
		c.and("false")
	}
	var parts []string
	for _, part := range []string{
		isIdle + " AND t.changed_xid >= " + begin + " AND t.changed_xid < " + upTo,
		isIdle + " AND t.changed_xid = ANY (" + running + ")",
		isRunning + " AND (t.changed_xid >= " + begin + " AND t.changed_xid < " + upTo + " OR t.changed_xid = ANY (" + running + "))",
	} {
		parts = append(parts, "(SELECT t.changed_xid, t.id FROM "+c.from+" WHERE "+c.text+" AND "+part+
			fmt.Sprintf(" ORDER BY t.changed_xid, t.id LIMIT %d)", p.Limit+1))
	}
	return "WITH changed AS MATERIALIZED (SELECT * FROM (" + strings.Join(parts, "\nUNION ALL ") + fmt.Sprintf(`) u ORDER BY changed_xid, id LIMIT %d)
SELECT n.era, n.since, t.id IS NOT NULL, `, p.Limit+1) + changeColumns + ", " + who + `
FROM (SELECT concat_ws('/', ` + era + `) AS era, pg_current_snapshot()::text AS since) n
LEFT JOIN changed c ON true LEFT JOIN gtf.tasks t ON t.id = c.id ORDER BY t.changed_xid, t.id`, c.args
}
