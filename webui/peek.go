package webui

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/globaltask/gtf"
)

// How much of a long text a popover holds, in characters: at first, so that a list stays small, and when it is opened with
// script, which asks for more.
const (
	shortPeek = 400
	longPeek  = 64 << 10
)

// peeks are the popovers of a task. They stand beside the table: a row that is replaced takes none away.
func (p *page) peeks(t *gtf.Task) g.Node {
	return g.Group{
		p.peopleOf(t),
		g.Iff(unlimitedWarning(t) != "", func() g.Node { return p.popover(t, "warning", "Time limit") }),
		g.Iff(len(t.Payload) > 0, func() g.Node { return p.popover(t, "payload", "Payload") }),
		g.Iff(t.Error != "", func() g.Node { return p.popover(t, "trace", "Error") }),
		g.Iff(t.DedupeCount > 0, func() g.Node { return p.popover(t, "reuse", "Reuse") }),
	}
}

func (p *page) peopleOf(t *gtf.Task) g.Node {
	return g.Iff(len(t.Subscribers) > 0, func() g.Node { return p.popover(t, "people", "Subscribers") })
}

func (p *page) popover(t *gtf.Task, what, heading string) g.Node {
	return h.Div(h.ID(what+"-"+t.ID.String()), h.Class("peek"), h.Popover(), h.Role("dialog"), h.Aria("label", heading+" of "+title(t)),
		g.If(isLong(what), h.Data("peek", p.href("/tasks/"+t.ID.String()+"/peek/"+what))), p.peekStart(t, what))
}

// isLong tells whether there is more than what a list brings along.
func isLong(what string) bool { return what == "people" || what == "payload" || what == "trace" }

// peek answers with the body of a popover that was opened.
func (u *Handler) peek(w http.ResponseWriter, p *page) error {
	t, err := p.task()
	if err != nil {
		return err
	}
	what := p.r.PathValue("what")
	if !isLong(what) {
		return errNothingHere
	}
	return p.send(w, http.StatusOK, p.peekBody(t, what))
}

// peekStart is what a list brings along: in few elements, and enough for those without script.
func (p *page) peekStart(t *gtf.Task, what string) g.Node {
	more := h.A(h.Href(p.href("/tasks/"+t.ID.String()+"#"+sectionOf[what])), g.Text("Open full"))
	switch what {
	case "people":
		var names []string
		for _, s := range peopleFirst(t.Subscribers) {
			names = append(names, s.DisplayName())
		}
		return g.Group{h.H2(g.Text("Subscribers")), h.P(g.Text(cut(strings.Join(names, ", "), shortPeek)))}
	case "payload", "trace":
		heading, text := longPart(t, what, 4*shortPeek)
		return g.Group{h.H2(g.Text(heading)), h.Pre(h.Class("code"), h.Dir("ltr"), g.Text(cut(text, shortPeek))), more}
	case "warning":
		return g.Group{h.H2(g.Text("Time limit")), h.P(g.Text(unlimitedWarning(t)))}
	}
	return g.Group{h.H2(g.Text("Reuse")), h.P(g.Text("Joined by " + counted(t.DedupeCount, "other submission", "other submissions") +
		": who asked for the same work shares this task."))}
}

// longPart is the beginning of a text, at least so many bytes of it: a list has no time for more.
func longPart(t *gtf.Task, what string, least int) (heading, text string) {
	if what == "payload" {
		if len(t.Payload) > least {
			return "Payload", plain(head(string(t.Payload), least))
		}
		return "Payload", indented(t.Payload)
	}
	return or(t.ErrorType, "Error"), join("\n\n", plain(head(t.Error, least)), plain(head(t.Stack, least)))
}

// head is the first bytes of a text, without half a character.
func head(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// peekBody is what a script puts in its place: to read, to copy, and where all of it is.
func (p *page) peekBody(t *gtf.Task, what string) g.Node {
	if what == "people" {
		return g.Group{h.H2(g.Text("Subscribers")), p.people(t, shortList)}
	}
	heading, text := longPart(t, what, 4*longPeek)
	id := "text-" + what + "-" + t.ID.String()
	return g.Group{
		h.H2(g.Text(heading)),
		h.Pre(h.ID(id), h.Class("code"), h.TabIndex("0"), h.Role("region"), h.Aria("label", "Text of "+strings.ToLower(heading)), h.Dir("ltr"), g.Text(cut(text, longPeek))),
		h.P(h.Class("bar"), p.copyButton("#"+id), h.A(h.Href(p.href("/tasks/"+t.ID.String()+"#"+sectionOf[what])), g.Text("Open full"))),
	}
}

// sectionOf is where the detail page has all of it.
var sectionOf = map[string]string{"payload": "payload", "trace": "error"}

// copyButton appears with script.
func (p *page) copyButton(of string) g.Node {
	return h.Button(h.Type("button"), h.Class("button"), h.Hidden(""), h.Data("copy", of), p.icon("copy"), h.Span(g.Text("Copy")))
}

const shortList = 20

// people are those who follow a task, at most so many.
func (p *page) people(t *gtf.Task, most int) g.Node {
	guests := 0
	all := peopleFirst(t.Subscribers)
	more := len(all) - most
	return h.Ul(h.Class("who"), g.Map(all[:min(most, len(all))], func(s gtf.Subscriber) g.Node {
		if s.Kind == gtf.KindGuest {
			guests++
		}
		var roles []string
		if s.Kind == t.CreatedBy.Kind && s.ID == t.CreatedBy.ID {
			roles = append(roles, "creator")
		}
		if s.Kind == p.me.Kind && s.ID == p.me.ID {
			roles = append(roles, "you")
		}
		if s.Kind == gtf.KindGuest {
			roles = append(roles, "guest")
		}
		return h.Li(p.face(s.Kind, s.ID, s.DisplayName(), guests), h.Span(h.Dir("auto"), g.Text(s.DisplayName())),
			h.Small(p.ago(s.Since, ""), g.Text(commaed(roles))))
	}), g.Iff(more > 0, func() g.Node { return h.Li(h.Small(g.Text("and " + number(more) + " more"))) }))
}

func commaed(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return ", " + strings.Join(words, ", ")
}

// indented is JSON for people. Numbers stay as they are, however long.
func indented(raw json.RawMessage) string {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return string(raw) // whoever wrote it
	}
	return plain(b.String())
}
