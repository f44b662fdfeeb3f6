package httpapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/globaltask/gtf"
)

// Limits of what a list is asked for, beside those of [gtf.ListParams].
const (
	defaultPageSize = 25
	maxPageSize     = 100
	maxFilters      = 32
)

// parseList reads the parameters of a request for a list.
func parseList(r *http.Request) (*gtf.ListParams, error) {
	values, err := queryOf(r)
	if err != nil {
		return nil, err
	}
	caller, _ := gtf.PrincipalFrom(r.Context())
	return ParseList(values, caller)
}

// ParseList reads the parameters of a list: q in Rison as the reference has it, or plain ones (S11). An empty plain
// parameter is as good as none, because forms send those. What they say of tasks is checked by [gtf.Client.List]. The caller
// is who "me" stands for.
//
// Errors: a [*gtf.ValidationError] that names every parameter that is unknown, malformed or given beside q.
func ParseList(values url.Values, caller gtf.Principal) (*gtf.ListParams, error) {
	q := &listQuery{caller: caller}
	rison := values.Has("q")
	for _, name := range slices.Sorted(maps.Keys(values)) {
		given := slices.DeleteFunc(slices.Clone(values[name]), func(v string) bool { return v == "" && name != "q" })
		parse, known := listParameters[name]
		switch {
		case !known:
			q.refuse(name, "is not a parameter of this request")
		case rison && !slices.Contains(besideRison, name):
			q.refuse(name, "is given beside q, which has a place for it")
		case len(given) > 1 && slices.Contains(singleParameters, name):
			q.refuse(name, "is given %d times", len(given))
		case len(given) > 0:
			parse(q, name, given)
		}
	}
	return q.done()
}

// queryOf reads the parameters of a request. Unlike [url.URL.Query] it drops none that it does not understand: a list without
// one of its filters, or changes without their cursor, would be another answer.
func queryOf(r *http.Request) (url.Values, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalid("query", "is malformed: "+err.Error())
	}
	return values, nil
}

// listParameters are the parameters of a list. Those that may stand once get one value.
var listParameters = map[string]func(q *listQuery, name string, given []string){
	"count": (*listQuery).count,
	"created_after": func(q *listQuery, name string, given []string) {
		q.filter(name, gtf.FilterCreated, gtf.OpFrom, texts(given))
	},
	"created_before": func(q *listQuery, name string, given []string) {
		q.filter(name, gtf.FilterCreated, gtf.OpLess, texts(given))
	},
	"created_by": func(q *listQuery, name string, given []string) {
		q.filter(name, gtf.FilterCreatedBy, gtf.OpRelated, texts(given))
	},
	"cursor": func(q *listQuery, _ string, given []string) { q.params.Cursor = given[0] },
	"filter": (*listQuery).filters,
	"page": func(q *listQuery, name string, given []string) {
		q.page = q.integer(name, given[0], 0, gtf.MaxCount)
	},
	"page_size": func(q *listQuery, name string, given []string) {
		q.params.PageSize = q.integer(name, given[0], 1, maxPageSize)
	},
	"q": (*listQuery).rison,
	"queue": func(q *listQuery, name string, given []string) {
		q.filter(name, gtf.FilterQueue, gtf.OpIn, texts(split(given)))
	},
	"scope": func(q *listQuery, name string, given []string) {
		q.filter(name, gtf.FilterScope, gtf.OpIn, texts(split(given)))
	},
	"sort": func(q *listQuery, _ string, given []string) {
		column, descending := strings.CutPrefix(given[0], "-")
		q.params.Order, q.params.Descending = gtf.OrderColumn(column), descending
	},
	"status": func(q *listQuery, name string, given []string) {
		q.filter(name, gtf.FilterStatus, gtf.OpIn, texts(split(given)))
	},
	"subscriber": func(q *listQuery, name string, given []string) {
		q.filter(name, gtf.FilterSubscribers, gtf.OpRelated, texts(given))
	},
	"text": func(q *listQuery, _ string, given []string) { q.params.Text = given[0] },
	"task_type": func(q *listQuery, name string, given []string) {
		q.filter(name, gtf.FilterType, gtf.OpIn, texts(split(given)))
	},
}

// besideRison are the parameters that q has no place for.
var besideRison = []string{"count", "cursor", "q", "text"}

var singleParameters = []string{"count", "created_after", "created_before", "cursor", "page", "page_size", "q", "sort", "text"}

// split takes apart what stands between commas.
func split(given []string) []string { return strings.Split(strings.Join(given, ","), ",") }

func texts(given []string) []any {
	all := make([]any, len(given))
	for i, text := range given {
		all[i] = text
	}
	return all
}

