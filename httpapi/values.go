package httpapi

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi/internal/rison"
)

// distinct answers with what a list can be filtered by in a column: {count, result: [{value, text}]}, of the tasks that the
// caller sees.
func (h *Handler) distinct(column gtf.FilterColumn) action {
	return func(w http.ResponseWriter, r *http.Request) error {
		params, err := parseDistinct(r, column)
		if err != nil {
			return err
		}
		answer := valuesAnswer{Result: []valueAnswer{}}
		if params.Limit > 0 {
			values, err := h.client.Distinct(r.Context(), params)
			if err != nil {
				return err
			}
			for _, v := range values {
				answer.Result = append(answer.Result, valueOf(v))
			}
		}
		answer.Count = len(answer.Result)
		return send(w, answer)
	}
}

type valuesAnswer struct {
	Count  int           `json:"count"` // of these
	Result []valueAnswer `json:"result"`
}

type valueAnswer struct {
	Value string `json:"value"`
	Text  string `json:"text"`
}

// valueOf writes people as lists read them.
func valueOf(v gtf.DistinctValue) valueAnswer {
	if v.Kind == "" {
		return valueAnswer{Value: v.Value, Text: v.Name}
	}
	return valueAnswer{Value: FormatPrincipal(gtf.Principal{Kind: v.Kind, ID: v.Value}), Text: v.Name}
}

// parseDistinct reads a part of the text in the parameter text, or in q: bare, or as clients of the reference write it, in
// Rison (filter:…,page:…,page_size:…). All values there are stand on the first page: of others the limit is 0.
func parseDistinct(r *http.Request, column gtf.FilterColumn) (*gtf.DistinctParams, error) {
	query, err := queryOf(r)
	if err != nil {
		return nil, err
	}
	p := &gtf.DistinctParams{Column: column, Text: query.Get("text"), Limit: maxPageSize}
	q := query.Get("q")
	if q == "" {
		return p, nil
	}
	if query.Has("text") {
		return nil, invalid("text", "is given beside q")
	}
	if !strings.HasPrefix(q, "(") && !strings.HasPrefix(q, "'") && !strings.HasPrefix(q, "!") {
		p.Text = q
		return p, nil
	}
	value, err := rison.Decode(q)
	if err != nil {
		return nil, invalid("q", "is not rison: "+err.Error())
	}
	members, ok := value.(map[string]any)
	if !ok {
		members = map[string]any{"filter": value}
	}
	in := &listQuery{}
	for key, value := range members {
		switch field := "q." + key; key {
		case "filter":
			p.Text = in.risonFilterText(field, value)
		case "page":
			if in.risonInteger(field, value, 0, gtf.MaxCount) > 0 {
				p.Limit = 0
			}
		case "page_size":
			if size := in.risonInteger(field, value, -1, gtf.MaxCount); size > 0 {
				p.Limit = min(p.Limit, size)
			}
		}
	}
	if len(in.bad) > 0 {
		return nil, &gtf.ValidationError{Problems: in.bad}
	}
	return p, nil
}

// risonFilterText also takes a number: that is how a text of digits is written.
func (q *listQuery) risonFilterText(field string, value any) string {
	if number, ok := value.(json.Number); ok {
		return number.String()
	}
	return q.risonText(field, value)
}
