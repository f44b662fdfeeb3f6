package sqlitestore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/globaltask/gtf"
)

// List reads a page with its count in one statement and its subscribers in a second, both of one state of the file.
func (s *Store) List(ctx context.Context, p *gtf.ListParams, v gtf.Viewer) (*gtf.TaskPage, error) {
	l, err := newList(p, v)
	if err != nil {
		return nil, err
	}
	page := &gtf.TaskPage{}
	err = s.snapshot(ctx, func(q querier) error {
		if err := l.read(ctx, q, page); err != nil || len(page.Tasks) == 0 {
			return err
		}
		return addSubscribers(ctx, q, page.Tasks)
	})
	if err != nil {
		return nil, err
	}
	if page.Count > gtf.MaxCount {
		page.Count, page.Capped = gtf.MaxCount, true
	}
	return page, nil
}

// list is a list to be read.
type list struct {
	arguments
	p         *gtf.ListParams
	v         gtf.Viewer
	all       []gtf.Condition // those of the parameters, and the viewer's types
	at        *position       // where the page begins; nil: at the first row
	direction string
	seen      string   // what else must hold of rows that are found by an index: that the viewer sees them
	with      []string // common table expressions
	found     []string // selects of all that matches
}

func newList(p *gtf.ListParams, v gtf.Viewer) (*list, error) {
	l := &list{p: p, v: v, all: p.Conditions(), direction: " ASC"}
	if p.Descending {
		l.direction = " DESC"
	}
	if v.Types != nil {
		l.all = append(l.all, ofTypes(v.Types))
	}
	if p.Cursor == "" {
		return l, nil
	}
	var err error
	l.at, err = parseCursor(p.Cursor, p.Order)
	return l, err
}

func ofTypes(types []string) gtf.Condition {
	return gtf.Condition{Column: gtf.FilterType, Op: gtf.OpIn, Texts: types}
}

