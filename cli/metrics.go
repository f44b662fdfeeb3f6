package cli

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/web"
	"github.com/globaltask/gtf/observer/prom"
)

// metrics are what Prometheus gets to know of this process.
type metrics struct {
	*prom.Metrics

	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	store    atomic.Pointer[Connection] // nil until there is one
}

// newMetrics makes the observer of a client that does not exist yet.
func newMetrics(version string) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gtf_http_requests_total", Help: "Requests answered, by route and status.",
		}, []string{"method", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gtf_http_request_seconds", Help: "How long answers took; a stream of events, how long it lasted.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60, 600, 3600},
		}, []string{"method", "route"}),
	}
	m.Metrics = prom.New(&prom.Options{Backlog: m.backlog, Workers: m.workers})
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "gtf_build_info", Help: "1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(m.Metrics, m.requests, m.seconds, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

var errNoStore = errors.New("the store is not open yet")

func (m *metrics) backlog(ctx context.Context) ([]gtf.Backlog, error) {
	if conn := m.store.Load(); conn != nil {
		return conn.Store.Backlog(ctx)
	}
	return nil, errNoStore
}

func (m *metrics) workers(ctx context.Context) ([]gtf.Worker, error) {
	if conn := m.store.Load(); conn != nil {
		return conn.Store.Workers(ctx)
	}
	return nil, errNoStore
}

// served counts a request. What a client may choose freely is no label.
func (m *metrics) served(s web.Served) {
	method, route := s.Method, s.Route
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions:
	default:
		method = "other"
	}
	if _, path, ok := strings.Cut(route, " "); ok {
		route = path // the pattern's method is a label of its own
	}
	if route == "" || route == "/" {
		route = "none"
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(s.Status)).Inc()
	m.seconds.WithLabelValues(method, route).Observe(s.Took.Seconds())
}

func (m *metrics) handler() http.Handler {
	gathered := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		web.Quietly(r.Context()) // a scrape comes again and again
		gathered.ServeHTTP(w, r)
	})
}

// onlyWith lets those through who send a bearer token. How long it looks says nothing about how much is right.
func onlyWith(token string, next http.Handler) http.Handler {
	want := sha256.Sum256([]byte(token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(given))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			web.NewProblem(http.StatusUnauthorized, "metrics want the token of the setting serve.metrics_token").Write(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
