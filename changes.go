package gtf

import (
	"context"
	"fmt"
)

// ChangesParams says which changes to read.
type ChangesParams struct {
	// After is the Cursor of earlier Changes. Default: no changes, but a cursor that begins now.
	After string
	// Limit is how many tasks to return at most, 1 to 1,000. Default 1,000.
	Limit int
	// Subscribers also reads who is attached to the tasks. Default false.
	Subscribers bool
	// Types narrows it to tasks of these types. Default all.
	Types []string
}

// MaxChanges is how many changes are read at once.
const MaxChanges = 1000

// Changes are tasks that have changed, in the order of commits as far as one is known.
type Changes struct {
	Tasks []Change
	// Cursor continues behind these changes, in any process of the store.
	Cursor string
	// More says that there are more changes already.
	More bool
	// Reset says that the store cannot tell what changed since the cursor, for instance since it was restored from a backup:
	// everything may have. Tasks is empty, and Cursor begins anew.
	Reset bool
}

// Change is a task that has changed, as it is now.
type Change struct {
	ID          ID
	Type        string
	Scope       Scope
	Status      Status
	Progress    Progress
	Version     int64
	Subscribers []Subscriber // if they were asked for: kind and id
}

// Changes returns what changed since a cursor among the tasks that the principal of ctx may see, all for the host (S10).
// The cursor follows the order of commits: no change is ever missed, however long its transaction took, while one may be
// told again. It is good in every process. nil params are the zero ones.
func (c *Client) Changes(ctx context.Context, params *ChangesParams) (*Changes, error) {
	var p ChangesParams
	if params != nil {
		p = *params
	}
	if p.Limit == 0 {
		p.Limit = MaxChanges
	}
	var bad problems
	if p.Limit < 1 || p.Limit > MaxChanges {
		bad.add("limit", "is %d, must be 1 to %d", p.Limit, MaxChanges)
	}
	for _, typ := range p.Types {
		checkText(&bad, "types", typ, maxName)
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	changes, err := c.store.Changes(ctx, &p, ViewerFrom(ctx))
	if err != nil {
		return nil, fmt.Errorf("read changes: %w", err)
	}
	return changes, nil
}
