package webui

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	g "maragu.dev/gomponents"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi"
	"github.com/globaltask/gtf/httpapi/auth"
	"github.com/globaltask/gtf/internal/web"
)

// page is one request for a page, by somebody who may make it.
type page struct {
	u   *Handler
	r   *http.Request
	who *auth.Identity // nil: nobody, who sees nothing but that
	me  gtf.Principal
	now time.Time // one instant for the whole page
}

// Why there is no page, beside the errors of the root.
var (
	errCrossing    = errors.New("a page of another origin may not do this")
	errNobody      = errors.New("nobody is asking")
	errNoRead      = errors.New("you have no permission to see tasks")
	errNothingHere = errors.New("there is nothing here")
	errOff         = errors.New("tasks are switched off")
)

// see lets those through who may see tasks, as who they are. An error becomes a page that says so.
func (u *Handler) see(show func(w http.ResponseWriter, p *page) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p := &page{u: u, r: r, now: time.Now()}
		err := p.identify(w)
		if err == nil {
			err = show(w, p)
		}
		if err != nil {
			p.fail(w, err)
		}
	}
}

// identify finds out who asks. An identity that names nobody is nobody: to gtf that would be the host, who sees everything.
func (p *page) identify(w http.ResponseWriter) error {
	u := p.u
	who := auth.From(p.r.Context())
	if !u.opts.HostAuthenticates {
		var err error
		if who, err = u.opts.Authenticator.Authenticate(p.r); err != nil {
			return err
		}
	}
	if who == nil || who.Principal.IsZero() {
		return errNobody
	}
	who.Renew(w)
	p.who = who
	ctx := p.r.Context()
	web.Annotate(ctx, slog.String("by", httpapi.FormatPrincipal(who.Principal)), slog.String("auth", who.Method))
	p.r = p.r.WithContext(who.Context(ctx))
	p.me, _ = gtf.PrincipalFrom(p.r.Context()) // with its kind
	switch {
	case !u.client.Enabled():
		return errOff
	case !who.Read:
		return errNoRead
	}
	if err := u.client.Remember(p.r.Context(), who.Principal); err != nil && ctx.Err() == nil {
		u.log.Warn("cannot remember who asks", "by", httpapi.FormatPrincipal(who.Principal), "error", err)
	}
	return nil
}

// decide is what a cancel would do now. Who may only look is offered no button.
func (p *page) decide(t *gtf.Task) gtf.CancelDecision {
	if !p.who.Write {
		return gtf.CancelDecision{State: gtf.CancelHidden, Force: gtf.ForceNone, Reason: "you have no permission to cancel"}
	}
	return gtf.DecideCancel(t, gtf.ActorFrom(p.r.Context()), gtf.CancelOpts{})
}

// href is a link to a page of ours.
func (p *page) href(to string) string { return p.u.opts.Base + to }

// send answers with HTML.
func (p *page) send(w http.ResponseWriter, status int, n g.Node) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if err := n.Render(w); err != nil {
		p.u.log.Debug("page not sent", "request", web.RequestID(p.r.Context()), "error", err) // who has gone does not need it
	}
	return nil
}
