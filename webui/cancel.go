package webui

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi"
)

// askCancel is the dialog that asks whether to cancel: a page of its own, or with script a part of the page it was opened on.
func (u *Handler) askCancel(w http.ResponseWriter, p *page) error {
	t, err := p.task()
	if err != nil {
		return err
	}
	return p.showCancel(w, http.StatusOK, t, "", p.cameFrom())
}

// task is the one in the path. What is no id is not found, like what the caller may not see (S7).
func (p *page) task() (*gtf.Task, error) {
	id, err := gtf.ParseID(p.r.PathValue("id"))
	if err != nil {
		return nil, gtf.ErrNotFound
	}
	return p.u.client.Get(p.r.Context(), id)
}

// cameFrom is the page of ours that led here.
func (p *page) cameFrom() string {
	from, err := url.Parse(p.r.Referer())
	if err != nil || from.Host != p.r.Host {
		return ""
	}
	return p.u.local(from.RequestURI())
}

// doCancel does what the dialog has said, or says what would be done now.
func (u *Handler) doCancel(w http.ResponseWriter, p *page) error {
	t, err := p.task()
	if err != nil {
		return err
	}
	if err := p.r.ParseForm(); err != nil {
		return invalid("form", "cannot be read")
	}
	back := u.local(p.r.PostForm.Get("return_to"))
	if !p.who.Write {
		return p.showCancel(w, http.StatusForbidden, t, "You have no permission to cancel.", back)
	}
	if u.opts.LimitCancel != nil {
		if wait, ok := u.opts.LimitCancel(p.who.Principal); !ok {
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
			return p.showCancel(w, http.StatusTooManyRequests, t, "You have cancelled too many tasks at once: wait a moment.", back)
		}
	}
	opts := gtf.CancelOpts{Force: p.r.PostForm.Get("force") != "", Expect: gtf.CancelEffect(p.r.PostForm.Get("expect"))}
	if opts.Expect == gtf.EffectNone {
		return invalid("expect", "is missing: it is what the dialog has said")
	}
	if opts.Force {
		opts.Expect = gtf.EffectAbort // what a ticked box says
	}
	did, err := u.client.Cancel(p.r.Context(), t.ID, &opts)
	if err != nil {
		return p.refuseCancel(w, t, err, back)
	}
	if isFragment(p.r) {
		return p.send(w, http.StatusOK, p.toast(canceledText(did, title(t))))
	}
	p.keepNotice(w, canceledText(did, title(t)))
	if did.Effect == gtf.EffectUnsubscribe && !p.me.Admin && back == "/tasks/"+t.ID.String() {
		back = "" // who has left sees it no longer
	}
	u.redirect(w, or(back, "/tasks"))
	return nil
}

// refuseCancel shows the dialog anew, with what is the case now.
func (p *page) refuseCancel(w http.ResponseWriter, t *gtf.Task, err error, back string) error {
	status, message := httpapi.Explain(err)
	switch {
	case errors.Is(err, gtf.ErrConflict):
		message = "The task has changed in the meantime. Look again what this would do now."
	case status >= http.StatusInternalServerError || status == http.StatusBadRequest:
		return err
	default:
		message = sentence(message)
	}
	now, gone := p.u.client.Get(p.r.Context(), t.ID)
	if gone != nil {
		return gone
	}
	return p.showCancel(w, status, now, message, back)
}

func canceledText(did *gtf.Canceled, name string) string {
	switch {
	case did.Effect == gtf.EffectUnsubscribe || did.Effect == gtf.EffectDetach:
		return "You left " + name
	case did.Task.Status == gtf.StatusAborting:
		return "Stopping: " + name
	}
	return "Stopped: " + name
}

func (p *page) showCancel(w http.ResponseWriter, status int, t *gtf.Task, alert, back string) error {
	if isFragment(p.r) {
		return p.send(w, status, p.cancelForm(t, alert, ""))
	}
	return p.show(w, frame{title: "Cancel task", status: status}, h.Div(h.Class("card ask"), p.cancelForm(t, alert, or(back, "/tasks"))))
}

// cancelForm says what a cancel would do, in the words of the decision that will do it. Without script, back is where it goes
// afterwards.
func (p *page) cancelForm(t *gtf.Task, alert, back string) g.Node {
	d := p.decide(t)
	possible := d.State == gtf.CancelAvailable
	if !possible && alert == "" {
		alert = sentence(reasonText(d))
	}
	dismiss := "Keep running"
	if !possible {
		dismiss = "Close"
	}
	leave := h.Button(h.Type("button"), h.Class("button"), h.Data("close", ""), h.AutoFocus(), g.Text(dismiss))
	if back != "" {
		leave = h.A(h.Class("button"), h.Href(p.href(back)), g.Text(dismiss))
	}
	return h.Form(h.Class("cancel"), h.Method("post"), h.Action(p.href("/tasks/"+t.ID.String()+"/cancel")), h.Data("cancel", t.ID.String()),
		h.Button(h.Type("submit"), h.Disabled(), h.Hidden("")), // what Enter would press: nothing
		h.Input(h.Type("hidden"), h.Name("return_to"), h.Value(p.href(back))),
		g.If(back == "", h.H2(h.ID("ask"), g.Text("Cancel task"))),
		h.P(h.Class("subject"), h.Strong(h.Dir("auto"), g.Text(title(t))), p.status(t)),
		g.Iff(alert != "", func() g.Node { return h.P(h.Class("alert"), h.Role("alert"), p.icon("warning"), h.Span(g.Text(alert))) }),
		g.Iff(possible, func() g.Node { return p.cancelTexts(t, d) }),
		h.Div(h.Class("bar end"), leave, g.Iff(possible, func() g.Node { return confirmButton(d) })),
	)
}

