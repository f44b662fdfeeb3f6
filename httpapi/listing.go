package httpapi

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi/internal/rison"
)

// listQueryOf writes parameters as parseList reads them: in q, unless there is a text, for which q has no place.
func listQueryOf(params *gtf.ListParams) (url.Values, error) {
	query := url.Values{}
	if params == nil {
		return query, nil
	}
	p := *params
	page, err := pageOf(&p)
	if err != nil {
		return nil, err
	}
	if p.Cursor != "" {
		query.Set("cursor", p.Cursor)
	}
	if p.NoCount {
		query.Set("count", "false")
	}
	if p.Text != "" {
		return query, plainQuery(query, &p, page)
	}
	q := map[string]any{}
	var filters []any
	for _, c := range p.Conditions() {
		values := valuesOf(c)
		var value any = texts(values)
		if c.Op != gtf.OpIn && c.Op != gtf.OpRelated && len(values) == 1 {
			value = values[0]
		}
		filters = append(filters, map[string]any{"col": string(c.Column), "opr": string(c.Op), "value": value})
	}
	if len(filters) > 0 {
		q["filters"] = filters
	}
	if p.Order != "" {
		q["order_column"], q["order_direction"] = string(p.Order), "asc"
		if p.Descending {
			q["order_direction"] = "desc"
		}
	}
	if page > 0 {
		q["page"] = page
	}
	if p.PageSize != 0 {
		q["page_size"] = p.PageSize
	}
	if len(q) == 0 {
		return query, nil
	}
	text, err := rison.Encode(q)
	if err != nil {
		return nil, invalid("filters", err.Error())
	}
	query.Set("q", text)
	return query, nil
}

// plainQuery adds the plain parameters. Their lists are split at commas, so that a value cannot hold one.
func plainQuery(query url.Values, p *gtf.ListParams, page int) error {
	query.Set("text", p.Text)
	for _, c := range p.Conditions() {
		values := valuesOf(c)
		op := c.Op
		if op == gtf.OpIn && len(values) == 1 {
			op = gtf.OpEqual
		}
		several := op == gtf.OpIn || op == gtf.OpRelated
		if several && slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, ",") }) {
			return invalid("filters."+string(c.Column), "has a comma in a value, which does not go together with a text")
		}
		query.Add("filter", string(c.Column)+":"+string(op)+":"+strings.Join(values, ","))
	}
	if p.Order != "" {
		sort := string(p.Order)
		if p.Descending {
			sort = "-" + sort
		}
		query.Set("sort", sort)
	}
	if page > 0 {
		query.Set("page", strconv.Itoa(page))
	}
	if p.PageSize != 0 {
		query.Set("page_size", strconv.Itoa(p.PageSize))
	}
	return nil
}

// pageOf is the number of the page, from 0: the server knows no other offsets.
func pageOf(p *gtf.ListParams) (int, error) {
	size := p.PageSize
	if size == 0 {
		size = defaultPageSize
	}
	if size < 0 || p.Offset%size != 0 {
		return 0, invalid("offset", fmt.Sprintf("is %d, must be a multiple of the page's size", p.Offset))
	}
	return p.Offset / size, nil
}

func valuesOf(c gtf.Condition) []string {
	values := slices.Clone(c.Texts)
	for _, at := range c.Times {
		values = append(values, at.UTC().Format(time.RFC3339Nano))
	}
	for _, who := range c.Who {
		values = append(values, FormatPrincipal(who))
	}
	return values
}