// read reads one row more than the page holds, to know whether there is another.
func (l *list) read(ctx context.Context, q querier, page *gtf.TaskPage) error {
	query := l.statement()
	rows, err := q.QueryContext(ctx, query, l.arguments...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var last position
	for rows.Next() {
		there := false
		if err := rows.Scan(append([]any{&page.Count, &page.Capped, &there, skip{}, skip{}}, skipTask...)...); err != nil || !there {
			return err
		}
		if len(page.Tasks) == l.p.PageSize {
			page.Next = last.cursor()
			return nil
		}
		var row taskRow
		if err := rows.Scan(append([]any{skip{}, skip{}, skip{}, &last.Value, &last.Created}, row.dest()...)...); err != nil {
			return err
		}
		task, err := row.task()
		if err != nil {
			return err
		}
		last.ID = task.ID.String()
		page.Tasks = append(page.Tasks, task)
	}
	return rows.Err()
}

// skip reads over a column.
type skip struct{}

// Scan implements sql.Scanner.
func (skip) Scan(any) error { return nil }

var skipTask = slices.Repeat([]any{skip{}}, len((&taskRow{}).dest()))

// statement gives a row for each task of the page, at least one: the count, whether only the newest were looked at, whether
// there is a task, the value sorted by, the creation, and the task.
func (l *list) statement() string {
	var count, page string
	capped := "0"
	one := slices.IndexFunc(l.all, func(c gtf.Condition) bool { return c.Column == gtf.FilterSubscribers && len(c.Who) == 1 })
	switch {
	case !l.v.All && l.p.Order != gtf.OrderCreated:
		count, capped, page = l.ofNewest()
	case !l.v.All:
		count, page = l.ofViewer()
	case one >= 0 && l.p.Order == gtf.OrderCreated:
		count, page = l.ofSubscriber(one)
	case !l.filtered():
		count, page = l.counted(created+" AND "+l.where("t")), l.ordered("")
	default:
		sources := l.sources()
		if sources == nil {
			sources = []string{created + " AND " + l.where("t")}
		}
		l.find(of(orderValues[l.p.Order]), "", sources...)
		count, page = l.foundOrWalked(l.ordered)
	}
	if l.p.NoCount {
		count, capped = "0", "0"
	}
	with := append(slices.Clone(l.with), "page AS MATERIALIZED ("+page+")")
	return "WITH RECURSIVE " + strings.Join(with, ",\n") + "\nSELECT n.count, n.capped, page.r IS NOT NULL, page.value, page.created, " + taskColumns +
		"\nFROM (SELECT " + count + " AS count, " + capped + " AS capped) n LEFT JOIN page LEFT JOIN tasks t ON t.rowid = page.r" +
		l.orderBy(row{"page.value", "page.created", "page.id"})
}

// counted counts up to one more than where a list stops counting.
func (l *list) counted(from string) string {
	return fmt.Sprintf("(SELECT count(*) FROM (SELECT 1 FROM %s LIMIT %d))", from, gtf.MaxCount+1)
}

// where are all filters on the rows of t.
func (l *list) where(t string) string {
	conditions := []string{"1"}
	for i := range l.all {
		conditions = append(conditions, l.condition(t, &l.all[i]))
	}
	if l.p.Text != "" {
		conditions = append(conditions, l.text(t, l.p.Text))
	}
	return strings.Join(conditions, " AND ")
}

// row is what a page is made of: the value to sort by, the task's creation and id, and its row.
type row struct{ value, created, id string }

// of names the columns of tasks.
func of(value string) row { return row{value, "t.created_at", "t.id"} }

func (r row) selected(from string) string {
	return "SELECT " + r.value + " AS value, " + r.created + " AS created, " + r.id + " AS id, t.rowid AS r FROM " + from
}

// behind is the condition that a row comes after the page's beginning.
func (l *list) behind(r row) string {
	if l.at == nil {
		return "1"
	}
	created, id := l.arg(l.at.Created), l.arg(l.at.ID)
	if r.value == r.created {
		return "(" + r.created + ", " + r.id + ") " + l.beyond() + " (" + created + ", " + id + ")"
	}
	return "(" + r.value + ", " + r.created + ", " + r.id + ") " + l.beyond() + " (" + l.arg(l.at.Value) + ", " + created + ", " + id + ")"
}

func (l *list) beyond() string {
	if l.p.Descending {
		return "<"
	}
	return ">"
}

func (l *list) orderBy(r row) string {
	order := " ORDER BY "
	if r.value != r.created && !strings.HasPrefix(r.value, "'") { // a text is the same in all rows
		order += r.value + l.direction + ", "
	}
	return order + r.created + l.direction + ", " + r.id + l.direction
}

// paged cuts the page, and one row more, out of rows in order.
func (l *list) paged(ifSo string) string {
	return limit(ifSo, l.p.PageSize+1) + fmt.Sprintf(" OFFSET %d", l.p.Offset)
}

// filtered reports whether there are filters that the order of creation does not help.
func (l *list) filtered() bool {
	return l.p.Text != "" || slices.ContainsFunc(l.all, func(c gtf.Condition) bool { return c.Column != gtf.FilterCreated })
}

// subscribed is a row that starts from a subscription, whose index has the order of creation.
var subscribed = row{"v.task_created", "v.task_created", "v.task_id"}

// subscriptions adds to those chosen what filters say about the creation; tasks adds all that they say.
func (l *list) subscriptions(chosen string) (subscriptions, tasks string) {
	for i := range l.all {
		if c := &l.all[i]; c.Column == gtf.FilterCreated {
			chosen += " AND v.task_created " + operators[c.Op] + " " + l.arg(wholeMicros(c.Times[0], c.Op))
		}
	}
	chosen += l.before("v.task_created")
	return "subscribers v WHERE " + chosen, "subscribers v CROSS JOIN tasks t ON t.id = v.task_id WHERE " + chosen + " AND " + l.where("+t")
}

// manySubscriptions is when to look for a way around them.
const manySubscriptions = 2000

// ofViewer lists what the viewer is subscribed to. Of many subscriptions it does not look at each if an index finds what
// matches: then it asks of that whether the viewer sees it.
func (l *list) ofViewer() (count, page string) {
	person := gtf.Principal{Kind: l.v.Kind, ID: l.v.ID}
	l.all = slices.DeleteFunc(slices.Clone(l.all), func(c gtf.Condition) bool { // all that the viewer sees matches
		return c.Column == gtf.FilterSubscribers && slices.ContainsFunc(c.Who, func(p gtf.Principal) bool { return p.Kind == person.Kind && p.ID == person.ID })
	})
	subscriptions, tasks := l.subscriptions(own(&l.arguments, person) + " AND v.hidden = 0")
	tasks += " AND " + notSystem
	walked := func(ifSo string) string {
		return subscribed.selected(tasks+" AND "+l.behind(subscribed)) + l.orderBy(subscribed) + l.paged(ifSo)
	}
	if !l.filtered() {
		return l.counted(subscriptions), walked("")
	}
	l.seen = " AND " + sees(&l.arguments, gtf.Viewer{Kind: l.v.Kind, ID: l.v.ID})
	sources := l.sources()
	if sources == nil {
		return l.counted(tasks), walked("")
	}
	l.with = append(l.with, fmt.Sprintf("own AS MATERIALIZED (SELECT count(*) AS n FROM (SELECT 1 FROM %s LIMIT %d))", subscriptions, manySubscriptions))
	l.find(subscribed, fmt.Sprintf("(SELECT n FROM own) < %d", manySubscriptions), tasks)
	l.find(of("t.created_at"), fmt.Sprintf("(SELECT n FROM own) = %d", manySubscriptions), sources...)
	return l.foundOrWalked(walked)
}

// ofSubscriber lists what the one person of a condition is subscribed to, for whoever sees all of it.
func (l *list) ofSubscriber(condition int) (count, page string) {
	person := l.all[condition].Who[0]
	l.all = slices.Delete(slices.Clone(l.all), condition, condition+1)
	var parts []string
	for _, hidden := range []string{"0", "1"} {
		_, tasks := l.subscriptions(own(&l.arguments, person) + " AND v.hidden = " + hidden)
		parts = append(parts, subscribed.selected(tasks+" AND "+l.behind(subscribed))+l.orderBy(subscribed)+l.enough(""))
	}
	subscriptions, tasks := l.subscriptions(own(&l.arguments, person) + " AND v.hidden IN (0, 1)")
	if !l.filtered() {
		tasks = subscriptions
	}
	return l.counted(tasks), l.merged(parts)
}

// ofNewest lists the newest tasks of the viewer in any order.
func (l *list) ofNewest() (count, capped, page string) {
	seen := newestOf(&l.arguments, l.v, gtf.MaxCount+1)
	from := fmt.Sprintf("(SELECT id FROM seen LIMIT %d) newest CROSS JOIN tasks t ON t.id = newest.id WHERE ", gtf.MaxCount) + l.where("+t")
	l.with = append(l.with, "seen AS MATERIALIZED ("+seen+")")
	r := of(orderValues[l.p.Order])
	return l.counted(from), fmt.Sprintf("(SELECT count(*) > %d FROM seen)", gtf.MaxCount),
		r.selected(from+" AND "+l.behind(r)) + l.orderBy(r) + l.paged("")
}

// newestOf selects the ids of the newest tasks that a viewer sees, who does not see everything.
func newestOf(a *arguments, v gtf.Viewer, limit int) string {
	from, where := visible(a, v)
	created, id := "t.created_at", "t.id"
	if !v.All {
		created, id = "v.task_created", "v.task_id"
	}
	return "SELECT " + id + " AS id FROM " + from + " WHERE " + where + " ORDER BY " + created + " DESC, " + id +
		fmt.Sprintf(" DESC LIMIT %d", limit)
}
