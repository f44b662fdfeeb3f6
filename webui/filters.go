package webui

import (
	"slices"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi"
)

// choice is a value that a filter can have.
type choice struct{ value, label string }

// choices are what there is to filter by, among the tasks that the caller sees.
type choices struct{ types, people []choice }

func (p *page) choices() (*choices, error) {
	c := &choices{}
	for column, into := range map[gtf.FilterColumn]*[]choice{gtf.FilterType: &c.types, gtf.FilterCreatedBy: &c.people} {
		values, err := p.u.client.Distinct(p.r.Context(), &gtf.DistinctParams{Column: column})
		if err != nil {
			return nil, err
		}
		for _, v := range values {
			value := v.Value
			if v.Kind != "" {
				value = httpapi.FormatPrincipal(gtf.Principal{Kind: v.Kind, ID: v.Value})
			}
			*into = append(*into, choice{value, v.Name})
		}
	}
	me := httpapi.FormatPrincipal(p.me)
	c.people = slices.DeleteFunc(c.people, func(o choice) bool { return o.value == me })
	c.people = append([]choice{{"me", "Me"}}, c.people...)
	return c, nil
}

func (p *page) scopes() []choice {
	var all []choice
	for _, s := range gtf.Scopes() {
		if s != gtf.ScopeSystem || p.me.Admin {
			all = append(all, choice{string(s), scopeWord(s)})
		}
	}
	return all
}

// tabs are the statuses. They combine with the other filters.
func (p *page) tabs(v *view) g.Node {
	chosen := v.given["status"]
	tab := func(id, label, to string, current bool, glyph g.Node) g.Node {
		return h.Li(h.A(h.ID("tab-"+id), h.Href(p.href(to)), h.Data("swap", ""), g.If(current, h.Aria("current", "true")), glyph, g.Text(label)))
	}
	items := g.Group{tab("all", "All", v.with("status"), len(chosen) == 0, nil)}
	for _, s := range gtf.Statuses() {
		name := string(s)
		items = append(items, tab(name, statusWord(s), v.with("status", name), slices.Contains(chosen, name),
			h.Span(h.Class("status s-"+name), p.icon(name))))
	}
	return h.Nav(h.Aria("label", "Status"), h.Ul(h.ID("tabs"), h.Class("tabs"), items))
}

// filterBar is one form, so that without script all filters are sent together.
func (p *page) filterBar(v *view, c *choices) g.Node {
	keep := g.Group{}
	for _, name := range []string{"status", "subscriber", "queue", "filter", "created_after", "created_before", "sort", "page_size"} {
		for _, text := range v.given[name] {
			keep = append(keep, h.Input(h.Type("hidden"), h.Name(name), h.Value(text)))
		}
	}
	times := []choice{{"", "Any time"}}
	for _, s := range spans {
		times = append(times, choice{s.name, s.label})
	}
	return h.Form(h.ID("filters"), h.Class("filters"), h.Role("search"), h.Aria("label", "Filters"), h.Method("get"), h.Action(p.href("/tasks")), h.Data("swap", ""),
		keep,
		p.facet(v, "task_type", "Type", "checkbox", c.types),
		p.facet(v, "scope", "Scope", "checkbox", p.scopes()),
		p.facet(v, "created_by", "Created by", "checkbox", c.people),
		p.facet(v, paramSince, "Time", "radio", times),
		h.Button(h.Class("vh-focus button"), h.Type("submit"), g.Text("Apply filters")),
	)
}

// facet is a button with the values of one filter.
func (p *page) facet(v *view, name, label, kind string, all []choice) g.Node {
	if len(all) == 0 {
		return nil
	}
	chosen := v.given[name]
	if kind == "radio" && len(chosen) == 0 {
		chosen = []string{""}
	}
	for _, value := range chosen { // one that is not, or no longer, among them
		if !slices.ContainsFunc(all, func(c choice) bool { return c.value == value }) {
			all = append(all, choice{value, value})
		}
	}
	id := "facet-" + name
	active := len(v.given[name])
	return g.Group{
		h.Button(h.ID("b-"+id), h.Type("button"), h.Class("button facet"), h.PopoverTarget(id), g.If(active > 0, h.Data("active", "")),
			g.Text(label), g.Iff(active > 0 && kind == "checkbox", func() g.Node { return h.Span(h.Class("count"), g.Text(number(active))) }), p.icon("down")),
		h.Div(h.ID(id), h.Class("peek"), h.Popover(), h.Role("dialog"), h.Aria("label", label),
			h.FieldSet(h.Legend(g.Text(label)), h.Div(h.Class("options"), g.Map(all, func(c choice) g.Node {
				return h.Label(h.Input(h.Type(kind), h.Name(name), h.Value(c.value), g.If(slices.Contains(chosen, c.value), h.Checked())),
					h.Span(h.Dir("auto"), g.Text(c.label)))
			}))),
			h.Button(h.Type("submit"), h.Class("button primary"), g.Text("Apply"))),
	}
}

// chips are the filters in force, each of which can be taken off.
func (p *page) chips(v *view, c *choices) g.Node {
	items := g.Group{}
	for _, name := range filterParams {
		for _, value := range v.given[name] {
			text := chipText(name, value, c)
			items = append(items, h.Li(h.A(h.Class("chip"), h.Href(p.href(v.without(name, value))), h.Data("swap", ""),
				h.Aria("label", "Remove the filter "+text), h.Span(h.Dir("auto"), g.Text(text)), p.icon("close"))))
		}
	}
	if len(items) == 0 {
		return nil
	}
	return h.Ul(h.Class("chips"), h.Aria("label", "Filters in force"), items,
		h.Li(h.A(h.ID("clear"), h.Href(p.href(v.unfiltered())), h.Data("swap", ""), g.Text("Clear all"))))
}

var filterWords = map[string]string{
	"text": "Text", "status": "Status", "task_type": "Type", "scope": "Scope", "created_by": "Created by", "subscriber": "Subscriber", "queue": "Queue",
	"created_after": "From", "created_before": "Until", "filter": "Filter",
}

func chipText(name, value string, c *choices) string {
	label := value
	switch name {
	case "status":
		label = statusWord(gtf.Status(value))
	case "scope":
		label = scopeWord(gtf.Scope(value))
	case "created_by", "subscriber":
		if i := slices.IndexFunc(c.people, func(o choice) bool { return o.value == value }); i >= 0 {
			label = c.people[i].label
		}
	case paramSince:
		return spanLabel(value)
	}
	return filterWords[name] + ": " + label
}

func spanLabel(name string) string {
	for _, s := range spans {
		if s.name == name {
			return s.label
		}
	}
	return name
}
