// Package prom counts and measures what a gtf.Client does, for Prometheus.
//
// One [Metrics] is the Observer of the clients of a process, and a prometheus.Collector:
//
//	metrics := prom.New(&prom.Options{Backlog: store.Backlog})
//	prometheus.MustRegister(metrics)
//	client, err := gtf.New(store, &gtf.Config{Observer: metrics})
//
// docs/how-to/metrics.md explains every metric. The number of series is bounded, whatever task types and queues there are.
package prom

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/globaltask/gtf"
)

// Options says how metrics are named and where the backlog is read.
type Options struct {
	// Backlog reads what waits, for the metrics of queues: the Backlog method of a store. It is called by scrapes, at most
	// every 5 seconds, with 3 seconds to answer. Default none: there are no such metrics.
	Backlog func(ctx context.Context) ([]gtf.Backlog, error)
	// Buckets of the histograms of tasks, in seconds. Default 5 ms to 6 hours.
	Buckets []float64
	// MaxValues is how many task types, and how many queues, are told apart; further ones are "other". Default 200.
	MaxValues int
	// Namespace begins the names. Default "gtf".
	Namespace string
	// Workers reads the processes that execute: the Workers method of a store or client. It is called like Backlog. Default
	// none: there are no such metrics.
	Workers func(ctx context.Context) ([]gtf.Worker, error)
}

// Metrics counts the events of clients.
type Metrics struct {
	transitions, joins, reaped, interrupted, stuck *prometheus.CounterVec
	running                                        *prometheus.GaugeVec
	runs, waits                                    *prometheus.HistogramVec

	writes, deferrals, pruned, fences, fenced, failures, signals prometheus.Counter
	beats                                                        *prometheus.CounterVec
	beatTime, signalLag                                          prometheus.Histogram
	linked                                                       prometheus.Gauge

	types, queues *bounded
	all           []prometheus.Collector
}

var (
	_ gtf.Observer         = (*Metrics)(nil)
	_ prometheus.Collector = (*Metrics)(nil)
)

// What tasks and what statements take, in seconds.
var (
	taskBuckets  = []float64{.005, .025, .1, .5, 1, 5, 15, 60, 300, 900, 3600, 21600}
	quickBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5}
)

// New makes the metrics of one process; its clients may share them. nil opts are the zero ones. Register them once.
func New(opts *Options) *Metrics {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Buckets == nil {
		o.Buckets = taskBuckets
	}
	if o.MaxValues == 0 {
		o.MaxValues = 200
	}
	if o.Namespace == "" {
		o.Namespace = "gtf"
	}
	m := &Metrics{types: newBounded(o.MaxValues), queues: newBounded(o.MaxValues)}
	f := &factory{m: m, namespace: o.Namespace}

	m.transitions = f.counters("task_transitions_total", "Changes of status, by the new one.", "type", "status")
	m.joins = f.counters("task_joins_total", "Submits that joined an active task.", "type")
	m.running = f.gauges("tasks_running", "Attempts that run in this process.", "type")
	m.runs = f.histograms("task_run_seconds", "How long attempts ran.", o.Buckets, "type")
	m.waits = f.histograms("task_wait_seconds", "How long due tasks waited for their worker.", o.Buckets, "type")
	m.interrupted = f.counters("task_interruptions_total", "Functions that had to stop early, by cause.", "type", "cause")
	m.stuck = f.counters("tasks_stuck_total", "Functions that ignored the end of their context for too long.", "type")
	m.reaped = f.counters("tasks_reaped_total", "Tasks that this process took from workers that were gone.", "type")
	m.pruned = f.counter("tasks_pruned_total", "Ended tasks that this process deleted.")

	m.writes = f.counter("progress_writes_total", "Rows written with what tasks reported.")
	m.deferrals = f.counter("progress_deferrals_total", "Reports that the throttle held back; the next write has the latest.")

	m.beats = f.counters("heartbeats_total", "Heartbeats of this process, by whether they were stored.", "result")
	m.beatTime = f.histogram("heartbeat_seconds", "How long heartbeats took.", quickBuckets)
	m.fences = f.counter("fences_total", "How often this process gave up its claims.")
	m.fenced = f.counter("fenced_attempts_total", "Attempts stopped by that.")

	m.signals = f.counter("signals_sent_total", "Signals handed to the transport.")
	m.signalLag = f.histogram("signal_lag_seconds", "From the commit to when its signal was handed to the transport.", quickBuckets)
	m.linked = f.gauge("signals_linked", "1 while signals of other processes arrive, 0 while this one polls.")
	m.failures = f.counter("background_failures_total", "Statements of the background that failed; they are repeated.")

	if o.Backlog != nil {
		f.read(m.backlog(f, o.Backlog))
	}
	if o.Workers != nil {
		f.read(workers(f, o.Workers))
	}
	return m
}

