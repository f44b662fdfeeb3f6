package webui

import (
	"net/http"
	"slices"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi/auth"
)

// frame is what surrounds the content of a page.
type frame struct {
	title  string // also that of the document
	lead   g.Node // above the title
	search g.Node // default: a form that leads to the list
	live   bool   // the page follows its tasks
	status int    // default 200
}

// show answers with a whole page.
func (p *page) show(w http.ResponseWriter, f frame, content ...g.Node) error {
	if f.status == 0 {
		f.status = http.StatusOK
	}
	notice := p.takeNotice(w)
	return p.send(w, f.status, h.Doctype(h.HTML(h.Lang("en"), h.Data("theme", p.theme()), h.Data("base", p.u.opts.Base),
		g.Iff(f.live, func() g.Node { return g.Group{h.Data("api", p.u.opts.API), h.Data("user", p.channel())} }),
		h.Head(
			h.Meta(h.Charset("utf-8")),
			h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
			h.Meta(h.Name("color-scheme"), h.Content("light dark")),
			h.TitleEl(g.Text(f.title+" · "+p.u.opts.Title)),
			h.Link(h.Rel("icon"), h.Type("image/svg+xml"), h.Href(p.asset("icons.svg"))),
			h.Link(h.Rel("stylesheet"), h.Href(p.asset("app.css"))),
			g.Map([]string{"swap.js", "dialog.js", "live.js"}, func(name string) g.Node {
				return h.Link(h.Rel("modulepreload"), h.Href(p.asset(name)))
			}),
			h.Script(h.Type("module"), h.Src(p.asset("app.js"))),
		),
		h.Body(
			h.A(h.Class("skip"), h.Href("#main"), g.Text("Skip to content")),
			p.rail(),
			h.Header(h.Class("top"), p.topBar(f)),
			h.Main(h.ID("main"), h.TabIndex("-1"), g.Group(content)),
			h.Div(h.ID("toasts"), g.Iff(notice != "", func() g.Node { return p.toast(notice) })),
		),
	)))
}

// channel names what the tabs of one person have in common.
func (p *page) channel() string { return string(p.me.Kind) + ":" + p.me.ID }

func (p *page) topBar(f frame) g.Node {
	return g.Group{
		h.Button(h.Class("bare menu"), h.Type("button"), h.PopoverTarget("rail"), h.Aria("label", "Menu"), p.icon("menu")),
		h.Div(h.Class("titles"), f.lead, h.H1(h.Dir("auto"), g.Text(f.title))),
		g.Iff(p.may(), func() g.Node {
			if f.search != nil {
				return f.search
			}
			return h.Form(h.Role("search"), h.Method("get"), h.Action(p.href("/tasks")), p.searchField("", nil))
		}),
		g.Iff(f.live, func() g.Node {
			return g.Group{
				h.P(h.ID("live"), h.Class("live"), h.Role("status"), h.Hidden("")),
				h.Button(h.ID("pause"), h.Class("bare"), h.Type("button"), h.Hidden(""), h.Aria("pressed", "false"), h.Aria("label", "Pause updates"),
					h.Title("Pause updates"), p.icon("pause")),
			}
		}),
		p.userMenu(),
	}
}

// searchField is where one types what to find.
func (p *page) searchField(text string, belongs g.Node) g.Node {
	return h.Label(h.Class("search"), p.icon("search"), h.Span(h.Class("vh"), g.Text("Find a task by name, key or id")),
		h.Input(h.ID("search"), h.Type("search"), h.Name("text"), h.Value(text), h.Placeholder("Find a task"), h.MaxLength("256"), h.AutoComplete("off"), belongs))
}

// place is a list that people want again and again.
type place struct {
	label, icon, query string
	admin              bool // only for them
}

var places = []place{
	{"All tasks", "tasks", "", false},
	{"Mine", "user", "?created_by=me", false},
	{"Running", "in_progress", "?status=in_progress&status=aborting", false},
	{"Failed in 24 h", "failure", "?status=failure&status=timed_out&since=24h", false},
	{"System", "monitor", "?scope=system", true},
}

