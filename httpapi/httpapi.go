// Package httpapi shows and cancels tasks over HTTP (S11), and is the Go client of that.
//
// [New] makes the handler, which a program mounts where it likes:
//
//	api, err := httpapi.New(client, &httpapi.Options{Authenticator: authenticator})
//	mux.Handle("/gtf/", http.StripPrefix("/gtf", api))
//
// The list of tasks is then at /gtf/api/v1/task/, and what there is besides at /gtf/api/v1/docs. Package auth has ways to find
// out who asks. [NewClient] makes the client.
package httpapi

import (
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"strings"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/httpapi/auth"
	"github.com/globaltask/gtf/httpapi/internal/live"
	"github.com/globaltask/gtf/internal/web"
)

// Options of [New].
type Options struct {
	// Authenticator finds out who asks, in each request. Required, unless HostAuthenticates.
	Authenticator auth.Authenticator
	// CancelBurst is how many cancels of one principal are taken at once. Default 30.
	CancelBurst int
	// CancelRate is how many cancels of one principal are taken in a second, in the long run; the others are answered with 429.
	// Negative: any number. Default 10.
	CancelRate float64
	// HostAuthenticates says that the program around the handler finds out who asks, and puts that into the request's context
	// with [auth.Identity.Context]. A request without is refused with 401. Default false.
	HostAuthenticates bool
	// Logger takes a line for each request, at debug unless it changed something or failed. Default: that of the client.
	Logger *slog.Logger
	// MaxBody is the largest body of a request in bytes. Default 64 KiB.
	MaxBody int64
	// Origins are the pages of other origins, like https://example.com, whose scripts may call the API, with the cookies and
	// tokens they have. Default none.
	Origins []string
}

// Handler is the API. It serves many requests at once.
type Handler struct {
	client  *gtf.Client
	opts    Options
	log     *slog.Logger
	hub     *live.Hub
	limits  *limits
	memory  *memory
	handler http.Handler
}

var _ http.Handler = (*Handler)(nil)

// New makes the handler of a client's tasks. Close it before the server around it waits for its last requests, because streams
// of events are such, and before the client is stopped.
//
// Errors: no way to find out who asks, or two; an origin that is none.
func New(client *gtf.Client, opts *Options) (*Handler, error) {
	h := &Handler{client: client}
	if opts != nil {
		h.opts = *opts
	}
	switch o := &h.opts; {
	case o.Authenticator == nil && !o.HostAuthenticates:
		return nil, fmt.Errorf("make the HTTP API: no Authenticator is given: set it, or HostAuthenticates if the program around does it")
	case o.Authenticator != nil && o.HostAuthenticates:
		return nil, fmt.Errorf("make the HTTP API: both Authenticator and HostAuthenticates are given")
	}
	if h.opts.Logger == nil {
		h.opts.Logger = client.Config().Logger
	}
	crossing, err := newCrossing(h.opts.Origins)
	if err != nil {
		return nil, fmt.Errorf("make the HTTP API: %w", err)
	}
	h.log = h.opts.Logger
	h.limits = newLimits(h.opts.CancelRate, h.opts.CancelBurst)
	h.memory = &memory{client: client, log: h.log}
	h.hub = live.New(client, live.Options{Logger: h.log})
	h.handler = web.Wrap(crossing.guard(h.routes()), web.Options{Logger: h.log, MaxBody: h.opts.MaxBody, Streams: isStream})
	return h, nil
}

// Close ends the streams of events, telling their clients to come back. The other requests need no end.
func (h *Handler) Close() {
	h.hub.Close()
	h.memory.close()
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.handler.ServeHTTP(w, r) }

// tasks is where everything about tasks is; it is not there while the framework is off (S1).
const tasks = "/api/v1/task"

// action answers a request of somebody who may make it.
type action func(w http.ResponseWriter, r *http.Request) error

// routes is the table of what there is.
func (h *Handler) routes() http.Handler {
	mux := http.NewServeMux()
	get := func(path string, do action) { mux.HandleFunc(tasks+path, only(http.MethodGet, h.allow(read, do))) }
	get("", h.list)
	get("/{$}", h.list)
	get("/_info", h.info)
	get("/distinct/task_type", h.distinct(gtf.FilterType))
	get("/events", h.events)
	get("/related/created_by", h.distinct(gtf.FilterCreatedBy))
	get("/related/subscribers", h.distinct(gtf.FilterSubscribers))
	get("/status_changes", h.changes)
	get("/{uuid}", h.detail)
	get("/{uuid}/events", h.taskEvents)
	get("/{uuid}/logs", h.logs)
	get("/{uuid}/status", h.status)
	mux.HandleFunc(tasks+"/{uuid}/cancel", only(http.MethodPost, h.allow(write, h.cancel)))
	mux.HandleFunc("/api/v1/docs", only(http.MethodGet, reference))
	mux.HandleFunc("/api/v1/openapi.json", only(http.MethodGet, serveOpenAPI))
	mux.HandleFunc("/", web.NotFound)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		off := !h.client.Enabled() && (r.URL.Path == tasks || strings.HasPrefix(r.URL.Path, tasks+"/"))
		if off || !clean(r.URL.EscapedPath()) {
			web.NotFound(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// clean tells whether the mux will take a path as it is. It would redirect others, to a place that knows nothing of the prefix
// that was stripped.
func clean(escaped string) bool {
	cleaned := path.Clean("/" + escaped)
	return escaped == cleaned || escaped == cleaned+"/"
}

// only refuses other methods than the one; HEAD is as good as GET. The mux would do it in its own words.
func only(method string, next http.HandlerFunc) http.HandlerFunc {
	allow := method
	if method == http.MethodGet {
		allow = "GET, HEAD"
	}
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method && (r.Method != http.MethodHead || method != http.MethodGet) {
			w.Header().Set("Allow", allow)
			web.NewProblem(http.StatusMethodNotAllowed, "this takes "+allow+" only").Write(w, r)
			return
		}
		next(w, r)
	}
}

func isStream(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, tasks+"/") && strings.HasSuffix(r.URL.Path, "/events")
}

func serveOpenAPI(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if _, err := w.Write(OpenAPI()); err != nil {
		return // who has gone does not need it
	}
}
