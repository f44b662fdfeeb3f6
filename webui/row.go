package webui

import (
	"strconv"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/web"
)

// row is a task in the list, the same in the page and when it is refreshed. One that has left is still there, though it no
// longer matches the filters.
func (p *page) row(t *gtf.Task, left bool) g.Node {
	cell := func(class string, content ...g.Node) g.Node { return h.Td(h.Class(class), g.Group(content)) }
	return h.Tr(h.ID("task-"+t.ID.String()), h.Data("version", strconv.FormatInt(t.Version, 10)), g.If(left, h.Class("left")),
		h.Th(h.Scope("row"), h.Class("c-task"), p.nameLink(t)),
		cell("c-status", p.status(t)),
		cell("c-progress", p.progress(t)),
		cell("c-type", h.A(h.Href(p.href("/tasks"+query("task_type", t.Type))), h.Data("swap", ""), h.Title("Only tasks of type "+t.Type), g.Text(t.Type))),
		cell("c-scope", p.scope(t.Scope)),
		cell("c-faces", p.faces(t)),
		cell("c-created", p.ago(t.CreatedAt, creator(t))),
		cell("c-duration", p.duration(t)),
		cell("c-details", p.details(t)),
		cell("c-actions", p.cancelButton(t)),
	)
}

func (p *page) nameLink(t *gtf.Task) g.Node {
	return h.A(h.ID("open-"+t.ID.String()), h.Class("name"), h.Dir("auto"), h.Href(p.href("/tasks/"+t.ID.String())),
		h.Title(cut(title(t), 300)+"\n"+cut(oneLine(t.Key), 300)+"\n"+t.ID.String()), g.Text(title(t)))
}

func creator(t *gtf.Task) string {
	if t.CreatedBy.IsZero() {
		return ""
	}
	return "by " + t.CreatedBy.DisplayName()
}

// status is a glyph and a word; colour alone says nothing.
func (p *page) status(t *gtf.Task) g.Node {
	s := string(t.Status)
	if _, known := statusWords[t.Status]; !known {
		s = "pending"
	}
	note := statusNote(t, p.now)
	return h.Span(h.Class("status s-"+s), g.If(note != "", h.Title(note)), p.icon(s), g.Text(statusWord(t.Status)))
}

// progress is a bar while the task runs, and what is known. A bar without value is one of a task that only counts.
func (p *page) progress(t *gtf.Task) g.Node {
	text := t.Progress.String()
	if text == "" {
		return nil
	}
	var bar g.Node
	if t.Status == gtf.StatusInProgress || t.Status == gtf.StatusAborting {
		f, known := t.Progress.Fraction()
		bar = h.Progress(h.Class("s-"+string(t.Status)), h.Aria("label", "Progress of "+title(t)), h.Max("1"),
			g.If(known, h.Value(strconv.FormatFloat(f, 'f', 4, 64))))
	}
	return g.Group{h.Span(h.Class("done"), g.Text(text)), p.eta(t), bar}
}

// eta counts down in the browser.
func (p *page) eta(t *gtf.Task) g.Node {
	left, ok := t.ETA(p.now)
	if !ok {
		return nil
	}
	return h.Span(h.Class("eta"), h.Data("eta", ms(left)), g.Text("ETA "+web.Duration(left)))
}

// duration counts on in the browser while the task runs.
func (p *page) duration(t *gtf.Task) g.Node {
	ran, ok := t.Duration(p.now)
	if !ok {
		return h.Span(h.Class("none"), g.Text(none))
	}
	return h.Span(h.Class("num"), g.If(t.Status.Active(), h.Data("run", ms(ran))), g.Text(runText(t, p.now)))
}

// ago is an instant, relative to now. The browser counts on, and shows the instant in its own zone.
func (p *page) ago(t time.Time, more string) g.Node {
	if t.IsZero() {
		return g.Text(none)
	}
	return h.Time(h.DateTime(t.UTC().Format(time.RFC3339)), h.Data("age", ms(p.now.Sub(t))), h.Title(join(" ", instant(t), more)), g.Text(web.Ago(p.now, t)))
}

func ms(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func (p *page) scope(s gtf.Scope) g.Node {
	class := "tag"
	if _, known := scopeWords[s]; known {
		class += " t-" + string(s)
	}
	return h.Span(h.Class(class), g.Text(scopeWord(s)))
}

// faces are up to three of those who follow a task, and a button that names all.
func (p *page) faces(t *gtf.Task) g.Node {
	if len(t.Subscribers) == 0 {
		return h.Span(h.Class("none"), g.Text(none))
	}
	people, pile, guests := peopleFirst(t.Subscribers), g.Group{}, 0
	for i, s := range people {
		if s.Kind == gtf.KindGuest {
			guests++
		}
		if i < 3 {
			pile = append(pile, p.face(s.Kind, s.ID, s.DisplayName(), guests))
		}
	}
	if more := len(people) - 3; more > 0 {
		pile = append(pile, h.Span(h.Class("more"), h.Data("i", "+"+number(more)), h.Aria("hidden", "true")))
	}
	return p.peekButton(t, "people", "pile", counted(len(people), "subscriber", "subscribers")+" of "+title(t), pile)
}

// details are buttons for what there is.
func (p *page) details(t *gtf.Task) g.Node {
	buttons := g.Group{}
	add := func(is bool, what, class, label string, content g.Node) {
		if is {
			buttons = append(buttons, p.peekButton(t, what, class, label+" of "+title(t), content))
		}
	}
	add(unlimitedWarning(t) != "", "warning", "bare warn", "Time limit", p.icon("warning"))
	add(len(t.Payload) > 0, "payload", "bare", "Payload", p.icon("info"))
	add(t.Error != "", "trace", "bare err", "Error", p.icon("bug"))
	add(t.DedupeCount > 0, "reuse", "bare num", "+"+number(t.DedupeCount)+", reuse", g.Text("+"+number(t.DedupeCount)))
	return buttons
}

func (p *page) peekButton(t *gtf.Task, what, class, label string, content g.Node) g.Node {
	id := what + "-" + t.ID.String()
	return h.Button(h.Type("button"), h.ID("b-"+id), h.Class(class), h.PopoverTarget(id), h.Aria("label", label), content)
}

// cancelButton is drawn by the decision that also does the deed.
func (p *page) cancelButton(t *gtf.Task) g.Node {
	d := p.decide(t)
	id, label := t.ID.String(), cancelLabel(t, d)
	switch d.State {
	case gtf.CancelAvailable:
		return h.A(h.ID("cancel-"+id), h.Class("button"), h.Href(p.href("/tasks/"+id+"/cancel")), h.Data("dialog", ""),
			h.Aria("label", label+" "+title(t)), g.Text(label))
	case gtf.CancelDisabled:
		why := "Cannot be cancelled: " + reasonText(d)
		return g.Group{
			h.Button(h.Type("button"), h.ID("cancel-"+id), h.Class("button"), h.Aria("disabled", "true"), h.Aria("describedby", "why-"+id), h.Title(why),
				h.Aria("label", label+" "+title(t)), g.Text(label)),
			h.Span(h.ID("why-"+id), h.Class("vh"), g.Text(why)),
		}
	}
	return nil
}
