package storetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/globaltask/gtf"
)

// matches is the contract of a condition, in Go.
func matches(c gtf.Condition, t *gtf.Task) bool {
	switch c.Column {
	case gtf.FilterID:
		return matchesText(c, t.ID.String())
	case gtf.FilterType:
		return matchesText(c, t.Type)
	case gtf.FilterKey:
		return matchesText(c, t.Key)
	case gtf.FilterName:
		return matchesText(c, t.Name)
	case gtf.FilterQueue:
		return matchesText(c, t.Queue)
	case gtf.FilterScope:
		return matchesText(c, string(t.Scope))
	case gtf.FilterStatus:
		return matchesText(c, string(t.Status))
	case gtf.FilterCreated:
		return matchesTime(c, t.CreatedAt)
	case gtf.FilterChanged:
		return matchesTime(c, t.ChangedAt)
	case gtf.FilterStarted:
		return matchesTime(c, t.StartedAt)
	case gtf.FilterEnded:
		return matchesTime(c, t.EndedAt)
	case gtf.FilterCreatedBy:
		return matchesPerson(c, t.CreatedBy)
	case gtf.FilterSubscribers:
		return slices.ContainsFunc(people(t), func(p gtf.Principal) bool { return matchesPerson(c, p) })
	}
	panic("storetest: unknown column " + c.Column)
}

func matchesText(c gtf.Condition, text string) bool {
	switch c.Op {
	case gtf.OpIn:
		return slices.Contains(c.Texts, text)
	case gtf.OpEqual:
		return text == c.Texts[0]
	case gtf.OpNotEqual:
		return text != c.Texts[0]
	}
	text, part := strings.ToLower(text), strings.ToLower(c.Texts[0])
	switch c.Op {
	case gtf.OpStartsWith:
		return strings.HasPrefix(text, part)
	case gtf.OpEndsWith:
		return strings.HasSuffix(text, part)
	case gtf.OpContains:
		return strings.Contains(text, part)
	}
	panic("storetest: unknown operator of texts " + c.Op)
}

func matchesTime(c gtf.Condition, at time.Time) bool {
	if at.IsZero() {
		return false
	}
	order := at.Compare(c.Times[0])
	switch c.Op {
	case gtf.OpEqual:
		return order == 0
	case gtf.OpNotEqual:
		return order != 0
	case gtf.OpGreater:
		return order > 0
	case gtf.OpLess:
		return order < 0
	case gtf.OpFrom:
		return order >= 0
	}
	panic("storetest: unknown operator of times " + c.Op)
}

func matchesPerson(c gtf.Condition, p gtf.Principal) bool {
	return slices.ContainsFunc(c.Who, func(w gtf.Principal) bool { return w.Kind == p.Kind && w.ID == p.ID })
}

// conditionsOn makes conditions on a column and an operator from what the tasks have there, and from what none has.
func conditionsOn(column gtf.Filterable, op gtf.FilterOp, tasks []*gtf.Task) []gtf.Condition {
	c := gtf.Condition{Column: column.Column, Op: op}
	switch column.Kind {
	case gtf.KindTime:
		return timeConditions(c, tasks)
	case gtf.KindPeople:
		var all []gtf.Condition
		for _, who := range [][]gtf.Principal{{ada}, {guest}, {bob, guest}, {{Kind: gtf.KindGuest, ID: "8"}}, nil} {
			c.Who = who
			all = append(all, c)
		}
		return all
	}
	if op == gtf.OpIn {
		several, none := c, c
		several.Texts = []string{wholeText(column.Column, tasks[1]), wholeText(column.Column, tasks[2]), "nowhere"}
		return []gtf.Condition{several, none}
	}
	var all []gtf.Condition
	for _, t := range tasks[:6] {
		whole := wholeText(column.Column, t)
		values := []string{whole, otherCase(whole)}
		switch n := len(whole); {
		case op == gtf.OpStartsWith && n > 1:
			values = []string{whole[:n/2], otherCase(whole[:n/2]), whole[1:]}
		case op == gtf.OpEndsWith && n > 1:
			values = []string{whole[n/2:], otherCase(whole[n/2:]), whole[:n-1]}
		case op == gtf.OpContains && n > 2:
			values = []string{whole[1 : n-1], otherCase(whole[1 : n-1]), whole + "x"}
		}
		for _, v := range values {
			c.Texts = []string{v}
			all = append(all, c)
		}
	}
	return all
}

func timeConditions(c gtf.Condition, tasks []*gtf.Task) []gtf.Condition {
	var all []gtf.Condition
	for _, t := range []*gtf.Task{tasks[0], tasks[len(tasks)/2], tasks[len(tasks)-1]} {
		for _, at := range []time.Time{t.CreatedAt, t.ChangedAt, t.StartedAt, t.EndedAt} {
			if !at.IsZero() {
				c.Times = []time.Time{at}
				all = append(all, c)
			}
		}
	}
	for _, at := range []time.Time{time.Unix(0, 0).UTC(), time.Date(2300, 1, 1, 0, 0, 0, 0, time.FixedZone("far", 3600))} {
		c.Times = []time.Time{at}
		all = append(all, c)
	}
	return all
}

