package prom

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/globaltask/gtf"
)

// How often the store is asked by scrapes, however many there are, and how long it has.
const (
	readPause = 5 * time.Second
	readLimit = 3 * time.Second
)

// read is a Collector of what a query says. While the query fails it gives nothing but the number of failures: no value is
// better than an old one.
type read struct {
	descs    []*prometheus.Desc
	query    func(ctx context.Context) ([]prometheus.Metric, error)
	failures prometheus.Counter

	turn   chan struct{} // holds one: whoever looks at the rest has it
	at     time.Time     // of the last query's end
	latest []prometheus.Metric
}

// Describe implements prometheus.Collector.
func (r *read) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range r.descs {
		descs <- d
	}
	r.failures.Describe(descs)
}

// Collect implements prometheus.Collector.
func (r *read) Collect(metrics chan<- prometheus.Metric) {
	for _, m := range r.fresh() {
		metrics <- m
	}
	r.failures.Collect(metrics)
}

// fresh asks again if the last answer is old. Scrapes that come meanwhile wait for it.
func (r *read) fresh() []prometheus.Metric {
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	if !r.at.IsZero() && time.Since(r.at) < readPause {
		return r.latest
	}
	ctx, cancel := context.WithTimeout(context.Background(), readLimit)
	defer cancel()
	latest, err := r.query(ctx)
	if err != nil {
		latest = nil
		r.failures.Inc()
	}
	r.at, r.latest = time.Now(), latest
	return latest
}

// backlog reads what waits in the queues.
func (m *Metrics) backlog(f *factory, query func(ctx context.Context) ([]gtf.Backlog, error)) *read {
	tasks := f.desc("queue_tasks", "Pending tasks, by whether they could be claimed now.", "queue", "type", "state")
	oldest := f.desc("queue_oldest_seconds", "How long the oldest pending task of the queue could have been claimed.", "queue")
	type place struct{ queue, typ, state string }
	return &read{
		descs:    []*prometheus.Desc{tasks, oldest},
		failures: f.readFailures("backlog"), turn: make(chan struct{}, 1),
		query: func(ctx context.Context) ([]prometheus.Metric, error) {
			rows, err := query(ctx)
			if err != nil {
				return nil, err
			}
			counts, ages := map[place]int{}, map[string]time.Duration{}
			for _, b := range rows { // several may share the label "other"
				queue, typ := m.queues.value(b.Queue), m.types.value(b.Type)
				counts[place{queue, typ, "due"}] += b.Due
				counts[place{queue, typ, "later"}] += b.Later
				ages[queue] = max(ages[queue], b.Oldest)
			}
			var found []prometheus.Metric
			for at, n := range counts {
				found = append(found, prometheus.MustNewConstMetric(tasks, prometheus.GaugeValue, float64(n), at.queue, at.typ, at.state))
			}
			for queue, age := range ages {
				found = append(found, prometheus.MustNewConstMetric(oldest, prometheus.GaugeValue, seconds(age), queue))
			}
			return found, nil
		},
	}
}

// workers reads the processes that execute.
func workers(f *factory, query func(ctx context.Context) ([]gtf.Worker, error)) *read {
	processes := f.desc("workers", "Processes that execute, by whether they were declared lost.", "state")
	return &read{
		descs:    []*prometheus.Desc{processes},
		failures: f.readFailures("workers"), turn: make(chan struct{}, 1),
		query: func(ctx context.Context) ([]prometheus.Metric, error) {
			rows, err := query(ctx)
			if err != nil {
				return nil, err
			}
			counts := map[string]int{"alive": 0, "lost": 0}
			for _, w := range rows {
				if w.Lost {
					counts["lost"]++
				} else {
					counts["alive"]++
				}
			}
			var found []prometheus.Metric
			for state, n := range counts {
				found = append(found, prometheus.MustNewConstMetric(processes, prometheus.GaugeValue, float64(n), state))
			}
			return found, nil
		},
	}
}
