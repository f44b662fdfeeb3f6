package pgstore

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/globaltask/gtf"
)

// orderColumns maps what lists sort by to columns that are never NULL.
var orderColumns = map[gtf.OrderColumn]struct {
	name string
	time bool
}{
	gtf.OrderType:    {"t.type", false},
	gtf.OrderScope:   {"t.scope", false},
	gtf.OrderStatus:  {"t.status", false},
	gtf.OrderCreated: {"t.created_at", true},
	gtf.OrderChanged: {"t.changed_at", true},
	gtf.OrderStarted: {"coalesce(t.started_at, 'epoch')", true},
	gtf.OrderEnded:   {"coalesce(t.ended_at, 'epoch')", true},
}

// position is where a page ended: the value sorted by, a text or microseconds, and the id.
type position struct {
	Text string    `json:"t,omitempty"`
	At   int64     `json:"a,omitempty"`
	Time bool      `json:"m,omitempty"` // At is meant
	ID   string    `json:"id"`
	at   time.Time // read
}

// List reads a page in two statements, and counts in a third that gives up at the cap.
func (s *Store) List(ctx context.Context, p *gtf.ListParams, v gtf.Viewer) (*gtf.TaskPage, error) {
	c := visible(v)
	c.filter(p)
	counted := *c
	order := orderColumns[p.Order]
	if p.Order == gtf.OrderCreated && !v.All {
		order.name = "v.task_created" // the same value, in the index that the list walks
	}
	direction, beyond := "ASC", ">"
	if p.Descending {
		direction, beyond = "DESC", "<"
	}
	if p.Cursor != "" {
		at, err := parseCursor(p.Cursor, order.time)
		if err != nil {
			return nil, err
		}
		c.and("("+order.name+", t.id) "+beyond+" (?, ?::uuid)", at.value(), at.ID)
	}
	query := "SELECT " + order.name + ", " + taskColumns + " FROM " + c.from + " WHERE " + c.text +
		" ORDER BY " + order.name + " " + direction + ", t.id " + direction + " LIMIT " + c.arg(p.PageSize+1)
	page := &gtf.TaskPage{}
	last := position{Time: order.time}
	err := s.look(ctx, query, c.args, func(row scanner) error {
		if len(page.Tasks) == p.PageSize { // one more than the page holds: there is another
			page.Next = last.cursor()
			return nil
		}
		task, err := scanTask(func(dest ...any) error { return row(append([]any{last.dest()}, dest...)...) })
		if err != nil {
			return err
		}
		last.ID = task.ID.String()
		page.Tasks = append(page.Tasks, task)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(page.Tasks) > 0 {
		if err := addSubscribers(ctx, single{s}, page.Tasks); err != nil {
			return nil, err
		}
	}
	limit := counted.arg(gtf.MaxCount + 1)
	err = s.look(ctx, "SELECT count(*) FROM (SELECT 1 FROM "+counted.from+" WHERE "+counted.text+" LIMIT "+limit+") c", counted.args,
		func(row scanner) error { return row(&page.Count) })
	if page.Count > gtf.MaxCount {
		page.Count, page.Capped = gtf.MaxCount, true
	}
	return page, err
}

// filter adds the conditions of a list.
func (c *conditions) filter(p *gtf.ListParams) {
	addIn(c, "t.status", p.Statuses)
	addIn(c, "t.type", p.Types)
	addIn(c, "t.scope", p.Scopes)
	addIn(c, "t.queue", p.Queues)
	if by := p.CreatedBy; !by.IsZero() {
		c.and("t.creator_kind = ? AND t.creator_id = ?", string(by.Kind), by.ID)
	}
	if sub := p.Subscriber; !sub.IsZero() {
		c.and("EXISTS (SELECT 1 FROM gtf.subscribers f WHERE f.task_id = t.id AND f.kind = ? AND f.principal_id = ?)", string(sub.Kind), sub.ID)
	}
	if !p.CreatedAfter.IsZero() {
		c.and("t.created_at >= ?", p.CreatedAfter)
	}
	if !p.CreatedBefore.IsZero() {
		c.and("t.created_at < ?", p.CreatedBefore)
	}
	if p.Text != "" {
		pattern := "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(p.Text) + "%"
		c.and("(t.name ILIKE ? OR t.key ILIKE ?)", pattern, pattern)
	}
}

func addIn[T ~string](c *conditions, column string, values []T) {
	if len(values) == 0 {
		return
	}
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = string(v)
	}
	c.and(column+" = ANY (?::text[])", texts)
}

// dest is where the value of a row is read into.
func (p *position) dest() any {
	if p.Time {
		return instant{&p.at}
	}
	return &p.Text
}

// value is the argument to continue from.
func (p *position) value() any {
	if p.Time {
		return time.UnixMicro(p.At)
	}
	return p.Text
}

func (p *position) cursor() string {
	if p.Time {
		p.At = p.at.UnixMicro()
	}
	raw, _ := json.Marshal(p) // texts and numbers: always encodes
	return base64.RawURLEncoding.EncodeToString(raw)
}

// parseCursor reads what cursor wrote for the same order. Anything else is the caller's mistake.
func parseCursor(text string, isTime bool) (*position, error) {
	p := &position{}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, p)
	}
	if err == nil {
		_, err = gtf.ParseID(p.ID)
	}
	if err == nil && (p.Time != isTime || strings.ContainsRune(p.Text, 0)) {
		err = fmt.Errorf("of another order")
	}
	if err != nil {
		return nil, &gtf.ValidationError{Problems: []gtf.Problem{{Field: "cursor", Reason: "is not one that a list gave out"}}}
	}
	return p, nil
}