// listQuery is a request for a list while it is read.
type listQuery struct {
	params gtf.ListParams
	page   int // counted from 0
	caller gtf.Principal
	bad    []gtf.Problem
}

// maxReasons is how much an answer finds fault with: a short query may have thousands of mistakes.
const maxReasons = 20

func (q *listQuery) refuse(field, format string, args ...any) {
	if len(q.bad) < maxReasons {
		q.bad = append(q.bad, gtf.Problem{Field: fmt.Sprintf("%.100s", field), Reason: fmt.Sprintf(format, args...)})
	}
}

func (q *listQuery) done() (*gtf.ListParams, error) {
	size := q.params.PageSize
	if size == 0 {
		size = defaultPageSize
	}
	if q.params.Offset = q.page * size; q.params.Offset > gtf.MaxCount {
		q.refuse("page", "begins behind task %d, pages are counted up to task %d; a cursor goes further", q.params.Offset, gtf.MaxCount)
	}
	if q.page > 0 && q.params.Cursor != "" {
		q.refuse("page", "is given beside a cursor")
	}
	if len(q.params.Where) > maxFilters {
		q.refuse("filters", "are %d, at most %d are allowed", len(q.params.Where), maxFilters)
	}
	if len(q.bad) > 0 {
		return nil, &gtf.ValidationError{Problems: q.bad}
	}
	return &q.params, nil
}

func (q *listQuery) count(name string, given []string) {
	switch given[0] {
	case "true":
	case "false":
		q.params.NoCount = true
	default:
		q.refuse(name, "is %.20q, must be true or false", given[0])
	}
}

func (q *listQuery) integer(field, text string, least, most int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		q.refuse(field, "is %.30q, must be a whole number from %d to %d", text, least, most)
		return 0
	}
	return n
}

// filters reads column:operator:value. Where several values are allowed, commas stand between them.
func (q *listQuery) filters(name string, given []string) {
	for _, text := range given {
		parts := strings.SplitN(text, ":", 3)
		if len(parts) < 3 {
			q.refuse(name, "is %.60q, must be column:operator:value", text)
			continue
		}
		op, values := gtf.FilterOp(parts[1]), parts[2:]
		if op == gtf.OpIn || op == gtf.OpRelated {
			values = split(values)
		}
		q.filter(name, gtf.FilterColumn(parts[0]), op, texts(values))
	}
}

// filter adds a condition on texts and numbers. A column that does not exist is left to the check of the list.
func (q *listQuery) filter(field string, column gtf.FilterColumn, op gtf.FilterOp, values []any) {
	c := gtf.Condition{Column: column, Op: op}
	for _, value := range values {
		switch kindOf(column) {
		case gtf.KindTime:
			at, err := parseTime(value)
			if err != nil {
				q.refuse(field, "%v", err)
			}
			c.Times = append(c.Times, at)
		case gtf.KindPeople:
			who, err := q.person(fmt.Sprint(value))
			if err != nil {
				q.refuse(field, "%v", err)
			}
			c.Who = append(c.Who, who)
		default:
			c.Texts = append(c.Texts, fmt.Sprint(value))
		}
	}
	q.params.Where = append(q.params.Where, c)
}

func kindOf(column gtf.FilterColumn) gtf.FilterKind {
	for _, f := range gtf.Filterables() {
		if f.Column == column {
			return f.Kind
		}
	}
	return gtf.KindText
}

// person reads how a parameter names somebody; "me" is the caller.
func (q *listQuery) person(text string) (gtf.Principal, error) {
	switch {
	case text != "me":
		return ParsePrincipal(text)
	case q.caller.IsZero():
		return gtf.Principal{}, fmt.Errorf("is %q, but nobody is asking", text)
	}
	return gtf.Principal{Kind: q.caller.Kind, ID: q.caller.ID}, nil
}

// timeLayouts are the forms of an instant. One without a zone is UTC.
var timeLayouts = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", time.DateOnly}

// parseTime reads an instant: a text, or a number of milliseconds since 1970 as browsers count.
func parseTime(value any) (time.Time, error) {
	if number, ok := value.(json.Number); ok {
		ms, err := number.Float64()
		if latest := time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli(); err != nil || ms < 0 || ms >= float64(latest) {
			return time.Time{}, fmt.Errorf("is %.30q, must be milliseconds since 1970", number)
		}
		return time.UnixMilli(int64(ms)).UTC(), nil
	}
	text := fmt.Sprint(value)
	for _, layout := range timeLayouts {
		if at, err := time.Parse(layout, text); err == nil && at.UTC().Year() >= 1970 && at.UTC().Year() < 10_000 {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("is %.40q, must be an instant since 1970 like 2026-01-02T15:04:05Z", text)
}
