package gtf

import (
	"context"
	"fmt"
	"time"
)

// ListParams says which tasks to list; empty fields do not filter.
type ListParams struct {
	// CreatedAfter and CreatedBefore bound the creation time, the first included.
	CreatedAfter, CreatedBefore time.Time
	// CreatedBy and Subscriber name a principal by kind and id.
	CreatedBy, Subscriber Principal
	// Cursor continues a page: its Next, with all other parameters unchanged.
	Cursor string
	// Descending turns the order round. The zero ListParams are newest first, whatever this says.
	Descending bool
	// Order is the column to sort by, ties by id. Default: created_on, newest first.
	Order OrderColumn
	// PageSize is 1 to 100. Default 25.
	PageSize int
	Queues   []string
	Scopes   []Scope
	Statuses []Status
	// Text is a part of the name or the key, either case.
	Text  string
	Types []string
}

// OrderColumn is a column that lists sort by (S11.3).
type OrderColumn string

const (
	OrderType    OrderColumn = "task_type"
	OrderScope   OrderColumn = "scope"
	OrderStatus  OrderColumn = "status"
	OrderCreated OrderColumn = "created_on"
	OrderChanged OrderColumn = "changed_on"
	OrderStarted OrderColumn = "started_at"
	OrderEnded   OrderColumn = "ended_at"
)

// OrderColumns is the one list of what can be sorted by.
func OrderColumns() []OrderColumn {
	return []OrderColumn{OrderType, OrderScope, OrderStatus, OrderCreated, OrderChanged, OrderStarted, OrderEnded}
}

const (
	defaultPageSize = 25
	maxPageSize     = 100
	// MaxCount is where a list stops counting.
	MaxCount = 10_000
)

// TaskPage is one page of a list.
type TaskPage struct {
	Tasks []*Task
	// Count is how many tasks match, exact up to MaxCount; beyond it is MaxCount and Capped is true.
	Count  int
	Capped bool
	// Next is the cursor of the page behind; empty on the last.
	Next string
}

// List returns the tasks that the principal of ctx may see, all for the host (S10). nil params are the zero ones: the
// newest 25. A parameter out of range is a [*ValidationError].
func (c *Client) List(ctx context.Context, params *ListParams) (*TaskPage, error) {
	var p ListParams
	if params != nil {
		p = *params
	}
	if err := p.normalize(); err != nil {
		return nil, err
	}
	v := viewerFrom(ctx)
	page, err := c.store.List(ctx, &p, v)
	if err != nil {
		return nil, fmt.Errorf("list tasks: %w", err)
	}
	for _, t := range page.Tasks {
		t.redact(v, c.cfg.ShowStackTrace)
	}
	return page, nil
}

func (p *ListParams) normalize() error {
	var bad problems
	if p.PageSize == 0 {
		p.PageSize = defaultPageSize
	}
	if p.PageSize < 1 || p.PageSize > maxPageSize {
		bad.add("page_size", "is %d, must be 1 to %d", p.PageSize, maxPageSize)
	}
	if p.Order == "" {
		p.Order, p.Descending = OrderCreated, true
	}
	checkOneOf(&bad, "order", OrderColumns(), p.Order)
	checkOneOf(&bad, "status", Statuses(), p.Statuses...)
	checkOneOf(&bad, "scope", []Scope{ScopePrivate, ScopeShared, ScopeSystem}, p.Scopes...)
	p.CreatedBy, p.Subscriber = p.CreatedBy.normal(), p.Subscriber.normal()
	return bad.err()
}

// Get returns one task. What the principal of ctx may not see is ErrNotFound, as if it did not exist (S10).
func (c *Client) Get(ctx context.Context, id ID) (*Task, error) {
	v := viewerFrom(ctx)
	t, err := c.store.Get(ctx, id, v)
	if err != nil {
		return nil, fmt.Errorf("get task %s: %w", id, err)
	}
	t.redact(v, c.cfg.ShowStackTrace)
	return t, nil
}

// Logs returns the lines that a task logged after the line numbered after, oldest first, at most limit (1 to 10,000,
// default 1,000). Numbers have gaps where lines were dropped.
func (c *Client) Logs(ctx context.Context, id ID, after int64, limit int) ([]LogLine, error) {
	if limit == 0 {
		limit = 1000
	}
	if limit < 1 || limit > MaxLogLines {
		return nil, &ValidationError{[]Problem{{"limit", fmt.Sprintf("is %d, must be 1 to %d", limit, MaxLogLines)}}}
	}
	lines, err := c.store.Logs(ctx, id, viewerFrom(ctx), after, limit)
	if err != nil {
		return nil, fmt.Errorf("read the logs of task %s: %w", id, err)
	}
	return lines, nil
}
