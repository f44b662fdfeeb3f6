package pgstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/globaltask/gtf"
)

// planning is how lists are planned: for the arguments at hand, because a rare status wants another plan than a common one,
// and without what pays only for seconds of work. It goes with the page in one round trip.
const planning = `SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('jit', 'off', true),
	set_config('enable_seqscan', 'off', true), set_config('random_page_cost', '1.1', true),
	set_config('max_parallel_workers_per_gather', '0', true), set_config('statement_timeout', $1, true)`

// lookPlanned is look for a statement that walks over many rows.
func (s *Store) lookPlanned(ctx context.Context, query string, args []any, row func(row scanner) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.StatementTimeout)
	defer cancel()
	b := &pgx.Batch{}
	b.Queue(planning, millis(s.opts.StatementTimeout))
	s.queue(b, []statement{{query, args, row}})
	return explain(s.pool.SendBatch(ctx, b).Close())
}

// List reads a page with its count, and then its subscribers.
func (s *Store) List(ctx context.Context, p *gtf.ListParams, v gtf.Viewer) (*gtf.TaskPage, error) {
	l, err := newList(p, v)
	if err != nil {
		return nil, err
	}
	page := &gtf.TaskPage{}
	last := position{Time: l.order.instant}
	err = s.lookPlanned(ctx, l.statement(p), l.args, func(row scanner) error {
		there := false
		if err := row(append([]any{&page.Count, &page.Capped, &there, nil}, skippedTask...)...); err != nil || !there {
			return err
		}
		if len(page.Tasks) == p.PageSize { // one more than the page holds: there is another
			page.Next = last.cursor()
			return nil
		}
		var read taskRow
		if err := row(append([]any{nil, nil, nil, last.dest()}, read.dest()...)...); err != nil {
			return err
		}
		task, err := read.read()
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
	if page.Count > gtf.MaxCount {
		page.Count, page.Capped = gtf.MaxCount, true
	}
	if len(page.Tasks) == 0 {
		return page, nil
	}
	return page, addSubscribers(ctx, single{s}, page.Tasks)
}

// ordering is a column to sort by. What has ended may have it in another one, which is in an index.
type ordering struct {
	column, ended string
	instant       bool
}

var orderings = map[gtf.OrderColumn]ordering{
	gtf.OrderType:    {`t.type COLLATE "C"`, `t.type COLLATE "C"`, false},
	gtf.OrderScope:   {`t.scope COLLATE "C"`, `t.scope COLLATE "C"`, false},
	gtf.OrderStatus:  {`t.status COLLATE "C"`, `t.status COLLATE "C"`, false},
	gtf.OrderCreated: {"t.created_at", "t.created_at", true},
	gtf.OrderChanged: {"t.changed_at", "t.ended_at", true}, // the same instant
	gtf.OrderStarted: {"coalesce(t.started_at, 'epoch')", "t.started_at", true},
	gtf.OrderEnded:   {"coalesce(t.ended_at, 'epoch')", "t.ended_at", true},
}

// list is what a statement lists: rows that match, from parts that have an index each.
type list struct {
	conditions
	by       gtf.OrderColumn
	order    ordering
	id       string // of a row, in the index that gives its order
	desc     bool
	at       *position // where the page begins; nil: at the first row
	filtered bool      // by more than the time of creation
	person   bool      // the rows are those of one person's subscriptions
	merged   bool      // whose index is read along with one of tasks
	parts    []listPart
	window   string // what is looked at instead of the parts, if only the newest are
}

// listPart is some of the rows.
type listPart struct {
	where string
	ended bool
	value string // that all of them have in the column sorted by; empty: several
	never bool   // what the column tells has not happened to any of them
}

// The three parts.
const (
	isPending = "t.status = 'pending' AND t.version > 0" // as the index has it
	isRunning = "t.worker IS NOT NULL AND t.status IN ('pending', 'in_progress', 'aborting') AND t.status <> 'pending'"
	hasEnded  = "t.ended_at IS NOT NULL"
)

func newList(p *gtf.ListParams, v gtf.Viewer) (*list, error) {
	all := p.Conditions()
	l := &list{by: p.Order, order: orderings[p.Order], id: "t.id", desc: p.Descending}
	if p.Cursor != "" {
		var err error
		if l.at, err = parseCursor(p.Cursor, l.order.instant); err != nil {
			return nil, err
		}
	}
	windowed := !v.All && p.Order != gtf.OrderCreated
	if windowed {
		newest := newestOf(v)
		l.conditions = newest.conditions
		l.window = newest.rows(gtf.MaxCount+1, true)
		l.from, l.text = "(SELECT id FROM seen LIMIT "+l.arg(gtf.MaxCount)+") s JOIN gtf.tasks t ON t.id = s.id", "true"
	} else {
		all = l.begin(v, all)
	}
	for i := range all {
		l.filter(&all[i])
	}
	if p.Text != "" {
		l.filterPart(p.Text, `t.name COLLATE "C"`, `t.key COLLATE "C"`)
	}
	l.filtered = p.Text != "" || slices.ContainsFunc(all, func(c gtf.Condition) bool { return c.Column != gtf.FilterCreated })
	if windowed {
		l.parts = []listPart{{where: "true"}}
	} else {
		l.part(v, all)
	}
	return l, nil
}

// newestOf lists what a viewer sees, the newest first.
func newestOf(v gtf.Viewer) *list {
	l := &list{by: gtf.OrderCreated, order: orderings[gtf.OrderCreated], id: "t.id", desc: true}
	l.begin(v, nil)
	l.part(v, nil)
	return l
}

// begin says where the rows come from: the viewer's own subscriptions, or those of the one person that an admin filters by,
// whose index has the order of creation. It returns the conditions that are left.
func (l *list) begin(v gtf.Viewer, all []gtf.Condition) []gtf.Condition {
	one := slices.IndexFunc(all, func(c gtf.Condition) bool { return c.Column == gtf.FilterSubscribers && len(c.Who) == 1 })
	switch {
	case !v.All:
		l.conditions = *visible(v)
	case one >= 0:
		l.conditions = *subscribedBy(all[one].Who[0])
		l.narrow(v.Types)
		all = slices.Delete(slices.Clone(all), one, one+1)
	default:
		l.conditions = *visible(v)
		return all
	}
	l.person = true
	if l.by == gtf.OrderCreated {
		l.order.column, l.order.ended, l.id = "v.task_created", "v.task_created", "v.task_id"
	}
	return all
}

// part takes the rows apart by what indexes hold: each part comes in order from one of them.
func (l *list) part(v gtf.Viewer, all []gtf.Condition) {
	statuses := possible(all)
	badly := !slices.ContainsFunc(statuses, func(s gtf.Status) bool { return s.Active() || s == gtf.StatusSuccess })
	others := slices.ContainsFunc(all, func(c gtf.Condition) bool {
		return c.Column != gtf.FilterStatus && c.Column != gtf.FilterCreated
	})
	// Two indexes with the same order, side by side. Where most rows of one are passed over the planner would not see that a page
	// is soon full.
	l.merged = l.person && l.by == gtf.OrderCreated && (!l.filtered || badly)
	for _, status := range statuses {
		part := listPart{where: hasEnded, ended: status.Terminal()}
		switch {
		case status == gtf.StatusPending:
			part.where = isPending
		case status.Active():
			part.where = isRunning
		}
		if l.by == gtf.OrderStatus {
			part.value = string(status)
		}
		if is := "t.status = '" + string(status) + "'"; badly && !others {
			part.where = is // all of it is in tasks_ended_badly
		} else if badly || l.by == gtf.OrderStatus {
			part.where += " AND " + is
		}
		if !slices.Contains(l.parts, part) {
			l.parts = append(l.parts, part)
		}
	}
	if len(statuses) == 0 {
		l.parts = []listPart{{where: "false"}}
	}
	switch l.by {
	case gtf.OrderScope, gtf.OrderType:
		l.partByScope()
		return
	case gtf.OrderStarted, gtf.OrderEnded:
		l.partNever()
	}
	for i := range l.parts {
		if l.parts[i].ended {
			l.parts[i].where += l.leading(v, all)
		}
	}
}

// leading names every scope, and every type, where a list filters by what comes behind them in the index tasks_ended_type.
func (l *list) leading(v gtf.Viewer, all []gtf.Condition) (conditions string) {
	byType := v.Types != nil || fixed(all, gtf.FilterType)
	byQueue := fixed(all, gtf.FilterQueue)
	if (byType || byQueue) && !fixed(all, gtf.FilterScope) {
		conditions += ` AND t.scope COLLATE "C" = ANY ('{private,shared,system}'::text[])`
	}
	if byQueue && !byType && !l.person {
		conditions += ` AND t.type COLLATE "C" = ANY (ARRAY(` + endedTypes + `))`
	}
	return conditions
}

func (l *list) partByScope() {
	var parts []listPart
	for _, part := range l.parts {
		for _, scope := range gtf.Scopes() {
			is := listPart{where: part.where + ` AND t.scope COLLATE "C" = '` + string(scope) + "'", ended: part.ended}
			if l.by == gtf.OrderScope {
				is.value = string(scope)
			}
			parts = append(parts, is)
		}
	}
	l.parts = parts
}

// partNever puts aside what was not started, or has not ended: it comes as if that had been at the beginning of time.
func (l *list) partNever() {
	var parts []listPart
	for _, part := range l.parts {
		switch {
		case !part.ended && (l.by == gtf.OrderEnded || part.where == isPending):
			part.never = true
		case part.ended && l.by == gtf.OrderStarted:
			parts = append(parts, listPart{where: part.where + " AND t.started_at IS NULL", ended: true, never: true})
			part.where += " AND t.started_at IS NOT NULL"
		}
		parts = append(parts, part)
	}
	l.parts = parts
}

// statement gives a row for each task of the page, at least one: the count, whether only a part was looked at, whether there
// is a task, the value sorted by, and the task.
func (l *list) statement(p *gtf.ListParams) string {
	var with []string
	if l.window != "" {
		with = append(with, "seen AS MATERIALIZED ("+l.window+")")
	}
	take := p.Offset + p.PageSize + 1
	// With filters the way to the rows is what costs: then what is counted is also the page.
	once := !p.NoCount && l.at == nil && l.filtered && l.by == gtf.OrderCreated
	if once {
		take = max(take, gtf.MaxCount+1)
	}
	with = append(with, "found AS MATERIALIZED ("+l.rows(take, true)+")")
	count := "0"
	if once {
		count = fmt.Sprintf("(SELECT count(*) FROM (SELECT 1 FROM found LIMIT %d) c)", gtf.MaxCount+1)
	} else if !p.NoCount {
		at := l.at
		l.at = nil
		count = "(SELECT count(*) FROM (" + l.rows(gtf.MaxCount+1, false) + ") c)"
		l.at = at
	}
	capped := "false"
	if l.window != "" && !p.NoCount {
		capped = fmt.Sprintf("(SELECT count(*) > %d FROM seen)", gtf.MaxCount)
	}
	with = append(with, "page AS MATERIALIZED (SELECT value, id FROM found"+l.orderBy("value", "id", false)+
		fmt.Sprintf(" OFFSET %d LIMIT %d)", p.Offset, p.PageSize+1))
	return "WITH " + strings.Join(with, ",\n") + "\nSELECT n.count, n.capped, t.id IS NOT NULL, page.value, " + taskColumns +
		"\nFROM (SELECT " + count + " AS count, " + capped + " AS capped) n LEFT JOIN page ON true LEFT JOIN gtf.tasks t ON t.id = page.id" +
		l.orderBy("page.value", "page.id", false)
}

// rows selects value and id of the rows that match, so many at most: from the page's beginning on and in order, or any of them.
func (l *list) rows(limit int, inOrder bool) string {
	most := fmt.Sprintf(" LIMIT %d", limit)
	parts := make([]string, len(l.parts))
	for i, part := range l.parts {
		column, where := l.order.column, l.text+" AND "+part.where
		if part.ended {
			column, where = l.order.ended, strings.ReplaceAll(where, "t.changed_at", "t.ended_at") // the same instant, and in an index
		}
		if part.never {
			column = "'epoch'::timestamptz"
		}
		if l.person {
			where = strings.ReplaceAll(where, "t.created_at", "v.task_created")
		}
		if l.merged {
			where += " AND t.created_at = v.task_created"
		}
		if inOrder && l.at != nil {
			where += " AND " + l.behind(column, part)
		}
		parts[i] = "(SELECT " + column + " AS value, " + l.id + " AS id FROM " + l.from + " WHERE " + where
		if inOrder {
			parts[i] += l.orderBy(column, l.id, part.value != "" || part.never)
		}
		parts[i] += most + ")"
	}
	query := "SELECT value, id FROM (" + strings.Join(parts, "\nUNION ALL ") + ") u"
	if inOrder {
		query += l.orderBy("value", "id", false)
	}
	return query + most
}

// behind is the condition that rows of a part come after the page's beginning.
func (l *list) behind(column string, part listPart) string {
	sign := ">"
	if l.desc {
		sign = "<"
	}
	order := strings.Compare(part.value, l.at.Text)
	if part.never {
		order = cmp.Compare(0, l.at.At)
	}
	switch {
	case part.value == "" && !part.never:
		return "(" + column + ", " + l.id + ") " + sign + " (" + l.arg(l.at.value()) + ", " + l.arg(l.at.ID) + "::uuid)"
	case order == 0:
		return l.id + " " + sign + " " + l.arg(l.at.ID) + "::uuid"
	case order > 0 == l.desc:
		return "false"
	}
	return "true"
}

// orderBy is the order of rows. Those that have the same value in the column go by id alone, as an index may have them.
func (l *list) orderBy(column, id string, same bool) string {
	direction := " ASC"
	if l.desc {
		direction = " DESC"
	}
	if same {
		return " ORDER BY " + id + direction
	}
	if !l.order.instant && !strings.Contains(column, "COLLATE") {
		column += collated
	}
	return " ORDER BY " + column + direction + ", " + id + direction
}
