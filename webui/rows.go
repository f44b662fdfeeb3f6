package webui

import (
	"net/http"
	"slices"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/globaltask/gtf"
)

const maxRows = 100 // asked for at once

// rows answers with the rows of ?ids=, of which the rest of the query is the view that shows them, and their popovers. What
// the caller sees no longer is marked as gone.
func (u *Handler) rows(w http.ResponseWriter, p *page) error {
	values := p.r.URL.Query()
	asked := strings.Split(values.Get("ids"), ",")
	values.Del("ids")
	v, err := readView(values.Encode(), p.me, p.now)
	if err != nil {
		return err
	}
	if len(asked) > maxRows {
		return invalid("ids", "are more than 100")
	}
	now, err := p.tasksOf(asked, nil)
	if err != nil {
		return err
	}
	matching := now
	if v.filtered() {
		if matching, err = p.tasksOf(asked, v.params); err != nil {
			return err
		}
	}
	rows, peeks := g.Group{}, g.Group{}
	for _, id := range asked {
		t := now[id]
		if t == nil {
			rows = append(rows, h.Tr(h.ID("task-"+id), h.Data("gone", "")))
			continue
		}
		rows, peeks = append(rows, p.row(t, matching[id] == nil)), append(peeks, p.peeks(t))
	}
	return p.send(w, http.StatusOK, g.Group{h.Table(h.TBody(rows)), h.Div(peeks)})
}

// tasksOf are those of some ids that the caller sees, and that match filters.
func (p *page) tasksOf(ids []string, filters *gtf.ListParams) (map[string]*gtf.Task, error) {
	params := gtf.ListParams{}
	if filters != nil {
		params = *filters
		params.Cursor, params.Order, params.Descending = "", "", false
	}
	params.PageSize, params.NoCount = maxRows, true
	params.Where = append(slices.Clone(params.Where), gtf.Condition{Column: gtf.FilterID, Op: gtf.OpIn, Texts: ids})
	found, err := p.u.client.List(p.r.Context(), &params)
	if err != nil {
		return nil, err
	}
	byID := map[string]*gtf.Task{}
	for _, t := range found.Tasks {
		byID[t.ID.String()] = t
	}
	return byID, nil
}

// countNew answers with a link that says how many tasks of a view were created later than ?after=; empty if none were.
func (u *Handler) countNew(w http.ResponseWriter, p *page) error {
	values := p.r.URL.Query()
	after, err := time.Parse(time.RFC3339Nano, values.Get("after"))
	if err != nil {
		return invalid("after", "is not an instant")
	}
	values.Del("after")
	v, err := readView(values.Encode(), p.me, p.now)
	if err != nil {
		return err
	}
	params := *v.params
	params.PageSize, params.Cursor = 1, ""
	params.Where = append(slices.Clone(params.Where), gtf.Condition{Column: gtf.FilterCreated, Op: gtf.OpGreater, Times: []time.Time{after}})
	found, err := u.client.List(p.r.Context(), &params)
	if err != nil {
		return err
	}
	if found.Count == 0 {
		return p.send(w, http.StatusOK, g.Group{})
	}
	text := counted(found.Count, "new task", "new tasks")
	if found.Capped {
		text = number(found.Count) + "+ new tasks"
	}
	return p.send(w, http.StatusOK, h.A(h.ID("show-new"), h.Class("pill"), h.Href(p.href(v.address())), h.Data("swap", "top"), p.icon("up"), g.Text(text)))
}
