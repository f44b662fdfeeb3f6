package prom_test

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/observer/prom"
)

// Example is how a program that has metrics of its own adds those of gtf.
func Example() {
	_ = func(store gtf.Store, registry *prometheus.Registry, mux *http.ServeMux, handlers []gtf.Handler) (*gtf.Client, error) {
		metrics := prom.New(&prom.Options{Backlog: store.Backlog, Workers: store.Workers})
		registry.MustRegister(metrics)
		mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
		return gtf.New(store, &gtf.Config{Observer: metrics, Handlers: handlers})
	}
}