func wholeText(column gtf.FilterColumn, t *gtf.Task) string {
	switch column {
	case gtf.FilterID:
		return t.ID.String()
	case gtf.FilterType:
		return t.Type
	case gtf.FilterKey:
		return t.Key
	case gtf.FilterName:
		return t.Name
	case gtf.FilterQueue:
		return t.Queue
	case gtf.FilterScope:
		return string(t.Scope)
	}
	return string(t.Status)
}

// otherCase turns capitals into small letters and the other way round.
func otherCase(text string) string {
	if upper := strings.ToUpper(text); upper != text {
		return upper
	}
	return strings.ToLower(text)
}

// mixed is a store of all kinds of tasks with names, keys, queues and types in both cases.
func (f *fixture) mixed() []*gtf.Task {
	f.Helper()
	f.variety()
	for i, text := range []string{"Alpha", "alpha", "ALPHA beta", "Ünïcode Alpha", "", "100% of_it\\now"} {
		f.create(ofType("Type "+text), inQueue("q "+text), withKey(fmt.Sprintf("%s %d", text, i)),
			func(s *gtf.Submission) { s.Name = text })
		f.pass(time.Second)
	}
	f.abort(f.create()) // ended, but never started
	return f.all()
}

// finds compares a list by conditions with what the contract says, for the host and for somebody who sees a part.
func (f *fixture) finds(tasks []*gtf.Task, conditions ...gtf.Condition) {
	f.Helper()
	for _, v := range []gtf.Viewer{host, viewer(bob)} {
		var want []gtf.ID
		for _, t := range tasks {
			if v.Sees(t) && !slices.ContainsFunc(conditions, func(c gtf.Condition) bool { return !matches(c, t) }) {
				want = append(want, t.ID)
			}
		}
		page, err := f.List(f.Context(), &gtf.ListParams{Order: gtf.OrderCreated, PageSize: 100, Where: conditions}, v)
		f.must("List", err)
		got := ids(page.Tasks)
		slices.SortFunc(got, compareIDs)
		slices.SortFunc(want, compareIDs)
		if !slices.Equal(got, want) || page.Count != len(want) {
			f.Errorf("list by %+v for %+v: got %d tasks, counted %d, want %d", conditions, v, len(got), page.Count, len(want))
		}
	}
}

func filterTests(s *suite) {
	s.test("knows every column with every operator", func(f *fixture) {
		tasks := f.mixed()
		for _, column := range gtf.Filterables() {
			for _, op := range column.Ops {
				for _, c := range conditionsOn(column, op, tasks) {
					f.finds(tasks, c)
				}
			}
		}
	})

	s.test("takes several conditions together", func(f *fixture) {
		tasks := f.mixed()
		middle := tasks[len(tasks)/2].CreatedAt
		alpha := gtf.Condition{Column: gtf.FilterType, Op: gtf.OpContains, Texts: []string{"ALPHA"}}
		f.finds(tasks, alpha, gtf.Condition{Column: gtf.FilterCreated, Op: gtf.OpGreater, Times: []time.Time{middle}})
		f.finds(tasks, alpha, gtf.Condition{Column: gtf.FilterCreated, Op: gtf.OpLess, Times: []time.Time{middle}})
		f.finds(tasks, alpha, gtf.Condition{Column: gtf.FilterType, Op: gtf.OpNotEqual, Texts: []string{"alpha"}})
		f.finds(tasks,
			gtf.Condition{Column: gtf.FilterSubscribers, Op: gtf.OpRelated, Who: []gtf.Principal{guest}},
			gtf.Condition{Column: gtf.FilterCreatedBy, Op: gtf.OpRelated, Who: []gtf.Principal{ada, bob}},
			gtf.Condition{Column: gtf.FilterStatus, Op: gtf.OpNotEqual, Texts: []string{string(gtf.StatusPending)}},
			gtf.Condition{Column: gtf.FilterStarted, Op: gtf.OpFrom, Times: []time.Time{middle}},
		)
	})

	s.test("takes every character of a part to the letter", func(f *fixture) {
		for i, text := range []string{"100% of it", "1000 of it", "snake_case", "snakeXcase", `back\slash`, `back\\slash`, "it's", "[a-z]*?", "a'; --"} {
			f.create(withKey(fmt.Sprintf("%s|%d|%s", text, i, text)), func(s *gtf.Submission) { s.Name = text })
		}
		tasks := f.all()
		for _, part := range []string{"%", "100%", "0% o", "_", "e_c", `\`, `k\s`, `\\`, "'", "*", "[a-z]", "?", "--", "SNAKE_"} {
			for _, op := range []gtf.FilterOp{gtf.OpContains, gtf.OpStartsWith, gtf.OpEndsWith} {
				for _, column := range []gtf.FilterColumn{gtf.FilterName, gtf.FilterKey} {
					f.finds(tasks, gtf.Condition{Column: column, Op: op, Texts: []string{part}})
				}
			}
		}
	})
}
