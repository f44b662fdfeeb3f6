package gtf

import (
	"context"
	"fmt"
	"slices"
)

// DistinctParams says which values to list.
type DistinctParams struct {
	// Column is created_by, subscribers, task_type or queue.
	Column FilterColumn
	// Limit is how many values to return at most, 1 to 100. Default 100.
	Limit int
	// Text is a part of the value, or of the name of a person, either case. Default all.
	Text string
}

// DistinctValue is one value of a column.
type DistinctValue struct {
	// Value is the type or the queue; of people the id.
	Value string
	// Kind is that of a person.
	Kind PrincipalKind
	// Name is that of a person, or the id if none is known; otherwise it is the Value.
	Name string
}

// DistinctColumns are those whose values can be listed.
func DistinctColumns() []FilterColumn {
	return []FilterColumn{FilterCreatedBy, FilterSubscribers, FilterType, FilterQueue}
}

// Distinct lists the values of a column among the tasks that the principal of ctx may see, in order of their text, to
// choose a filter from.
func (c *Client) Distinct(ctx context.Context, params *DistinctParams) ([]DistinctValue, error) {
	var p DistinctParams
	if params != nil {
		p = *params
	}
	if p.Limit == 0 {
		p.Limit = maxPageSize
	}
	var bad problems
	if p.Limit < 1 || p.Limit > maxPageSize {
		bad.add("limit", "is %d, must be 1 to %d", p.Limit, maxPageSize)
	}
	if !slices.Contains(DistinctColumns(), p.Column) {
		bad.add("column", "%.60q is not one of %v", string(p.Column), DistinctColumns())
	}
	checkText(&bad, "text", p.Text, maxKey)
	if err := bad.err(); err != nil {
		return nil, err
	}
	values, err := c.store.Distinct(ctx, &p, ViewerFrom(ctx))
	if err != nil {
		return nil, fmt.Errorf("list values of %s: %w", p.Column, err)
	}
	return values, nil
}

// Status returns the status of a task, the cheapest way to poll one; ErrNotFound as in Get.
func (c *Client) Status(ctx context.Context, id ID) (Status, error) {
	status, err := c.store.Status(ctx, id, ViewerFrom(ctx))
	if err != nil {
		return "", fmt.Errorf("get the status of task %s: %w", id, err)
	}
	return status, nil
}