// rail leads to the pages. On small screens it is a menu.
func (p *page) rail() g.Node {
	here := p.r.URL.RequestURI()
	return h.Nav(h.ID("rail"), h.Class("rail"), h.Aria("label", "Main"), h.Popover(),
		h.A(h.Class("brand"), h.Href(p.href("/tasks")), p.icon("mark"), h.Span(g.Text(p.u.opts.Title)),
			g.Iff(p.u.opts.Environment != "", func() g.Node { return h.Span(h.Class("badge"), g.Text(p.u.opts.Environment)) })),
		g.Iff(p.may(), func() g.Node {
			return h.Ul(g.Map(places, func(v place) g.Node {
				if v.admin && !p.me.Admin {
					return nil
				}
				to := "/tasks" + v.query
				return h.Li(h.A(h.Href(p.href(to)), h.Title(v.label), g.If(here == to, h.Aria("current", "page")), p.icon(v.icon), h.Span(g.Text(v.label))))
			}))
		}))
}

// may tells whether there is anything to see.
func (p *page) may() bool { return p.who != nil && p.who.Read && p.u.client.Enabled() }

// userMenu says who one is, and lets one choose the theme, leave, or be somebody else where that is for trying out.
func (p *page) userMenu() g.Node {
	name := "Nobody is signed in"
	if p.who != nil {
		name = p.me.DisplayName()
	}
	return g.Group{
		h.Button(h.ID("me"), h.Class("bare me"), h.Type("button"), h.PopoverTarget("usermenu"), h.Aria("label", "You are "+name),
			g.Iff(p.who != nil, func() g.Node { return p.face(p.me.Kind, p.me.ID, name, 0) }),
			g.Iff(p.who == nil, func() g.Node { return p.icon("user") })),
		h.Div(h.ID("usermenu"), h.Class("menu-pop"), h.Popover(), h.Role("dialog"), h.Aria("label", "You"),
			g.Iff(p.who != nil, func() g.Node {
				return h.P(h.Strong(h.Dir("auto"), g.Text(name)), h.Br(), h.Small(g.Text(roleOf(p.who))))
			}),
			p.themeForm(),
			p.peopleForm(),
			g.Iff(p.u.opts.Login && p.who != nil && p.who.Method == "session", func() g.Node {
				return h.Form(h.Method("post"), h.Action(p.href("/auth/logout")), h.Button(h.Type("submit"), g.Text("Sign out")))
			})),
	}
}

// peopleForm changes whom one is, for trying out.
func (p *page) peopleForm() g.Node {
	if len(p.u.opts.People) == 0 {
		return nil
	}
	return h.Form(h.Method("post"), h.Action(p.href("/auth/demo")), h.Class("people"), h.Aria("label", "Be somebody else"),
		h.Small(g.Text("This is a demo: be somebody else")),
		h.Input(h.Type("hidden"), h.Name("return_to"), h.Value(p.href("/tasks"))),
		g.Map(p.u.opts.People, func(who *auth.Identity) g.Node {
			now := p.who != nil && p.who.Principal.ID == who.Principal.ID
			return h.Button(h.Type("submit"), h.Name("user"), h.Value(who.Principal.ID), g.If(now, h.Aria("current", "true")),
				p.face(who.Principal.Kind, who.Principal.ID, who.Principal.DisplayName(), 0),
				h.Span(g.Text(who.Principal.DisplayName())), h.Small(g.Text(roleOf(who))))
		}))
}

// roleOf is what somebody may do, in a word.
func roleOf(who *auth.Identity) string {
	switch {
	case who.Principal.Admin:
		return "Admin"
	case who.Principal.Kind == gtf.KindGuest:
		return "Guest"
	case who.Write:
		return "User"
	}
	return "Viewer"
}

// face is somebody in a circle. Guests are numbered, from 1; 0 is no number. The initials are drawn, not written: names stand
// beside them.
func (p *page) face(kind gtf.PrincipalKind, id, name string, guest int) g.Node {
	return h.Span(h.Class("face "+faceColour(kind, id)), h.Data("i", faceText(kind, name, guest)), h.Aria("hidden", "true"))
}

// peopleFirst puts guests behind users, each in the order they came.
func peopleFirst(all []gtf.Subscriber) []gtf.Subscriber {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b gtf.Subscriber) int {
		switch guestA, guestB := a.Kind == gtf.KindGuest, b.Kind == gtf.KindGuest; {
		case guestA == guestB:
			return a.Since.Compare(b.Since)
		case guestA:
			return 1
		}
		return -1
	})
	return sorted
}