// Observe counts an event.
func (m *Metrics) Observe(e gtf.Event) {
	typ := func() string { return m.types.value(e.Type) }
	switch e.Kind {
	case gtf.EventTransition:
		m.transitions.WithLabelValues(typ(), status(e.Status)).Inc()
	case gtf.EventStarted:
		m.running.WithLabelValues(typ()).Inc()
		if e.Mode != gtf.ModeSync { // which does not wait for a worker
			m.waits.WithLabelValues(typ()).Observe(seconds(e.Took))
		}
	case gtf.EventEnded:
		m.running.WithLabelValues(typ()).Dec()
		m.runs.WithLabelValues(typ()).Observe(seconds(e.Took))
	case gtf.EventInterrupted:
		m.interrupted.WithLabelValues(typ(), cause(e.Err)).Inc()
	case gtf.EventStuck:
		m.stuck.WithLabelValues(typ()).Inc()
	case gtf.EventJoined:
		m.joins.WithLabelValues(typ()).Inc()
	case gtf.EventFlushed:
		add(m.writes, e.Count)
	case gtf.EventDeferred:
		m.deferrals.Inc()
	case gtf.EventBeat:
		result := "stored"
		if e.Err != nil {
			result = "failed"
		}
		m.beats.WithLabelValues(result).Inc()
		m.beatTime.Observe(seconds(e.Took))
	case gtf.EventFenced:
		m.fences.Inc()
		add(m.fenced, e.Count)
	case gtf.EventReaped:
		m.reaped.WithLabelValues(typ()).Inc()
	case gtf.EventPruned:
		add(m.pruned, e.Count)
	case gtf.EventSignaled:
		add(m.signals, e.Count)
		m.signalLag.Observe(seconds(e.Took))
	case gtf.EventLinked:
		m.linked.Set(0)
		if e.Err == nil {
			m.linked.Set(1)
		}
	case gtf.EventFailed:
		m.failures.Inc()
	}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(descs chan<- *prometheus.Desc) {
	for _, c := range m.all {
		c.Describe(descs)
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(metrics chan<- prometheus.Metric) {
	for _, c := range m.all {
		c.Collect(metrics)
	}
}

// seconds is never negative: clocks may be set back.
func seconds(d time.Duration) float64 { return max(0, d.Seconds()) }

// add leaves a counter alone where it would panic.
func add(c prometheus.Counter, n int) { c.Add(float64(max(0, n))) }

// status is one of the known ones.
func status(s gtf.Status) string {
	if s.Active() || s.Terminal() {
		return string(s)
	}
	return other
}

// cause names what interrupted a function.
func cause(err error) string {
	switch {
	case errors.Is(err, gtf.ErrAborted):
		return "aborted"
	case errors.Is(err, gtf.ErrTimedOut):
		return "timed_out"
	case errors.Is(err, gtf.ErrShutdown):
		return "shutdown"
	case errors.Is(err, gtf.ErrFenced):
		return "fenced"
	}
	return other
}
