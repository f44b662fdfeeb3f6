package sqlitestore

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/globaltask/gtf"
)

// orderValues are what lists sort by, never NULL.
var orderValues = map[gtf.OrderColumn]string{
	gtf.OrderType:    "t.type",
	gtf.OrderScope:   "t.scope",
	gtf.OrderStatus:  "t.status",
	gtf.OrderCreated: "t.created_at",
	gtf.OrderChanged: "t.changed_at",
	gtf.OrderStarted: "coalesce(t.started_at, 0)",
	gtf.OrderEnded:   "coalesce(t.ended_at, 0)",
}

// Where rows are read from. Each index is asked for by name, for without statistics SQLite rather reads the table; and what a
// partial one holds is repeated to the letter. The first three, without what a worker holds of it, are what is pending.
const (
	waiting    = `tasks t INDEXED BY tasks_queue WHERE t.status = 'pending' AND t.mode = 'async' AND t.unmet = 0`
	blocked    = `tasks t INDEXED BY tasks_unmet WHERE t.status = 'pending' AND t.unmet > 0 AND t.worker IS NULL`
	held       = `tasks t INDEXED BY tasks_held WHERE t.worker IS NOT NULL AND t.ended_at IS NULL`
	ended      = `tasks t INDEXED BY tasks_ended WHERE t.ended_at IS NOT NULL`
	startedSet = `tasks t INDEXED BY tasks_started WHERE t.ended_at IS NOT NULL`
	endedBadly = `tasks t INDEXED BY tasks_ended_badly WHERE (t.status = 'failure' OR t.status = 'aborted' OR t.status = 'timed_out')`
	created    = `tasks t INDEXED BY tasks_created WHERE 1`
	nothing    = created + ` AND 0`
	ofKind     = `kinds k CROSS JOIN tasks t INDEXED BY tasks_kind ON t.scope = k.scope AND t.type = k.type AND t.queue = k.queue WHERE 1`
)

// active is what has not ended.
var active = []string{waiting, blocked, held}

// withStatus is where the tasks in a status are. What has succeeded has no index, being most.
func withStatus(status gtf.Status) []string {
	is := " AND t.status = '" + string(status) + "'"
	switch status {
	case gtf.StatusPending:
		return []string{waiting, blocked, held + is}
	case gtf.StatusInProgress, gtf.StatusAborting:
		return []string{held + is}
	case gtf.StatusSuccess:
		return []string{created + " AND +t.status = 'success'"}
	}
	return []string{endedBadly + is}
}

// kinds is each combination of scope, type and queue that there is: one look into tasks_kind for each.
const kinds = `kinds AS (
	SELECT * FROM (SELECT scope, type, queue FROM tasks ORDER BY scope, type, queue LIMIT 1)
	UNION ALL
	SELECT n.scope, n.type, n.queue FROM kinds k JOIN tasks n ON n.rowid = coalesce(
		(SELECT rowid FROM tasks WHERE scope = k.scope AND type = k.type AND queue > k.queue ORDER BY queue LIMIT 1),
		(SELECT rowid FROM tasks WHERE scope = k.scope AND type > k.type ORDER BY type, queue LIMIT 1),
		(SELECT rowid FROM tasks WHERE scope > k.scope ORDER BY scope, type, queue LIMIT 1)))`

// ordered walks the rows in order, as indexes have it, and filters them on the way, if a condition holds. That is quick if much
// matches, or nothing is filtered.
func (l *list) ordered(ifSo string) string {
	var parts []string
	add := func(value string, froms ...string) {
		r := of(value)
		for _, from := range froms {
			parts = append(parts, r.selected(from+" AND "+l.where("+t")+" AND "+l.behind(r))+l.orderBy(r)+l.enough(ifSo))
		}
	}
	value := orderValues[l.p.Order]
	switch {
	case l.p.Order == gtf.OrderType, l.p.Order == gtf.OrderScope, l.p.Order == gtf.OrderCreated && l.filtersKinds():
		return l.byKind(ifSo)
	case l.p.Order == gtf.OrderCreated:
		r := of(value)
		return r.selected(created+" AND "+l.where("t")+l.before("t.created_at")+" AND "+l.behind(r)) + l.orderBy(r) + l.paged(ifSo)
	case l.p.Order == gtf.OrderStatus:
		for _, status := range possible(l.all) {
			add("'"+string(status)+"'", withStatus(status)...)
		}
		return l.merged(parts)
	case l.p.Order == gtf.OrderStarted:
		add(value, startedSet)
	default: // the last change is the end
		add("t.ended_at", ended)
	}
	add(value, active...)
	return l.merged(parts)
}

