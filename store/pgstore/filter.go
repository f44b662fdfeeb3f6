package pgstore

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/globaltask/gtf"
)

// textColumns are compared byte by byte, whatever the database's locale, as their indexes are.
var textColumns = map[gtf.FilterColumn]string{
	gtf.FilterType:   `t.type COLLATE "C"`,
	gtf.FilterKey:    `t.key COLLATE "C"`,
	gtf.FilterName:   `t.name COLLATE "C"`,
	gtf.FilterQueue:  `t.queue COLLATE "C"`,
	gtf.FilterScope:  `t.scope COLLATE "C"`,
	gtf.FilterStatus: "t.status",
}

var timeColumns = map[gtf.FilterColumn]string{
	gtf.FilterCreated: "t.created_at",
	gtf.FilterChanged: "t.changed_at",
	gtf.FilterStarted: "t.started_at",
	gtf.FilterEnded:   "t.ended_at",
}

var comparisons = map[gtf.FilterOp]string{
	gtf.OpEqual: "=", gtf.OpNotEqual: "<>", gtf.OpGreater: ">", gtf.OpLess: "<", gtf.OpFrom: ">=",
}

// filter adds one condition of a list.
func (c *conditions) filter(f *gtf.Condition) {
	switch column, isText := textColumns[f.Column]; {
	case f.Column == gtf.FilterID:
		c.filterID(f)
	case f.Column == gtf.FilterCreatedBy:
		c.filterPeople(f.Who, `t.creator_id <> '' AND `, `t.creator_kind = ? AND t.creator_id COLLATE "C" = ?`, "")
	case f.Column == gtf.FilterSubscribers:
		c.filterPeople(f.Who, "EXISTS (SELECT 1 FROM gtf.subscribers f WHERE f.task_id = t.id AND ", "f.kind = ? AND f.principal_id = ?", ")")
	case f.Column == gtf.FilterKey && (f.Op == gtf.OpEqual || f.Op == gtf.OpIn):
		c.filterKey(f.Texts)
	case isText:
		c.filterText(column, f)
	default:
		c.and(timeColumns[f.Column]+" "+comparisons[f.Op]+" ?", f.Times[0])
		if f.Column != gtf.FilterCreated && (f.Op == gtf.OpLess || f.Op == gtf.OpEqual) {
			// Nothing happens before the task is created: this passes over all that is younger. A day is for clocks set back.
			c.and("t.created_at < ?", f.Times[0].Add(24*time.Hour))
		}
	}
}

func (c *conditions) filterText(column string, f *gtf.Condition) {
	switch {
	case f.Op == gtf.OpIn && len(f.Texts) == 1: // an index gives one value in order, but not several
		c.and(column+" = ?", f.Texts[0])
	case f.Op == gtf.OpIn:
		c.and(column+" = ANY (?::text[])", append([]string{}, f.Texts...))
	case f.Op == gtf.OpEqual, f.Op == gtf.OpNotEqual:
		c.and(column+" "+comparisons[f.Op]+" ?", f.Texts[0])
	default:
		test, arg := part(f.Op, f.Texts[0])
		c.and(column+" "+test, arg)
	}
}

// filterID compares with the canonical text of ids.
func (c *conditions) filterID(f *gtf.Condition) {
	ids := canonical(f.Texts)
	if f.Op == gtf.OpNotEqual {
		c.and("t.id <> ALL (?::uuid[])", ids)
		return
	}
	c.and("t.id = ANY (?::uuid[])", ids)
}

// filterKey says what the index of keys leaves out: keys that are the task's own id.
func (c *conditions) filterKey(keys []string) {
	keys = append([]string{}, keys...)
	const given = `t.key COLLATE "C" = ANY (?::text[]) AND t.key <> t.id::text`
	if ids := canonical(keys); len(ids) > 0 {
		c.and("("+given+" OR t.id = ANY (?::uuid[]) AND t.key = t.id::text)", keys, ids)
		return
	}
	c.and(given, keys)
}

// canonical are those of the texts that are ids, as ids are written.
func canonical(texts []string) uuids {
	ids := uuids{}
	for _, text := range texts {
		if id, err := gtf.ParseID(text); err == nil && id.String() == text {
			ids = append(ids, id)
		}
	}
	return ids
}

// filterPeople tests for any of some people, within before and after.
func (c *conditions) filterPeople(people []gtf.Principal, before, test, after string) {
	if len(people) == 0 {
		c.and("false")
		return
	}
	var args []any
	for _, p := range people {
		args = append(args, string(p.Kind), p.ID)
	}
	c.and(before+"("+strings.Repeat(test+" OR ", len(people)-1)+test+")"+after, args...)
}

// filterPart tests whether one of the columns contains a part.
func (c *conditions) filterPart(text string, columns ...string) {
	test, arg := part(gtf.OpContains, text)
	tests, args := make([]string, len(columns)), make([]any, len(columns))
	for i, column := range columns {
		tests[i], args[i] = column+" "+test, arg
	}
	c.and("("+strings.Join(tests, " OR ")+")", args...)
}

// part tests for a part of a text in either case. What PostgreSQL takes for the other case depends on the locale, and is only
// ASCII in some, so other letters are spelled out.
func part(op gtf.FilterOp, text string) (test, arg string) {
	first, last, wild := "", "", "%"
	if strings.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 {
		test, first, last, wild = "~ ?", "^", "$", ""
		var b strings.Builder
		for _, r := range text {
			b.WriteByte('[')
			fmt.Fprintf(&b, `\U%08x`, r)
			for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
				fmt.Fprintf(&b, `\U%08x`, other)
			}
			b.WriteByte(']')
		}
		arg = b.String()
	} else {
		test = "ILIKE ?"
		arg = strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(text)
	}
	if op != gtf.OpStartsWith {
		first = wild
	}
	if op != gtf.OpEndsWith {
		last = wild
	}
	return test, first + arg + last
}

// fixed reports whether conditions name values of a column, so that its index can be used.
func fixed(conditions []gtf.Condition, column gtf.FilterColumn) bool {
	return slices.ContainsFunc(conditions, func(c gtf.Condition) bool {
		return c.Column == column && (c.Op == gtf.OpEqual || c.Op == gtf.OpIn)
	})
}

// possible are the statuses that conditions leave.
func possible(conditions []gtf.Condition) []gtf.Status {
	return slices.DeleteFunc(gtf.Statuses(), func(status gtf.Status) bool {
		return slices.ContainsFunc(conditions, func(c gtf.Condition) bool {
			switch {
			case c.Column == gtf.FilterEnded:
				return !status.Terminal()
			case c.Column != gtf.FilterStatus:
				return false
			}
			return slices.Contains(c.Texts, string(status)) == (c.Op == gtf.OpNotEqual)
		})
	})
}
