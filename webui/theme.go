package webui

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

const (
	themeCookie  = "gtf_theme"
	noticeCookie = "gtf_notice"
	maxNotice    = 400
)

type theme struct{ name, icon, label string }

var themes = []theme{
	{"system", "monitor", "System"}, {"light", "sun", "Light"}, {"dark", "moon", "Dark"},
}

func knownTheme(name string) bool {
	return slices.ContainsFunc(themes, func(t theme) bool { return t.name == name })
}

// theme is the one that was chosen; that of the system unless told. It is known before the first paint.
func (p *page) theme() string {
	if c, err := p.r.Cookie(themeCookie); err == nil && knownTheme(c.Value) {
		return c.Value
	}
	return "system"
}

// chooseTheme keeps the choice in the browser, for a year.
func (u *Handler) chooseTheme(w http.ResponseWriter, r *http.Request) {
	name := r.PostFormValue("theme")
	if !knownTheme(name) {
		http.Error(w, "the theme must be system, light or dark", http.StatusBadRequest)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: themeCookie, Value: name, Path: u.opts.Base + "/", MaxAge: 365 * 24 * 3600, SameSite: http.SameSiteLaxMode})
	u.redirect(w, or(u.local(r.PostFormValue("return_to")), "/tasks"))
}

// themeForm works without script; with it, no page is loaded.
func (p *page) themeForm() g.Node {
	now := p.theme()
	form := g.Group{h.Method("post"), h.Action(p.href("/theme")), h.Class("segments"), h.Aria("label", "Theme"), h.Data("theme-form", ""),
		h.Input(h.Type("hidden"), h.Name("return_to"), h.Value(p.here()))}
	for _, t := range themes {
		form = append(form, h.Button(h.Type("submit"), h.Name("theme"), h.Value(t.name), h.Aria("pressed", yesNo(t.name == now)),
			p.icon(t.icon), g.Text(t.label)))
	}
	return h.Form(form)
}

func yesNo(yes bool) string {
	if yes {
		return "true"
	}
	return "false"
}

// here is the address of the page, as browsers see it.
func (p *page) here() string { return p.href(p.r.URL.RequestURI()) }

// keepNotice has the next page say a sentence.
func (p *page) keepNotice(w http.ResponseWriter, text string) {
	http.SetCookie(w, &http.Cookie{Name: noticeCookie, Value: url.QueryEscape(cut(text, maxNotice)), Path: p.u.opts.Base + "/", MaxAge: 60,
		HttpOnly: true, SameSite: http.SameSiteStrictMode})
}

// takeNotice is the sentence that the page before has kept. It is said once.
func (p *page) takeNotice(w http.ResponseWriter) string {
	c, err := p.r.Cookie(noticeCookie)
	if err != nil {
		return ""
	}
	http.SetCookie(w, &http.Cookie{Name: noticeCookie, Path: p.u.opts.Base + "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	text, err := url.QueryUnescape(c.Value)
	if err != nil {
		return ""
	}
	return cut(text, maxNotice)
}

// toast says what was done. Without script it stays; with it, it goes after a while.
func (p *page) toast(text string) g.Node {
	return h.Div(h.Class("toast"), h.Role("status"), p.icon("success"), h.Span(h.Dir("auto"), g.Text(text)))
}

// cut shortens a text to so many characters.
func cut(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return strings.TrimSpace(string(runes[:most-1])) + "…"
}
