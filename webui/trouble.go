package webui

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi"
	"github.com/globaltask/gtf/httpapi/auth"
	"github.com/globaltask/gtf/internal/web"
)

// trouble is why there is no page, as people read it.
type trouble struct {
	status      int
	title, text string
	action      g.Node // what to do about it
}

// fail answers with an error: with a page, or the part of one that a script asked for.
func (p *page) fail(w http.ResponseWriter, err error) {
	t := p.troubleOf(err)
	if t.status >= http.StatusInternalServerError && p.r.Context().Err() == nil {
		p.u.log.Error("request failed", "request", web.RequestID(p.r.Context()), "error", err)
	}
	if t.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	var id g.Node
	if t.status >= http.StatusInternalServerError {
		id = h.P(h.Small(g.Text("Error " + strconv.Itoa(t.status) + ", request " + web.RequestID(p.r.Context()))))
	}
	body := h.Div(h.Class("empty"), h.Role("alert"), p.icon("warning"), h.H2(g.Text(t.title)), h.P(g.Text(t.text)), t.action, id)
	if isFragment(p.r) {
		_ = p.send(w, t.status, body) // never an error
		return
	}
	_ = p.show(w, frame{title: t.title, status: t.status}, body) // never an error
}

// troubleOf puts an error into words.
func (p *page) troubleOf(err error) trouble {
	back := func(label, to string) g.Node { return h.P(h.A(h.Class("button"), h.Href(p.href(to)), g.Text(label))) }
	switch {
	case errors.Is(err, errOff):
		return trouble{http.StatusNotFound, "Tasks are switched off", or(p.u.opts.OffText, "Nothing is shown or started until they are switched on again."), nil}
	case errors.Is(err, errNobody), errors.Is(err, auth.ErrCredentials):
		return p.signedOut(err)
	case errors.Is(err, errNoRead):
		return trouble{http.StatusForbidden, "You may not see tasks", "Ask whoever runs this for the permission to read.", nil}
	case errors.Is(err, errCrossing):
		return trouble{http.StatusForbidden, "This came from elsewhere", "A page of another site has tried to do something here in your name. Nothing was done.",
			back("Show tasks", "/tasks")}
	case errors.Is(err, errNothingHere):
		return trouble{http.StatusNotFound, "There is nothing here", "The address is not one of these pages.", back("Show tasks", "/tasks")}
	case errors.Is(err, gtf.ErrNotFound):
		return trouble{http.StatusNotFound, "There is no such task", p.prunedText(), back("Show tasks", "/tasks")}
	case errors.Is(err, context.DeadlineExceeded):
		return trouble{http.StatusServiceUnavailable, "This is taking too long", "There are very many tasks to look through. A shorter time helps.",
			back("Only the last 24 hours", "/tasks?since=24h")}
	}
	status, message := httpapi.Explain(err)
	if status == http.StatusBadRequest {
		return trouble{status, "The address is not understood", sentence(message), back("Show all tasks", "/tasks")}
	}
	return trouble{status, "This did not work", sentence(message), h.P(h.A(h.Class("button"), h.Href(p.here()), g.Text("Try again")))}
}

// prunedText is the same for a task that never was, is no more, or is not for the caller.
func (p *page) prunedText() string {
	text := "The address may be wrong, or the task is not one of yours."
	if keep := p.u.client.Config().Retention; keep > 0 {
		text += " Tasks are removed " + web.Duration(keep) + " after their end."
	}
	return text
}

func (p *page) signedOut(err error) trouble {
	t := trouble{http.StatusUnauthorized, "You are not signed in", "Sign in to see your tasks.", nil}
	if errors.Is(err, auth.ErrCredentials) {
		t.title, t.text = "Your sign-in is not valid", "It may have expired: sign in again."
	}
	switch {
	case p.u.opts.Login:
		t.action = h.P(h.A(h.Class("button primary"), h.Href(p.href("/auth/login"+query("return_to", p.here()))), g.Text("Sign in")))
	case len(p.u.opts.People) > 0:
		t.text = sentence(err.Error())
		t.action = p.peopleForm()
	default:
		t.text += " How is up to whoever runs this."
	}
	return t
}