// stepBack is more than a clock is ever set back.
const stepBack = 24 * time.Hour

// before adds what filters say about the creation: nothing changes, starts or ends before.
func (l *list) before(created string) string {
	var where strings.Builder
	for i := range l.all {
		if c := &l.all[i]; c.Op == gtf.OpLess && c.Column != gtf.FilterCreated {
			where.WriteString(" AND " + created + " < " + l.arg(c.Times[0].Add(stepBack).UnixMicro()))
		}
	}
	return where.String()
}

// enough is as much of a part as the page can need.
func (l *list) enough(ifSo string) string { return limit(ifSo, l.p.Offset+l.p.PageSize+1) }

// limit is 0 unless a condition holds. Only so does SQLite not even begin: a condition on the rows it would test with each.
func limit(ifSo string, n int) string {
	if ifSo == "" {
		return fmt.Sprintf(" LIMIT %d", n)
	}
	return fmt.Sprintf(" LIMIT CASE WHEN %s THEN %d ELSE 0 END", ifSo, n)
}

// merged cuts the page out of several parts.
func (l *list) merged(parts []string) string {
	if len(parts) == 0 {
		parts = []string{of("0").selected(nothing)}
	}
	return "SELECT * FROM (SELECT * FROM (" + strings.Join(parts, ")\nUNION ALL SELECT * FROM (") + "))" +
		l.orderBy(row{"value", "created", "id"}) + l.paged("")
}

// byKind takes the first rows of every kind in the order of creation.
func (l *list) byKind(ifSo string) string {
	l.needKinds()
	value := orderValues[l.p.Order]
	inKind := strings.Replace(value, "t.", "k.", 1)
	part := func(kinds, rows string) string {
		return of(value).selected("kinds k CROSS JOIN tasks t ON t.rowid IN (SELECT s.rowid FROM tasks s INDEXED BY tasks_kind" +
			" WHERE s.scope = k.scope AND s.type = k.type AND s.queue = k.queue AND " + rows + " AND " + l.others("+s") +
			" ORDER BY s.created_at" + l.direction + ", s.id" + l.direction + l.enough(ifSo) + ") WHERE " + l.ofKinds() + " AND " + kinds)
	}
	if l.at == nil {
		return l.merged([]string{part("1", "1")})
	}
	behind := "(s.created_at, s.id) " + l.beyond() + " (" + l.arg(l.at.Created) + ", " + l.arg(l.at.ID) + ")"
	if l.p.Order == gtf.OrderCreated {
		return l.merged([]string{part("1", behind)})
	}
	at := l.arg(l.at.Value)
	return l.merged([]string{part(inKind+" = "+at, behind), part(inKind+" "+l.beyond()+" "+at, "1")})
}

func (l *list) needKinds() {
	if !slices.Contains(l.with, kinds) {
		l.with = append(l.with, kinds)
	}
}

// find says where to find all that matches, if a condition holds.
func (l *list) find(r row, ifSo string, from ...string) {
	for _, f := range from {
		l.found = append(l.found, r.selected(f)+limit(ifSo, gtf.MaxCount+1))
	}
}

// foundOrWalked first finds what matches, but no more than can be counted. If that is all, it is sorted; if there is more,
// walking in order meets a page of it soon.
func (l *list) foundOrWalked(walked func(ifSo string) string) (count, page string) {
	l.with = append(l.with, "found AS MATERIALIZED (SELECT * FROM ("+strings.Join(l.found, ")\nUNION ALL SELECT * FROM (")+
		fmt.Sprintf(") LIMIT %d)", gtf.MaxCount+1), "total AS MATERIALIZED (SELECT count(*) AS n FROM found)")
	few := fmt.Sprintf("(SELECT n FROM total) <= %d", gtf.MaxCount)
	many := fmt.Sprintf("(SELECT n FROM total) > %d", gtf.MaxCount)
	r := row{"value", "created", "id"}
	return "(SELECT n FROM total)", "SELECT * FROM (SELECT * FROM found WHERE " + l.behind(r) + l.orderBy(r) + l.paged(few) +
		")\nUNION ALL SELECT * FROM (" + walked(many) + ")"
}

