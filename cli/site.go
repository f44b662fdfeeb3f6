package cli

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/globaltask/gtf/httpapi"
	"github.com/globaltask/gtf/httpapi/auth"
	"github.com/globaltask/gtf/internal/web"
	"github.com/globaltask/gtf/webui"
)

// site is what serve answers over HTTP, on one address or two.
type site struct {
	main, admin net.Listener // admin: nil if there is none
	base        string
	cert        *web.Certificate // nil: no TLS
	connections int
	log         *slog.Logger
	metrics     *metrics
	mount       func(*http.ServeMux) // the pages of what finds out who asks
	origins     []string
	login       bool             // people log in at their identity provider
	people      []*auth.Identity // of the demo
	pprof       bool
	token       string // of the metrics; empty: not on main
	who         auth.Authenticator
	work        bool

	health  *health
	api     *httpapi.Handler
	pages   *webui.Handler
	servers []*web.Server
	failed  chan error
}

// attach makes what the site shows: the tasks of a client.
func (s *site) attach(conn *Connection) (err error) {
	if s.api, err = httpapi.New(conn.Client, &httpapi.Options{Authenticator: s.who, Logger: s.log, Origins: s.origins}); err != nil {
		return &usageError{err}
	}
	if s.pages, err = webui.New(conn.Client, &webui.Options{
		Authenticator: s.who, Base: s.base, LimitCancel: s.api.LimitCancel, Logger: s.log, Login: s.login, People: s.people,
	}); err != nil {
		return &usageError{err}
	}
	s.health = &health{conn: conn, log: s.log}
	s.metrics.store.Store(conn)
	return nil
}

// open begins to answer.
func (s *site) open() {
	s.failed = make(chan error, 2) // one of each server
	failed := func(err error) { s.failed <- err }
	s.servers = append(s.servers, web.Serve(s.main, s.mainHandler(), web.ServerOptions{
		Certificate: s.cert, Failed: failed, Logger: s.log, MaxConnections: s.connections,
	}))
	s.log.Info("listening", "address", s.main.Addr().String(), "tls", s.cert != nil, "base", s.base)
	if s.admin != nil {
		// A profile takes as long as one asks for.
		s.servers = append(s.servers, web.Serve(s.admin, s.adminHandler(), web.ServerOptions{
			Failed: failed, Logger: s.log, WriteTimeout: 10 * time.Minute,
		}))
		s.log.Info("listening for operators", "address", s.admin.Addr().String(), "pprof", s.pprof)
	}
}

// requestTime is how long an answer may be worked on: less than a connection waits for it, so that it can still say so.
const requestTime = 25 * time.Second

// mainHandler answers everybody.
func (s *site) mainHandler() http.Handler {
	under := http.NewServeMux()
	under.Handle("/api/", s.api)
	under.HandleFunc("/api", web.NotFound) // the mux would redirect it, to a place without the base
	under.Handle("/", s.pages)
	s.mount(under)
	if s.token != "" {
		under.Handle("GET /metrics", onlyWith(s.token, s.metrics.handler()))
	}
	mux := http.NewServeMux()
	s.health.register(mux, s.isAdmin)
	if s.base == "" {
		mux.Handle("/", under)
	} else {
		mux.Handle(s.base+"/", http.StripPrefix(s.base, under))
		mux.HandleFunc("/", web.NotFound)
	}
	return web.Wrap(mux, web.Options{
		Logger: s.log, Observe: s.metrics.served, Timeout: requestTime,
		Streams: func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/events") },
	})
}

// isAdmin reports whether an admin asks.
func (s *site) isAdmin(r *http.Request) bool {
	who, err := s.who.Authenticate(r)
	return err == nil && who != nil && who.Principal.Admin
}

// adminHandler answers operators.
func (s *site) adminHandler() http.Handler {
	mux := http.NewServeMux()
	s.health.register(mux, func(*http.Request) bool { return true })
	mux.Handle("GET /metrics", s.metrics.handler())
	if s.pprof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	mux.HandleFunc("/", web.NotFound)
	return mux
}

// leave tells balancers and the clients of event streams to go elsewhere. Everything else is answered until stop.
func (s *site) leave() {
	s.health.leaving.Store(true)
	for _, server := range s.servers {
		server.Leave()
	}
	s.api.Close()
}

// stop lets the requests that are being answered finish, until ctx ends.
func (s *site) stop(ctx context.Context) {
	for _, server := range s.servers {
		server.Stop(ctx)
	}
}

// close gives the addresses back.
func (s *site) close() {
	for _, l := range []net.Listener{s.main, s.admin} {
		if l != nil {
			_ = l.Close() // its server may have done so
		}
	}
}
