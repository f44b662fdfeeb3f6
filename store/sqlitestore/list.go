package sqlitestore

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/globaltask/gtf"
)

// orderColumns maps what lists sort by to columns that are never NULL.
var orderColumns = map[gtf.OrderColumn]string{
	gtf.OrderType:    "t.type",
	gtf.OrderScope:   "t.scope",
	gtf.OrderStatus:  "t.status",
	gtf.OrderCreated: "t.created_at",
	gtf.OrderChanged: "t.changed_at",
	gtf.OrderStarted: "coalesce(t.started_at, 0)",
	gtf.OrderEnded:   "coalesce(t.ended_at, 0)",
}

// position is where a page ended: the value sorted by, and the id.
type position struct {
	Value any    `json:"v"`
	ID    string `json:"id"`
}

// List reads a page in two statements, and counts in a third that gives up at the cap.
func (s *Store) List(ctx context.Context, p *gtf.ListParams, v gtf.Viewer) (*gtf.TaskPage, error) {
	from, where, args := visible(v)
	column := orderColumns[p.Order]
	if p.Order == gtf.OrderCreated && !v.All {
		column = "v.task_created" // the same value, in the index that the list walks
	}
	where, args = filter(where, args, p)
	page := &gtf.TaskPage{}
	counting, countArgs := where, append([]any{}, args...)
	direction, beyond := "ASC", ">"
	if p.Descending {
		direction, beyond = "DESC", "<"
	}
	if p.Cursor != "" {
		at, err := parseCursor(p.Cursor)
		if err != nil {
			return nil, err
		}
		where += " AND (" + column + ", t.id) " + beyond + " (?, ?)"
		args = append(args, at.Value, at.ID)
	}
	query := "SELECT " + taskColumns + ", " + column + " FROM " + from + " WHERE " + where +
		" ORDER BY " + column + " " + direction + ", t.id " + direction + " LIMIT ?"
	err := s.look(ctx, func(q querier) error {
		if err := readPage(ctx, q, page, p.PageSize, query, append(args, p.PageSize+1)); err != nil {
			return err
		}
		if len(page.Tasks) == 0 {
			return nil
		}
		return addSubscribers(ctx, q, page.Tasks)
	})
	if err != nil {
		return nil, err
	}
	err = s.look(ctx, func(q querier) error {
		return q.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM "+from+" WHERE "+counting+" LIMIT ?)",
			append(countArgs, gtf.MaxCount+1)...).Scan(&page.Count)
	})
	if page.Count > gtf.MaxCount {
		page.Count, page.Capped = gtf.MaxCount, true
	}
	return page, err
}

// readPage reads one row more than the page holds, to know whether there is another.
func readPage(ctx context.Context, q querier, page *gtf.TaskPage, size int, query string, args []any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var last position
	for rows.Next() {
		if len(page.Tasks) == size {
			page.Next = last.cursor()
			break
		}
		task, err := scanTask(scanner(func(dest ...any) error { return rows.Scan(append(dest, &last.Value)...) }))
		if err != nil {
			return err
		}
		last.ID = task.ID.String()
		page.Tasks = append(page.Tasks, task)
	}
	return rows.Err()
}

type scanner func(dest ...any) error

func (s scanner) Scan(dest ...any) error { return s(dest...) }

// filter adds the conditions of a list.
func filter(where string, args []any, p *gtf.ListParams) (string, []any) {
	add := func(condition string, values ...any) {
		where += " AND " + condition
		args = append(args, values...)
	}
	addIn(add, "t.status", p.Statuses)
	addIn(add, "t.type", p.Types)
	addIn(add, "t.scope", p.Scopes)
	addIn(add, "t.queue", p.Queues)
	if by := p.CreatedBy; !by.IsZero() {
		add("t.creator_kind = ? AND t.creator_id = ?", by.Kind, by.ID)
	}
	if sub := p.Subscriber; !sub.IsZero() {
		add("EXISTS (SELECT 1 FROM subscribers f WHERE f.task_id = t.id AND f.kind = ? AND f.principal_id = ?)", sub.Kind, sub.ID)
	}
	if !p.CreatedAfter.IsZero() {
		add("t.created_at >= ?", p.CreatedAfter.UnixMicro())
	}
	if !p.CreatedBefore.IsZero() {
		add("t.created_at < ?", p.CreatedBefore.UnixMicro())
	}
	if p.Text != "" {
		pattern := "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(p.Text) + "%"
		add(`(t.name LIKE ? ESCAPE '\' OR t.key LIKE ? ESCAPE '\')`, pattern, pattern)
	}
	return where, args
}

func addIn[T ~string](add func(string, ...any), column string, values []T) {
	if len(values) > 0 {
		add(column+" IN (SELECT value FROM json_each(?))", jsonText(values))
	}
}

func (p position) cursor() string {
	raw, _ := json.Marshal(p) // an integer or a text, and an id: always encodes
	return base64.RawURLEncoding.EncodeToString(raw)
}

// parseCursor reads what cursor wrote. Anything else is the caller's mistake.
func parseCursor(text string) (position, error) {
	var p position
	bad := &gtf.ValidationError{Problems: []gtf.Problem{{Field: "cursor", Reason: "is not one that a list gave out"}}}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return p, bad
	}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber() // microseconds do not survive a float
	if err := dec.Decode(&p); err != nil {
		return p, bad
	}
	switch v := p.Value.(type) {
	case json.Number:
		if p.Value, err = v.Int64(); err != nil {
			return p, bad
		}
	case string:
	default:
		return p, bad
	}
	if _, err := gtf.ParseID(p.ID); err != nil {
		return p, bad
	}
	return p, nil
}