// sources say from where to read all that matches, by indexes that hold little else; nil if there are none.
func (l *list) sources() []string {
	filtered := func(froms ...string) []string {
		for i, from := range froms {
			froms[i] = from + " AND " + l.where("+t") + l.seen
		}
		return froms
	}
	for i := range l.all {
		c := &l.all[i]
		named := c.Op == gtf.OpEqual || c.Op == gtf.OpIn
		switch {
		case c.Column == gtf.FilterID && named:
			return filtered("tasks t WHERE " + l.condition("t", c))
		case c.Column == gtf.FilterKey && named:
			return filtered("tasks t INDEXED BY tasks_key WHERE t.key <> t.id AND "+l.condition("t", c),
				"tasks t WHERE t.key = t.id AND t.id IN "+l.list(c.Texts))
		case c.Column == gtf.FilterCreatedBy:
			createdBy := l.ofPeople(c.Who, "tasks t INDEXED BY tasks_creator WHERE t.creator_id <> '' AND t.creator_kind = {kind} AND t.creator_id = {id}")
			return filtered(append(createdBy, nothing)...)
		case c.Column == gtf.FilterSubscribers:
			attached := l.ofPeople(c.Who, "SELECT task_id FROM subscribers WHERE kind = {kind} AND principal_id = {id} AND hidden IN (0, 1)")
			return filtered("tasks t WHERE t.id IN (" + strings.Join(append(attached, "SELECT NULL"), " UNION ") + ")")
		}
	}
	if statuses := possible(l.all); !slices.Contains(statuses, gtf.StatusSuccess) {
		froms := []string{nothing}
		for _, status := range statuses {
			froms = append(froms, withStatus(status)...)
		}
		return filtered(froms...)
	}
	switch {
	case l.filtersKinds():
		l.needKinds()
		return []string{ofKind + " AND " + l.ofKinds() + " AND " + l.others("+t") + l.seen}
	case on(l.all, gtf.FilterStarted):
		past := strings.ReplaceAll(l.where("+t"), "+t.started_at", "coalesce(t.started_at, 0)") + " AND t.started_at IS NOT NULL"
		return append([]string{startedSet + " AND " + past + l.seen}, filtered(slices.Clone(active)...)...)
	case on(l.all, gtf.FilterChanged, gtf.FilterEnded):
		past := strings.NewReplacer("+t.ended_at", "t.ended_at", "+t.changed_at", "t.ended_at").Replace(l.where("+t")) // the last change is the end
		return append([]string{ended + " AND " + past + l.seen}, filtered(slices.Clone(active)...)...)
	}
	return nil
}

// ofPeople makes one text for each person, once: with their kind and id.
func (l *list) ofPeople(people []gtf.Principal, text string) []string {
	texts := []string{}
	seen := map[[2]string]bool{}
	for _, p := range people {
		if key := [2]string{string(p.Kind), p.ID}; !seen[key] {
			seen[key] = true
			texts = append(texts, strings.NewReplacer("{kind}", l.arg(p.Kind), "{id}", l.arg(p.ID)).Replace(text))
		}
	}
	return texts
}

// kindColumns are the columns of kinds.
var kindColumns = []gtf.FilterColumn{gtf.FilterScope, gtf.FilterType, gtf.FilterQueue}

func (l *list) filtersKinds() bool { return on(l.all, kindColumns...) }

// ofKinds are the filters on kinds.
func (l *list) ofKinds() string {
	conditions := []string{"1"}
	for i := range l.all {
		if c := &l.all[i]; slices.Contains(kindColumns, c.Column) {
			conditions = append(conditions, l.condition("k", c))
		}
	}
	return strings.Join(conditions, " AND ")
}

// others are the filters on the rows of t that are not on kinds.
func (l *list) others(t string) string {
	all := l.all
	defer func() { l.all = all }()
	l.all = slices.DeleteFunc(slices.Clone(all), func(c gtf.Condition) bool { return slices.Contains(kindColumns, c.Column) })
	return l.where(t)
}
