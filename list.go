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
	// NoCount leaves out the count of a page. Default false.
	NoCount bool
	// Offset skips so many tasks, 0 to 10,000; not together with Cursor, which is faster. Default 0.
	Offset int
	// Order is the column to sort by, ties by creation. Whoever does not see everything gets at most the newest 10,000 of their
	// tasks in an order other than created_on (S11.3). Default: created_on, newest first.
	Order OrderColumn
	// PageSize is 1 to 100. Default 25.
	PageSize int
	Queues   []string
	Scopes   []Scope
	Statuses []Status
	// Text is a part of the name or the key, either case.
	Text  string
	Types []string
	// Where are further conditions; all must hold. Default none.
	Where []Condition
}

// Conditions are all filters of the list but Text, those that have a field of their own first. A store needs to know no
// other.
func (p *ListParams) Conditions() []Condition {
	var all []Condition
	add := func(given bool, c Condition) {
		if given {
			all = append(all, c)
		}
	}
	add(len(p.Statuses) > 0, Condition{Column: FilterStatus, Op: OpIn, Texts: names(p.Statuses)})
	add(len(p.Types) > 0, Condition{Column: FilterType, Op: OpIn, Texts: p.Types})
	add(len(p.Scopes) > 0, Condition{Column: FilterScope, Op: OpIn, Texts: names(p.Scopes)})
	add(len(p.Queues) > 0, Condition{Column: FilterQueue, Op: OpIn, Texts: p.Queues})
	add(!p.CreatedBy.IsZero(), Condition{Column: FilterCreatedBy, Op: OpRelated, Who: []Principal{p.CreatedBy.normal()}})
	add(!p.Subscriber.IsZero(), Condition{Column: FilterSubscribers, Op: OpRelated, Who: []Principal{p.Subscriber.normal()}})
	add(!p.CreatedAfter.IsZero(), Condition{Column: FilterCreated, Op: OpFrom, Times: []time.Time{p.CreatedAfter}})
	add(!p.CreatedBefore.IsZero(), Condition{Column: FilterCreated, Op: OpLess, Times: []time.Time{p.CreatedBefore}})
	return append(all, p.Where...)
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
	// Count is how many tasks match, exact up to MaxCount; beyond it is MaxCount and Capped is true. Capped is also true if
	// only the newest were looked at (ListParams.Order).
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
	v := ViewerFrom(ctx)
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
	if p.Offset < 0 || p.Offset > MaxCount {
		bad.add("offset", "is %d, must be 0 to %d; a cursor goes further", p.Offset, MaxCount)
	}
	if p.Offset > 0 && p.Cursor != "" {
		bad.add("offset", "is given beside a cursor")
	}
	checkText(&bad, "text", p.Text, maxKey)
	p.CreatedBy, p.Subscriber = p.CreatedBy.normal(), p.Subscriber.normal()
	all := p.Conditions()
	for i := range all {
		all[i].check(&bad)
	}
	p.Where = all[len(all)-len(p.Where):]
	return bad.err()
}

// Get returns one task. What the principal of ctx may not see is ErrNotFound, as if it did not exist (S10).
func (c *Client) Get(ctx context.Context, id ID) (*Task, error) {
	v := ViewerFrom(ctx)
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
	lines, err := c.store.Logs(ctx, id, ViewerFrom(ctx), after, limit)
	if err != nil {
		return nil, fmt.Errorf("read the logs of task %s: %w", id, err)
	}
	return lines, nil
}
