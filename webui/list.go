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

// list is the page of tasks.
func (u *Handler) list(w http.ResponseWriter, p *page) error {
	v, err := readView(p.r.URL.RawQuery, p.me, p.now)
	if err != nil {
		return err
	}
	if id, err := gtf.ParseID(v.given.Get("text")); err == nil { // one who knows the id wants the task
		u.redirect(w, "/tasks/"+id.String())
		return nil
	}
	tasks, err := u.client.List(p.r.Context(), v.params)
	if err != nil {
		return err
	}
	choices, err := p.choices()
	if err != nil {
		return err
	}
	content := p.listContent(v, tasks, choices)
	if isFragment(p.r) {
		return p.send(w, http.StatusOK, content)
	}
	return p.show(w, frame{
		title: "Tasks", live: true, search: p.searchField(v.given.Get("text"), h.FormAttr("filters")),
	}, content)
}

// listContent is everything that another view has otherwise.
func (p *page) listContent(v *view, tasks *gtf.TaskPage, c *choices) g.Node {
	newest := p.now
	if len(tasks.Tasks) > 0 && v.newestFirst() {
		newest = tasks.Tasks[0].CreatedAt
	}
	return h.Div(h.ID("list"), h.Class("list"), h.Data("view", v.given.Encode()), h.Data("shown", v.address()),
		g.If(v.newestFirst(), h.Data("newest", newest.UTC().Format(time.RFC3339Nano))),
		p.tabs(v), p.filterBar(v, c), p.chips(v, c),
		h.Div(h.ID("new"), h.Class("new"), h.Role("status")),
		g.Iff(len(tasks.Tasks) == 0, func() g.Node { return p.empty(v) }),
		g.Iff(len(tasks.Tasks) > 0, func() g.Node {
			return g.Group{
				h.Div(h.Class("scroll"), h.Table(h.Class("tasks"),
					h.Caption(h.Class("vh"), g.Text(join(", ", "Tasks", rangeText(v, tasks)))),
					p.columns(v), h.TBody(h.ID("rows"), g.Map(tasks.Tasks, func(t *gtf.Task) g.Node { return p.row(t, false) })))),
				p.paging(v, tasks),
			}
		}),
		h.Div(h.ID("peeks"), g.Map(tasks.Tasks, p.peeks)),
	)
}

// column is one of the table.
type column struct {
	label string
	class string
	order gtf.OrderColumn // empty: it cannot be sorted by
}

var listColumns = []column{
	{"Task", "c-task", ""}, {"Status", "c-status", gtf.OrderStatus}, {"Progress", "c-progress", ""}, {"Type", "c-type", gtf.OrderType},
	{"Scope", "c-scope", gtf.OrderScope}, {"Subscribers", "c-faces", ""}, {"Created", "c-created", gtf.OrderCreated},
	{"Duration", "c-duration", ""}, {"Details", "c-details", ""}, {"Actions", "c-actions", ""},
}

func (p *page) columns(v *view) g.Node {
	by, descending := v.order()
	return h.THead(h.Tr(g.Map(listColumns, func(c column) g.Node {
		if c.order == "" || !slices.Contains(gtf.OrderColumns(), c.order) {
			return h.Th(h.Scope("col"), h.Class(c.class), h.Span(g.If(c.class == "c-actions" || c.class == "c-details", h.Class("vh")), g.Text(c.label)))
		}
		direction, glyph := "none", "sort"
		if c.order == by {
			if direction, glyph = "ascending", "up"; descending {
				direction, glyph = "descending", "down"
			}
		}
		return h.Th(h.Scope("col"), h.Class(c.class), h.Aria("sort", direction),
			h.A(h.ID("sort-"+string(c.order)), h.Href(p.href(v.sorted(c.order))), h.Data("swap", ""), g.Text(c.label), p.icon(glyph)))
	})))
}

// empty says why there is nothing, and what to do about it.
func (p *page) empty(v *view) g.Node {
	if !v.filtered() {
		return h.Div(h.Class("empty"), p.icon("tasks"), h.H2(g.Text("No tasks yet")),
			h.P(g.Text("Tasks that you start or join appear here, with their progress, for as long as they are kept.")))
	}
	return h.Div(h.Class("empty"), p.icon("search"), h.H2(g.Text("No task matches these filters")),
		g.Iff(v.given.Has(paramSince), func() g.Node {
			return h.P(g.Text("Only tasks of the " + strings.ToLower(spanLabel(v.given.Get(paramSince))) + " were looked at."))
		}),
		h.P(h.A(h.Class("button"), h.Href(p.href(v.unfiltered())), h.Data("swap", ""), g.Text("Clear all filters"))))
}

// rangeText is "1–25 of 1,204"; beyond what is counted "of 10,000+".
func rangeText(v *view, tasks *gtf.TaskPage) string {
	if len(tasks.Tasks) == 0 {
		return ""
	}
	last := v.from + len(tasks.Tasks) - 1
	of := number(max(tasks.Count, last))
	if tasks.Capped {
		of += "+"
	}
	return number(v.from) + "–" + number(last) + " of " + of
}

func (p *page) paging(v *view, tasks *gtf.TaskPage) g.Node {
	step := func(label, to string) g.Node {
		id := h.ID("page-" + label)
		if to == "" {
			return h.Span(h.Class("button"), id, h.Role("link"), h.Aria("disabled", "true"), g.Text(label))
		}
		return h.A(h.Class("button"), id, h.Href(p.href(to)), h.Data("swap", "top"), g.Text(label))
	}
	first, next := "", ""
	if v.given.Has("cursor") {
		first = address(v.firstPage())
	}
	if tasks.Next != "" {
		next = v.next(tasks.Next, len(tasks.Tasks))
	}
	return h.Nav(h.Class("paging"), h.Aria("label", "Pages"),
		h.Span(h.ID("range"), g.Text(rangeText(v, tasks))),
		h.Span(h.Class("sizes"), h.Span(g.Text("Rows:")), g.Map(pageSizes, func(n int) g.Node {
			return h.A(h.ID("size-"+number(n)), h.Href(p.href(v.sized(n))), h.Data("swap", ""), h.Aria("label", number(n)+" rows a page"),
				g.If(n == v.size(), h.Aria("current", "true")), g.Text(number(n)))
		})),
		h.Span(h.Class("steps"), step("First", first), step("Previous", v.previous()), step("Next", next)),
	)
}
