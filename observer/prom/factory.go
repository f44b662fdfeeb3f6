package prom

import "github.com/prometheus/client_golang/prometheus"

// factory makes the parts of a Metrics. Vectors are given no value before their first event; what has no labels is 0 from
// the start.
type factory struct {
	m         *Metrics
	namespace string
}

func made[C prometheus.Collector](f *factory, c C) C {
	f.m.all = append(f.m.all, c)
	return c
}

func (f *factory) counters(name, help string, labels ...string) *prometheus.CounterVec {
	return made(f, prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: f.namespace, Name: name, Help: help}, labels))
}

func (f *factory) counter(name, help string) prometheus.Counter {
	return made(f, prometheus.NewCounter(prometheus.CounterOpts{Namespace: f.namespace, Name: name, Help: help}))
}

func (f *factory) gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	return made(f, prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: f.namespace, Name: name, Help: help}, labels))
}

func (f *factory) gauge(name, help string) prometheus.Gauge {
	return made(f, prometheus.NewGauge(prometheus.GaugeOpts{Namespace: f.namespace, Name: name, Help: help}))
}

func (f *factory) histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return made(f, prometheus.NewHistogramVec(f.histogramOpts(name, help, buckets), labels))
}

func (f *factory) histogram(name, help string, buckets []float64) prometheus.Histogram {
	return made(f, prometheus.NewHistogram(f.histogramOpts(name, help, buckets)))
}

func (f *factory) histogramOpts(name, help string, buckets []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{Namespace: f.namespace, Name: name, Help: help, Buckets: buckets}
}

// desc describes what is read at a scrape.
func (f *factory) desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(f.namespace, "", name), help, labels, nil)
}

// readFailures counts failed reads of one kind. It is collected by the read.
func (f *factory) readFailures(what string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Namespace: f.namespace, Name: what + "_read_failures_total",
		Help: "Failed reads of the " + what + "; there are no values of it meanwhile."})
}

func (f *factory) read(r *read) { f.m.all = append(f.m.all, r) }
