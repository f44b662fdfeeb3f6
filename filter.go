package gtf

import (
	"slices"
	"strings"
	"time"
)

// Condition is one filter of a list (S11.3). All conditions of a list must hold.
type Condition struct {
	Column FilterColumn
	Op     FilterOp
	// Texts are the values for columns of kind text and choice, Times of kind time, Who of kind people. Several only with
	// [OpIn], where any of them will do, and for people.
	Texts []string
	Times []time.Time
	Who   []Principal
}

// FilterColumn is a column that lists filter by.
type FilterColumn string

const (
	FilterID          FilterColumn = "uuid"
	FilterType        FilterColumn = "task_type"
	FilterKey         FilterColumn = "task_key"
	FilterName        FilterColumn = "task_name"
	FilterQueue       FilterColumn = "queue"
	FilterScope       FilterColumn = "scope"
	FilterStatus      FilterColumn = "status"
	FilterCreated     FilterColumn = "created_on"
	FilterChanged     FilterColumn = "changed_on"
	FilterStarted     FilterColumn = "started_at"
	FilterEnded       FilterColumn = "ended_at"
	FilterCreatedBy   FilterColumn = "created_by"
	FilterSubscribers FilterColumn = "subscribers"
)

// FilterOp is how a column is compared. Parts of texts are found in either case, whole ones in their own.
type FilterOp string

const (
	OpEqual      FilterOp = "eq"
	OpNotEqual   FilterOp = "neq"
	OpStartsWith FilterOp = "sw"
	OpEndsWith   FilterOp = "ew"
	OpContains   FilterOp = "ct"
	OpGreater    FilterOp = "gt" // later than
	OpLess       FilterOp = "lt" // earlier than
	OpIn         FilterOp = "in"
	OpRelated    FilterOp = "rel_o_m" // is one of the people
	OpFrom       FilterOp = "ge"      // not earlier than
)

// FilterKind says what the values of a column are.
type FilterKind string

const (
	KindText   FilterKind = "text"
	KindChoice FilterKind = "choice" // a text, out of few
	KindTime   FilterKind = "time"   // never matches where the thing has not happened
	KindPeople FilterKind = "people"
)

// Filterable is what lists can filter by: one column.
type Filterable struct {
	Column FilterColumn
	Kind   FilterKind
	Ops    []FilterOp
	Values []string // of a choice, if they are known
}

// Filterables is the one table of what lists can filter by.
func Filterables() []Filterable {
	text := []FilterOp{OpEqual, OpNotEqual, OpStartsWith, OpEndsWith, OpContains, OpIn}
	choice := []FilterOp{OpEqual, OpNotEqual, OpIn}
	instant := []FilterOp{OpEqual, OpNotEqual, OpGreater, OpLess, OpFrom}
	people := []FilterOp{OpRelated}
	return []Filterable{
		{FilterID, KindChoice, choice, nil},
		{FilterType, KindText, text, nil},
		{FilterKey, KindText, text, nil},
		{FilterName, KindText, text, nil},
		{FilterQueue, KindText, text, nil},
		{FilterScope, KindChoice, choice, names(Scopes())},
		{FilterStatus, KindChoice, choice, names(Statuses())},
		{FilterCreated, KindTime, instant, nil},
		{FilterChanged, KindTime, instant, nil},
		{FilterStarted, KindTime, instant, nil},
		{FilterEnded, KindTime, instant, nil},
		{FilterCreatedBy, KindPeople, people, nil},
		{FilterSubscribers, KindPeople, people, nil},
	}
}

func names[T ~string](values []T) []string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = string(v)
	}
	return texts
}

// maxValues is how many values one condition may name.
const maxValues = 100

// check normalizes a condition and says what is wrong with it.
func (c *Condition) check(bad *problems) {
	all := Filterables()
	i := slices.IndexFunc(all, func(f Filterable) bool { return f.Column == c.Column })
	if i < 0 {
		bad.add("filters", "cannot filter by column %.60q: it must be one of %s", string(c.Column), columnNames(all))
		return
	}
	f := all[i]
	field := "filters." + string(f.Column)
	if !slices.Contains(f.Ops, c.Op) {
		bad.add(field, "does not know the operator %.30q, only %s", string(c.Op), strings.Join(names(f.Ops), ", "))
		return
	}
	given := map[FilterKind]int{KindText: len(c.Texts), KindChoice: len(c.Texts), KindTime: len(c.Times), KindPeople: len(c.Who)}[f.Kind]
	before := len(*bad)
	switch several := c.Op == OpIn || c.Op == OpRelated; {
	case given != len(c.Texts)+len(c.Times)+len(c.Who):
		bad.add(field, "has a value of another kind than %s", f.Kind)
	case !several && given != 1:
		bad.add(field, "has %d values for %s, which takes one", given, c.Op)
	case given > maxValues:
		bad.add(field, "has %d values, at most %d are allowed", given, maxValues)
	}
	for i := 0; i < len(c.Texts) && len(*bad) == before; i++ { // what is wrong with one of many will do
		text := c.Texts[i]
		checkText(bad, field, text, maxKey)
		if len(f.Values) > 0 && !slices.Contains(f.Values, text) {
			bad.add(field, "has the value %.60q, must be one of %s", text, strings.Join(f.Values, ", "))
		}
		if f.Column == FilterID {
			if _, err := ParseID(text); err != nil {
				bad.add(field, "has the value %.60q, which is no UUID", text)
			}
		}
	}
	c.Who = slices.Clone(c.Who)
	for i := 0; i < len(c.Who) && len(*bad) == before; i++ {
		c.Who[i] = c.Who[i].normal()
		c.Who[i].check(bad)
	}
}

func columnNames(all []Filterable) string {
	var columns []string
	for _, f := range all {
		columns = append(columns, string(f.Column))
	}
	return strings.Join(columns, ", ")
}
