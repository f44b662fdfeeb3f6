// Package webui is the pages of tasks: a list that people like to keep open, the detail of a task, and the cancel dialog.
//
// [New] makes the handler, which a program mounts beside the HTTP API:
//
//	api, err := httpapi.New(client, &httpapi.Options{Authenticator: who})
//	pages, err := webui.New(client, &webui.Options{Authenticator: who, Base: "/gtf", LimitCancel: api.LimitCancel})
//	mux.Handle("/gtf/api/", http.StripPrefix("/gtf", api))
//	mux.Handle("/gtf/", http.StripPrefix("/gtf", pages))
//
// Pages are complete without script; with it they are live. What people may see and do is decided by the root package, and
// said in the same words by the API.
package webui

import (
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi/auth"
	"github.com/globaltask/gtf/internal/web"
)

// Options of [New].
type Options struct {
	// API is the path at which browsers find the tasks of the HTTP API. Default: Base and /api/v1/task.
	API string
	// Authenticator finds out who asks, in each request. Required, unless HostAuthenticates.
	Authenticator auth.Authenticator
	// Base is the path that browsers find the pages under, such as /gtf, which is stripped before the handler. Default none.
	Base string
	// CSP is the Content-Security-Policy of the pages, for a host that frames them. Default: only what is theirs.
	CSP string
	// Environment is a badge beside the title, such as "staging". Default none.
	Environment string
	// HostAuthenticates says that the program around the handler finds out who asks, and puts that into the request's context
	// with [auth.Identity.Context]. Default false.
	HostAuthenticates bool
	// LimitCancel tells whether a principal may cancel now, or how long to wait; [httpapi.Handler.LimitCancel] shares the limit
	// of the API. Default: no limit.
	LimitCancel func(p gtf.Principal) (wait time.Duration, ok bool)
	// Logger takes a line for each request. Default: that of the client.
	Logger *slog.Logger
	// Login says that the pages of [auth.Login] are mounted at Base: they are linked to. Default false.
	Login bool
	// OffText is what people read while the framework is switched off. Default: that it is.
	OffText string
	// People are those whom everybody may be, if [auth.Demo] is mounted at Base: [auth.DemoPeople]. Default nobody.
	People []*auth.Identity
	// Title is what the pages are called. Default "gtf".
	Title string
}

const defaultCSP = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"

// Handler is the pages. It serves many requests at once.
type Handler struct {
	client  *gtf.Client
	opts    Options
	log     *slog.Logger
	assets  *assets
	handler http.Handler
}

var _ http.Handler = (*Handler)(nil)

// New makes the handler of a client's tasks.
//
// Errors: no way to find out who asks, or two; a base that is no path.
func New(client *gtf.Client, opts *Options) (*Handler, error) {
	u := &Handler{client: client}
	if opts != nil {
		u.opts = *opts
	}
	o := &u.opts
	switch {
	case o.Authenticator == nil && !o.HostAuthenticates:
		return nil, fmt.Errorf("make the pages: no Authenticator is given: set it, or HostAuthenticates if the program around does it")
	case o.Authenticator != nil && o.HostAuthenticates:
		return nil, fmt.Errorf("make the pages: both Authenticator and HostAuthenticates are given")
	case !web.IsBase(o.Base):
		return nil, fmt.Errorf("make the pages: the base %q is not a path like /gtf", o.Base)
	}
	o.API = or(o.API, o.Base+"/api/v1/task")
	o.CSP = or(o.CSP, defaultCSP)
	o.Title = or(o.Title, "gtf")
	if o.Logger == nil {
		o.Logger = client.Config().Logger
	}
	u.log = o.Logger
	u.assets = builtIn()
	u.handler = web.Wrap(u.headers(u.guard(u.routes())), web.Options{Logger: u.log})
	return u, nil
}

func or(text, instead string) string {
	if text == "" {
		return instead
	}
	return text
}

// ServeHTTP implements http.Handler.
func (u *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { u.handler.ServeHTTP(w, r) }

// routes is the table of what there is.
func (u *Handler) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", u.home)
	mux.HandleFunc("GET /assets/{hash}/{name}", u.assets.serve)
	mux.HandleFunc("POST /theme", u.chooseTheme)
	mux.HandleFunc("GET /tasks", u.see(u.list))
	mux.HandleFunc("GET /tasks/new", u.see(u.countNew))
	mux.HandleFunc("GET /tasks/rows", u.see(u.rows))
	mux.HandleFunc("GET /tasks/{id}", u.see(u.detail))
	mux.HandleFunc("GET /tasks/{id}/cancel", u.see(u.askCancel))
	mux.HandleFunc("POST /tasks/{id}/cancel", u.see(u.doCancel))
	mux.HandleFunc("GET /tasks/{id}/peek/{what}", u.see(u.peek))
	mux.HandleFunc("/", u.see(func(http.ResponseWriter, *page) error { return errNothingHere }))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path.Clean("/"+r.URL.Path) {
			// The mux would redirect to a place that knows nothing of the prefix that was stripped.
			u.see(func(http.ResponseWriter, *page) error { return errNothingHere })(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (u *Handler) home(w http.ResponseWriter, r *http.Request) { u.redirect(w, "/tasks") }

// redirect goes to another page of ours, by GET.
func (u *Handler) redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", u.opts.Base+to)
	w.WriteHeader(http.StatusSeeOther)
}

// headers sets what browsers heed in every answer.
func (u *Handler) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", u.opts.CSP)
		h.Set("Referrer-Policy", "same-origin") // the cancel page goes back to where one came from
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// guard keeps pages of other origins from doing anything with the cookies of a person.
func (u *Handler) guard(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(u.see(func(http.ResponseWriter, *page) error { return errCrossing }))
	return protection.Handler(next)
}

// isFragment tells whether a script asks, which wants a part of a page.
func isFragment(r *http.Request) bool { return r.Header.Get("X-Fragment") != "" }

// local is the path and query of a page of ours that a text names, without the base; empty for any other place.
func (u *Handler) local(text string) string {
	rest, ok := strings.CutPrefix(text, u.opts.Base)
	where, _, _ := strings.Cut(rest, "?")
	if !ok || where != "/tasks" && !strings.HasPrefix(where, "/tasks/") || where != path.Clean(where) || strings.ContainsAny(rest, "\\\r\n") {
		return ""
	}
	return rest
}
