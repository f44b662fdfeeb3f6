package sqlitestore

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/globaltask/gtf"
)

// changeCursor is a place in the order of commits of one file: behind the task with this id among those that this version has
// written at this time. An empty id is behind all of them.
type changeCursor struct {
	era         string
	version, at int64
	id          string
}

// cursorForm begins the text of a cursor: its form may change one day.
const cursorForm = "s1"

func (c changeCursor) String() string {
	parts := []string{cursorForm, c.era, strconv.FormatInt(c.version, 10), strconv.FormatInt(c.at, 10), c.id}
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Join(parts, ".")))
}

func parseChangeCursor(text string) (c changeCursor, err error) {
	bad := badCursor("is not one that changes gave out")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return c, bad
	}
	parts := strings.Split(string(raw), ".")
	if len(parts) != 5 || parts[0] != cursorForm {
		return c, bad
	}
	c.era, c.id = parts[1], parts[4]
	if c.version, err = strconv.ParseInt(parts[2], 10, 64); err != nil {
		return c, bad
	}
	if c.at, err = strconv.ParseInt(parts[3], 10, 64); err != nil {
		return c, bad
	}
	if _, err := gtf.ParseID(c.id); err != nil && c.id != "" {
		return c, bad
	}
	if c.String() != text {
		return c, bad
	}
	return c, nil
}

// Changes reads what later versions have written. One transaction writes at a time, so the order of versions is that of
// commits, and what is not committed yet has a version above all that can be read.
func (s *Store) Changes(ctx context.Context, p *gtf.ChangesParams, v gtf.Viewer) (*gtf.Changes, error) {
	var after changeCursor
	if p.After != "" {
		var err error
		if after, err = parseChangeCursor(p.After); err != nil {
			return nil, err
		}
	}
	c := &gtf.Changes{}
	err := s.snapshot(ctx, func(q querier) error {
		var now changeCursor
		if err := q.QueryRowContext(ctx, "SELECT n, at, era FROM versions").Scan(&now.version, &now.at, &now.era); err != nil {
			return err
		}
		c.Cursor = now.String()
		if p.After == "" || after == now {
			return nil
		}
		if c.Reset = after.era != now.era || after.version > now.version; c.Reset { // another file, or this one as it was before
			return nil
		}
		return readChanges(ctx, q, c, p, v, after)
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// readChanges reads one more than the limit, to know whether there is more; then the cursor stays behind the last.
func readChanges(ctx context.Context, q querier, c *gtf.Changes, p *gtf.ChangesParams, v gtf.Viewer, after changeCursor) error {
	query, args := changesSince(p, v, after)
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	last := after
	for rows.Next() {
		if len(c.Tasks) == p.Limit {
			c.Cursor, c.More = last.String(), true
			break
		}
		var t gtf.Change
		if err := rows.Scan(&last.id, &t.Type, &t.Scope, &t.Status, &t.Progress.Form, &t.Progress.Ratio, &t.Progress.Current,
			&t.Progress.Total, &t.Version, &last.at); err != nil {
			return err
		}
		if t.ID, err = gtf.ParseID(last.id); err != nil {
			return err
		}
		last.version = t.Version
		c.Tasks = append(c.Tasks, t)
	}
	if err := rows.Err(); err != nil || !p.Subscribers || len(c.Tasks) == 0 {
		return err
	}
	if err := rows.Close(); err != nil {
		return err
	}
	return addChangeSubscribers(ctx, q, c.Tasks)
}

// changesSince reads, in the order of versions, which is also that of times. Each part is what one index finds, and the last
// of them is for what the others miss: pending tasks that were joined or tried before, and whatever a subscriber has left.
func changesSince(p *gtf.ChangesParams, v gtf.Viewer, after changeCursor) (string, []any) {
	var a arguments
	where := sees(&a, v)
	if len(p.Types) > 0 {
		where += " AND +t.type IN " + a.list(p.Types)
	}
	version, at := a.arg(after.version), a.arg(after.at)
	if after.id == "" {
		where += " AND t.version > " + version
	} else {
		where += " AND (t.version, t.id) > (" + version + ", " + a.arg(after.id) + ")"
	}
	most := fmt.Sprintf(" LIMIT %d", p.Limit+1)
	part := func(from, order string) string {
		return "SELECT * FROM (SELECT t.version, t.id, t.rowid AS r FROM " + from + " AND " + where + " ORDER BY " + order + "t.version, t.id" + most + ")"
	}
	return "WITH changed AS MATERIALIZED (SELECT * FROM (" + strings.Join([]string{
		part(ended+" AND t.touched = 0 AND t.ended_at >= "+at, "t.ended_at, "),
		part(created+" AND t.touched = 0 AND t.status = 'pending' AND t.dedupe_count = 0 AND t.claim = 0 AND t.created_at >= "+at, "t.created_at, "),
		part(held+" AND t.touched = 0 AND t.status <> 'pending'", ""),
		part("tasks t INDEXED BY tasks_altered WHERE (t.status = 'pending' AND (t.dedupe_count > 0 OR t.claim > 0) OR t.touched = 1)", ""),
	}, "\nUNION ALL ") + ") ORDER BY version, id" + most + `)
SELECT t.id, t.type, t.scope, t.status, t.progress_form, t.progress_ratio, t.progress_current, t.progress_total, t.version, t.changed_at
FROM changed c CROSS JOIN tasks t ON t.rowid = c.r ORDER BY t.version, t.id`, a
}

// addChangeSubscribers reads who is attached, for all changes at once.
func addChangeSubscribers(ctx context.Context, q querier, changes []gtf.Change) error {
	byID := make(map[string]*gtf.Change, len(changes))
	ids := make([]string, len(changes))
	for i := range changes {
		ids[i] = changes[i].ID.String()
		byID[ids[i]] = &changes[i]
	}
	rows, err := q.QueryContext(ctx, `SELECT task_id, kind, principal_id FROM subscribers
		WHERE task_id IN (SELECT value FROM json_each(?)) ORDER BY task_id, kind, principal_id`, jsonText(ids))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var sub gtf.Subscriber
		if err := rows.Scan(&id, &sub.Kind, &sub.ID); err != nil {
			return err
		}
		byID[id].Subscribers = append(byID[id].Subscribers, sub)
	}
	return rows.Err()
}
