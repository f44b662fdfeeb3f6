package webui

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi"
)

// view is what a list shows, all of it in the address: filters and order as the API has them, and three parameters of ours.
type view struct {
	given  url.Values // without empty ones
	params *gtf.ListParams
	from   int // the number of the first task shown, from 1
}

// What an address may hold beside the filters.
const (
	paramBack  = "back"  // the cursors of the pages before, the last one last; the first page has none
	paramFrom  = "from"  // the number of the first task shown
	paramSince = "since" // created within a span of time that ends now
)

// filterParams are the filters, in the order of their chips.
var filterParams = []string{
	"text", "status", "task_type", "scope", "created_by", "subscriber", "queue", paramSince, "created_after", "created_before", "filter",
}

// span is a length of time to choose.
type span struct {
	name, label string
	length      time.Duration
}

var spans = []span{
	{"15m", "Last 15 minutes", 15 * time.Minute}, {"1h", "Last hour", time.Hour}, {"24h", "Last 24 hours", 24 * time.Hour},
	{"7d", "Last 7 days", 7 * 24 * time.Hour}, {"30d", "Last 30 days", 30 * 24 * time.Hour},
}

const (
	defaultSize = 25
	maxBack     = 20 // pages that one can go back one by one
)

var pageSizes = []int{25, 50, 100}

// readView reads an address. What it says of tasks is checked by the list.
//
// Errors: a [*gtf.ValidationError] that names what is unknown or malformed.
func readView(raw string, me gtf.Principal, now time.Time) (*view, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, invalid("address", "is malformed")
	}
	v := &view{given: url.Values{}, from: 1}
	for name, texts := range values {
		if texts = slices.DeleteFunc(texts, func(text string) bool { return strings.TrimSpace(text) == "" }); len(texts) > 0 {
			v.given[name] = slices.Compact(texts)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.given)) {
		if !slices.Contains(filterParams, name) && !slices.Contains([]string{paramBack, paramFrom, "sort", "cursor", "page_size"}, name) {
			return nil, invalid(name, "is not a parameter of this page")
		}
	}
	asked := maps.Clone(v.given)
	for _, ours := range []string{paramBack, paramFrom, paramSince} {
		delete(asked, ours)
	}
	if v.params, err = httpapi.ParseList(asked, me); err != nil {
		return nil, err
	}
	if name := v.given.Get(paramSince); name != "" {
		i := slices.IndexFunc(spans, func(s span) bool { return s.name == name })
		if i < 0 {
			return nil, invalid(paramSince, fmt.Sprintf("is %.20q, must be 15m, 1h, 24h, 7d or 30d", name))
		}
		v.params.CreatedAfter = now.Add(-spans[i].length)
	}
	if n, err := strconv.Atoi(v.given.Get(paramFrom)); err == nil && n > 0 && v.given.Has("cursor") {
		v.from = n
	}
	return v, nil
}

func invalid(field, reason string) error {
	return &gtf.ValidationError{Problems: []gtf.Problem{{Field: field, Reason: reason}}}
}

// size is how many tasks a page has.
func (v *view) size() int {
	if v.params.PageSize == 0 {
		return defaultSize
	}
	return v.params.PageSize
}

// filtered tells whether some tasks are left out.
func (v *view) filtered() bool {
	return slices.ContainsFunc(filterParams, func(name string) bool { return v.given.Has(name) })
}

// order is the column and whether it falls.
func (v *view) order() (column gtf.OrderColumn, descending bool) {
	if v.params.Order == "" {
		return gtf.OrderCreated, true
	}
	return v.params.Order, v.params.Descending
}

// newestFirst tells whether new tasks belong on top of what is shown.
func (v *view) newestFirst() bool {
	column, descending := v.order()
	return column == gtf.OrderCreated && descending && !v.given.Has("cursor")
}

// address is the view as a link, without the base.
func (v *view) address() string { return address(v.given) }

func address(values url.Values) string {
	if len(values) == 0 {
		return "/tasks"
	}
	return "/tasks?" + values.Encode()
}

// with is the first page of the view with another value of a parameter; without values, with none.
func (v *view) with(name string, texts ...string) string {
	values := v.firstPage()
	delete(values, name)
	if len(texts) > 0 {
		values[name] = texts
	}
	return address(values)
}

// without is the first page of the view without one value of a parameter.
func (v *view) without(name, text string) string {
	return v.with(name, slices.DeleteFunc(slices.Clone(v.given[name]), func(t string) bool { return t == text })...)
}

// unfiltered is the view with all tasks.
func (v *view) unfiltered() string {
	values := v.firstPage()
	for _, name := range filterParams {
		delete(values, name)
	}
	return address(values)
}

func (v *view) firstPage() url.Values {
	values := maps.Clone(v.given)
	for _, name := range []string{"cursor", paramBack, paramFrom} {
		delete(values, name)
	}
	return values
}

// next is the page behind.
func (v *view) next(cursor string, shown int) string {
	values := v.firstPage()
	if here := v.given.Get("cursor"); here != "" {
		back := append(slices.Clone(v.given[paramBack]), here)
		values[paramBack] = back[max(0, len(back)-maxBack):]
	}
	values.Set("cursor", cursor)
	values.Set(paramFrom, strconv.Itoa(v.from+shown))
	return address(values)
}

// previous is the page before, as far as the address knows it; empty on the first, and where it does not.
func (v *view) previous() string {
	if !v.given.Has("cursor") {
		return ""
	}
	values := v.firstPage()
	back := v.given[paramBack]
	switch from := v.from - v.size(); {
	case len(back) > 0:
		values.Set("cursor", back[len(back)-1])
		if len(back) > 1 {
			values[paramBack] = back[:len(back)-1]
		}
		values.Set(paramFrom, strconv.Itoa(max(1, from)))
	case v.from > v.size()+1:
		return ""
	}
	return address(values)
}

// sorted is the view by a column: at first upwards, times newest first, then the other way round, then as it was.
func (v *view) sorted(column gtf.OrderColumn) string {
	first, second := string(column), "-"+string(column)
	if isTime(column) {
		first, second = second, first
	}
	byNow, descending := v.order()
	now := string(byNow)
	if descending {
		now = "-" + now
	}
	const normal = "-" + string(gtf.OrderCreated)
	next := first
	switch now {
	case first:
		next = second
	case second:
		next = normal
	}
	if next == normal {
		return v.with("sort")
	}
	return v.with("sort", next)
}

func isTime(column gtf.OrderColumn) bool {
	switch column {
	case gtf.OrderCreated, gtf.OrderChanged, gtf.OrderStarted, gtf.OrderEnded:
		return true
	}
	return false
}

// sized is the first page of the view with so many tasks.
func (v *view) sized(n int) string {
	if n == defaultSize {
		return v.with("page_size")
	}
	return v.with("page_size", strconv.Itoa(n))
}