func (p *page) cancelTexts(t *gtf.Task, d gtf.CancelDecision) g.Node {
	all := "This stops the task for " + everyone(len(t.Subscribers)) + "."
	return g.Group{
		h.Input(h.Type("hidden"), h.Name("expect"), h.Value(string(d.Effect))),
		h.P(h.Class("untold"), g.Text(effectText(t, d))),
		g.If(d.Force == gtf.ForceOptional, h.P(h.Class("told"), g.Text(all))),
		g.Iff(len(d.Others) > 0 && len(d.Others) <= 5, func() g.Node {
			return h.Ul(h.Class("who"), h.Aria("label", "Others who follow it"), g.Map(peopleFirst(d.Others), func(s gtf.Subscriber) g.Node {
				return h.Li(p.face(s.Kind, s.ID, s.DisplayName(), 0), h.Span(h.Dir("auto"), g.Text(s.DisplayName())))
			}))
		}),
		g.Iff(d.Force != gtf.ForceNone, func() g.Node { return forceBox(d) }),
	}
}

// effectText says what an unticked box does, or the one thing there is.
func effectText(t *gtf.Task, d gtf.CancelDecision) string {
	switch {
	case d.Effect == gtf.EffectUnsubscribe:
		return "You leave. It goes on for " + counted(len(d.Others), "other", "others") + "."
	case d.Effect == gtf.EffectDetach:
		return "This browser leaves. It goes on for your other ones."
	case d.Force == gtf.ForceRequired:
		return "You do not follow this task. This stops it for " + everyone(len(t.Subscribers)) + "."
	case t.Scope == gtf.ScopeShared:
		return "You are the only one following it. This stops the task."
	}
	return "This stops the task."
}

func everyone(n int) string {
	switch n {
	case 0, 1:
		return "everyone"
	}
	return "all " + number(n)
}

// forceBox stops a shared task for everybody. A box that cannot be changed is not sent, so what is ticked by force is sent
// beside it.
func forceBox(d gtf.CancelDecision) g.Node {
	ticked := d.Force == gtf.ForceRequired
	fixed := d.Force != gtf.ForceOptional
	return h.Label(h.Class("force"),
		g.If(ticked, h.Input(h.Type("hidden"), h.Name("force"), h.Value("1"))),
		h.Input(h.Type("checkbox"), g.If(!fixed, g.Group{h.Name("force"), h.Value("1")}), g.If(ticked, h.Checked()), g.If(fixed, h.Disabled())),
		h.Span(g.Text("Stop it for everyone"), g.If(d.Force == gtf.ForceUnavailable, h.Small(g.Text("Not possible: no abort handler")))))
}

func confirmButton(d gtf.CancelDecision) g.Node {
	label := "Stop task"
	switch {
	case d.Force == gtf.ForceRequired:
		label = "Stop for everyone"
	case d.Effect == gtf.EffectUnsubscribe, d.Effect == gtf.EffectDetach:
		label = "Leave task"
	}
	return h.Button(h.Type("submit"), h.Class("button danger"), h.Span(h.Class("untold"), g.Text(label)),
		g.If(d.Force == gtf.ForceOptional, h.Span(h.Class("told"), g.Text("Stop for everyone"))))
}

// cancelLabel is what the button in a row says. One that can only leave says so.
func cancelLabel(t *gtf.Task, d gtf.CancelDecision) string {
	if d.Effect == gtf.EffectUnsubscribe && t.Status == gtf.StatusInProgress && !t.Abortable {
		return "Leave"
	}
	return "Cancel"
}

// reasonText is why there is nothing to be done, without what the sentence around it says.
func reasonText(d gtf.CancelDecision) string {
	switch {
	case errors.Is(d.Err, gtf.ErrNotAbortable), d.Reason == gtf.ErrNotAbortable.Error():
		return "no abort handler"
	case errors.Is(d.Err, gtf.ErrFinished):
		return "the task has finished already"
	}
	return or(d.Reason, "this is not possible now")
}

// sentence begins with a capital and ends with a full stop.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	return fmt.Sprintf("%c%s.", upper(text[0]), text[1:])
}

func upper(b byte) byte {
	if 'a' <= b && b <= 'z' {
		return b - 'a' + 'A'
	}
	return b
}
