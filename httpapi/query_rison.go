package httpapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi/internal/rison"
)

// rison reads q as clients of the reference write it. Which columns they want is of no account: tasks come whole.
func (q *listQuery) rison(name string, given []string) {
	value, err := rison.Decode(given[0])
	if err != nil {
		q.refuse(name, "is not rison: %v", err)
		return
	}
	members, ok := value.(map[string]any)
	if !ok {
		q.refuse(name, "is %s, must be an object", kindOfRison(value))
		return
	}
	for _, key := range slices.Sorted(maps.Keys(members)) {
		field, value := name+"."+key, members[key]
		switch key {
		case "filters":
			q.risonFilters(field, value)
		case "order_column":
			q.params.Order = gtf.OrderColumn(q.risonText(field, value))
		case "order_direction":
			q.direction(field, q.risonText(field, value))
		case "page":
			q.page = q.risonInteger(field, value, 0, gtf.MaxCount)
		case "page_size":
			q.params.PageSize = q.risonInteger(field, value, 1, maxPageSize)
		case "columns", "keys", "select_columns":
		default:
			q.refuse(field, "is not a part of q")
		}
	}
}

// direction turns the order round. It comes behind the column, which sorts upwards unless told.
func (q *listQuery) direction(field, text string) {
	if q.params.Order == "" {
		q.params.Order = gtf.OrderCreated
	}
	switch text {
	case "asc":
	case "desc":
		q.params.Descending = true
	default:
		q.refuse(field, "is %.20q, must be asc or desc", text)
	}
}

func (q *listQuery) risonFilters(field string, value any) {
	list, ok := value.([]any)
	if !ok {
		q.refuse(field, "is %s, must be a list", kindOfRison(value))
		return
	}
	for i, each := range list {
		field := fmt.Sprintf("%s[%d]", field, i)
		members, ok := each.(map[string]any)
		if !ok {
			q.refuse(field, "is %s, must be an object of col, opr and value", kindOfRison(each))
			continue
		}
		q.risonFilter(field, members)
	}
}

func (q *listQuery) risonFilter(field string, members map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(members)) {
		if key != "col" && key != "opr" && key != "value" {
			q.refuse(field+"."+key, "is not a part of a filter")
		}
	}
	column := q.risonText(field+".col", members["col"])
	op := q.risonText(field+".opr", members["opr"])
	values, several := members["value"].([]any)
	if !several {
		values = []any{members["value"]}
	}
	for _, value := range values {
		switch value.(type) {
		case string, json.Number:
		default:
			q.refuse(field+".value", "is %s, must be a text, a number, or a list of them", kindOfRison(value))
			return
		}
	}
	q.filter(field+".value", gtf.FilterColumn(column), gtf.FilterOp(op), values)
}

func (q *listQuery) risonText(field string, value any) string {
	text, ok := value.(string)
	if !ok {
		q.refuse(field, "is %s, must be a text", kindOfRison(value))
	}
	return text
}

func (q *listQuery) risonInteger(field string, value any, least, most int) int {
	number, ok := value.(json.Number)
	if !ok {
		q.refuse(field, "is %s, must be a whole number from %d to %d", kindOfRison(value), least, most)
		return 0
	}
	return q.integer(field, number.String(), least, most)
}

// kindOfRison is what a message calls a value.
func kindOfRison(value any) string {
	switch value.(type) {
	case nil:
		return "missing or null"
	case bool:
		return "true or false"
	case json.Number:
		return "a number"
	case string:
		return "a text"
	case []any:
		return "a list"
	}
	return "an object"
}
