package sqlitestore

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/globaltask/gtf"
)

// textColumns and timeColumns are what lists filter by.
var (
	textColumns = map[gtf.FilterColumn]string{
		gtf.FilterID: "id", gtf.FilterType: "type", gtf.FilterKey: "key", gtf.FilterName: "name", gtf.FilterQueue: "queue",
		gtf.FilterScope: "scope", gtf.FilterStatus: "status",
	}
	timeColumns = map[gtf.FilterColumn]string{
		gtf.FilterCreated: "created_at", gtf.FilterChanged: "changed_at", gtf.FilterStarted: "started_at", gtf.FilterEnded: "ended_at",
	}
	operators = map[gtf.FilterOp]string{
		gtf.OpEqual: "=", gtf.OpNotEqual: "<>", gtf.OpGreater: ">", gtf.OpLess: "<", gtf.OpFrom: ">=",
	}
)

// arguments of a statement, by number, so that its parts can be written in any order and more than once.
type arguments []any

// arg takes a value and says how it is named.
func (a *arguments) arg(value any) string {
	*a = append(*a, value)
	return fmt.Sprintf("?%d", len(*a))
}

func (a *arguments) list(values []string) string {
	if len(values) == 0 {
		return "(NULL)" // nothing: what is constant would leave no use for an index that is asked for
	}
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = a.arg(v)
	}
	return "(" + strings.Join(names, ", ") + ")"
}

// condition writes c on the rows of t. A table of "+t" keeps SQLite from looking for an index.
func (a *arguments) condition(t string, c *gtf.Condition) string {
	if column, ok := textColumns[c.Column]; ok {
		return a.onText(t+"."+column, c)
	}
	if column, ok := timeColumns[c.Column]; ok {
		return t + "." + column + " " + operators[c.Op] + " " + a.arg(wholeMicros(c.Times[0], c.Op))
	}
	if len(c.Who) == 0 {
		return "0"
	}
	people := make([]string, len(c.Who))
	for i, p := range c.Who {
		kind, id := a.arg(p.Kind), a.arg(p.ID)
		if c.Column == gtf.FilterCreatedBy {
			people[i] = t + ".creator_kind = " + kind + " AND " + t + ".creator_id = " + id
		} else {
			people[i] = "EXISTS (SELECT 1 FROM subscribers f WHERE f.task_id = " + strings.TrimPrefix(t, "+") +
				".id AND f.kind = " + kind + " AND f.principal_id = " + id + ")"
		}
	}
	return "(" + strings.Join(people, " OR ") + ")"
}

func (a *arguments) onText(column string, c *gtf.Condition) string {
	switch c.Op {
	case gtf.OpIn:
		return column + " IN " + a.list(c.Texts)
	case gtf.OpStartsWith:
		return a.part(column, "", c.Texts[0], "%")
	case gtf.OpEndsWith:
		return a.part(column, "%", c.Texts[0], "")
	case gtf.OpContains:
		return a.part(column, "%", c.Texts[0], "%")
	}
	return column + " " + operators[c.Op] + " " + a.arg(c.Texts[0])
}

// part finds a part of a text, to the letter, in either case.
func (a *arguments) part(column, before, part, after string) string {
	pattern := before + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(part) + after
	return column + " LIKE " + a.arg(pattern) + ` ESCAPE '\'`
}

// text finds a part of the name or the key.
func (a *arguments) text(t, part string) string {
	return "(" + a.part(t+".name", "%", part, "%") + " OR " + a.part(t+".key", "%", part, "%") + ")"
}

// wholeMicros is the number with which to compare what is stored, in whole microseconds, so that the answer is that of the
// instant itself.
func wholeMicros(at time.Time, op gtf.FilterOp) int64 {
	micros := at.UnixMicro()
	if !time.UnixMicro(micros).Before(at) {
		return micros
	}
	switch op {
	case gtf.OpLess, gtf.OpFrom:
		return micros + 1
	case gtf.OpEqual, gtf.OpNotEqual:
		return math.MinInt64 // none
	}
	return micros
}

// on reports whether one of the conditions is on one of the columns.
func on(all []gtf.Condition, columns ...gtf.FilterColumn) bool {
	return slices.ContainsFunc(all, func(c gtf.Condition) bool { return slices.Contains(columns, c.Column) })
}

// possible are the statuses that all conditions allow.
func possible(all []gtf.Condition) []gtf.Status {
	return slices.DeleteFunc(gtf.Statuses(), func(s gtf.Status) bool {
		return slices.ContainsFunc(all, func(c gtf.Condition) bool {
			return c.Column == gtf.FilterStatus && slices.Contains(c.Texts, string(s)) == (c.Op == gtf.OpNotEqual)
		})
	})
}
