package prom_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/observer/observertest"
	"github.com/globaltask/gtf/observer/prom"
	"github.com/globaltask/gtf/store/sqlitestore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func() gtf.Observer{
		"alone":  func() gtf.Observer { return prom.New(nil) },
		"as two": func() gtf.Observer { return gtf.Observers(prom.New(nil), prom.New(&prom.Options{Namespace: "second"})) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			observertest.Run(t, func(*testing.T) gtf.Observer { return open() }, nil)
		})
	}
}

// gather is what a scrape gets: values by name and labels, of histograms the number and the sum of what was observed.
func gather(t testing.TB, m *prom.Metrics) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(m); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			name := family.GetName()
			for _, l := range metric.GetLabel() {
				name += fmt.Sprintf(" %s=%s", l.GetName(), l.GetValue())
			}
			switch {
			case metric.GetCounter() != nil:
				found[name] = metric.GetCounter().GetValue()
			case metric.GetGauge() != nil:
				found[name] = metric.GetGauge().GetValue()
			default:
				found[name+" count"] = float64(metric.GetHistogram().GetSampleCount())
				found[name+" sum"] = metric.GetHistogram().GetSampleSum()
			}
		}
	}
	return found
}

// want compares every value above zero; zeros may be left out.
func want(t testing.TB, got, want map[string]float64) {
	t.Helper()
	names := maps.Clone(got)
	maps.Copy(names, want)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if got[name] != want[name] {
			t.Errorf("%s is %v, want %v", name, got[name], want[name])
		}
	}
}

func TestObserve(t *testing.T) {
	t.Parallel()
	const typ = "report.export"
	tests := []struct {
		name  string
		event gtf.Event
		want  map[string]float64
	}{
		{"a transition by type and status", gtf.Event{Kind: gtf.EventTransition, Type: typ, From: gtf.StatusPending, Status: gtf.StatusInProgress},
			map[string]float64{"gtf_task_transitions_total status=in_progress type=report.export": 1}},
		{"an unknown status as other", gtf.Event{Kind: gtf.EventTransition, Type: typ, Status: "odd"},
			map[string]float64{"gtf_task_transitions_total status=other type=report.export": 1}},
		{"a start with the time waited", gtf.Event{Kind: gtf.EventStarted, Type: typ, Mode: gtf.ModeAsync, Took: 2 * time.Second},
			map[string]float64{"gtf_tasks_running type=report.export": 1, "gtf_task_wait_seconds type=report.export count": 1,
				"gtf_task_wait_seconds type=report.export sum": 2}},
		{"an inline start without it", gtf.Event{Kind: gtf.EventStarted, Type: typ, Mode: gtf.ModeSync},
			map[string]float64{"gtf_tasks_running type=report.export": 1}},
		{"an end with the time run", gtf.Event{Kind: gtf.EventEnded, Type: typ, Took: 3 * time.Second},
			map[string]float64{"gtf_tasks_running type=report.export": -1, "gtf_task_run_seconds type=report.export count": 1,
				"gtf_task_run_seconds type=report.export sum": 3}},
		{"an interruption by cause", gtf.Event{Kind: gtf.EventInterrupted, Type: typ, Err: fmt.Errorf("x: %w", gtf.ErrTimedOut)},
			map[string]float64{"gtf_task_interruptions_total cause=timed_out type=report.export": 1}},
		{"an interruption of no known cause", gtf.Event{Kind: gtf.EventInterrupted, Type: typ},
			map[string]float64{"gtf_task_interruptions_total cause=other type=report.export": 1}},
		{"a function that is stuck", gtf.Event{Kind: gtf.EventStuck, Type: typ}, map[string]float64{"gtf_tasks_stuck_total type=report.export": 1}},
		{"a join", gtf.Event{Kind: gtf.EventJoined, Type: typ}, map[string]float64{"gtf_task_joins_total type=report.export": 1}},
		{"a task taken from a lost worker", gtf.Event{Kind: gtf.EventReaped, Type: typ}, map[string]float64{"gtf_tasks_reaped_total type=report.export": 1}},
		{"written reports", gtf.Event{Kind: gtf.EventFlushed, Count: 7}, map[string]float64{"gtf_progress_writes_total": 7}},
		{"a deferred report", gtf.Event{Kind: gtf.EventDeferred, Type: typ}, map[string]float64{"gtf_progress_deferrals_total": 1}},
		{"a heartbeat", gtf.Event{Kind: gtf.EventBeat, Took: time.Second}, map[string]float64{"gtf_heartbeats_total result=stored": 1,
			"gtf_heartbeat_seconds count": 1, "gtf_heartbeat_seconds sum": 1}},
		{"a heartbeat that failed", gtf.Event{Kind: gtf.EventBeat, Err: errors.New("away")}, map[string]float64{"gtf_heartbeats_total result=failed": 1,
			"gtf_heartbeat_seconds count": 1}},
		{"a fence", gtf.Event{Kind: gtf.EventFenced, Count: 4}, map[string]float64{"gtf_fences_total": 1, "gtf_fenced_attempts_total": 4}},
		{"deleted tasks", gtf.Event{Kind: gtf.EventPruned, Count: 12}, map[string]float64{"gtf_tasks_pruned_total": 12}},
		{"signals and their lag", gtf.Event{Kind: gtf.EventSignaled, Count: 5, Took: 250 * time.Millisecond},
			map[string]float64{"gtf_signals_sent_total": 5, "gtf_signal_lag_seconds count": 1, "gtf_signal_lag_seconds sum": .25}},
		{"that signals arrive", gtf.Event{Kind: gtf.EventLinked}, map[string]float64{"gtf_signals_linked": 1}},
		{"that signals do not arrive", gtf.Event{Kind: gtf.EventLinked, Err: errors.New("away")}, nil},
		{"a failed statement", gtf.Event{Kind: gtf.EventFailed, Err: errors.New("away")}, map[string]float64{"gtf_background_failures_total": 1}},
		{"a time that ran backwards as none", gtf.Event{Kind: gtf.EventSignaled, Took: -time.Hour}, map[string]float64{"gtf_signal_lag_seconds count": 1}},
	}
	for _, tt := range tests {
		t.Run("counts "+tt.name, func(t *testing.T) {
			t.Parallel()
			m := prom.New(nil)
			m.Observe(tt.event)
			want(t, gather(t, m), tt.want)
		})
	}

	t.Run("counts the life of real tasks", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			store, err := sqlitestore.Open(t.Context(), ":memory:", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			m := prom.New(&prom.Options{Backlog: store.Backlog, Workers: store.Workers})
			def := gtf.Define[string, string]("test.work", &gtf.DefineOpts[string]{Scope: gtf.ScopeSystem, Key: func(in string) string { return in }})
			c, err := gtf.New(store, &gtf.Config{Observer: m, Handlers: []gtf.Handler{def.Handler(
				func(_ context.Context, in string) (string, error) {
					time.Sleep(time.Second)
					return in, nil
				})}})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Stop(context.Background()) }()
			for _, in := range []string{"a", "b", "a"} {
				if _, err := def.Schedule(t.Context(), c, in, nil); err != nil {
					t.Fatal(err)
				}
			}
			waiting := gather(t, m)
			for name, want := range map[string]float64{
				"gtf_task_transitions_total status=pending type=test.work": 2,
				"gtf_task_joins_total type=test.work":                      1,
				"gtf_queue_tasks queue=default state=due type=test.work":   2,
				"gtf_queue_tasks queue=default state=later type=test.work": 0,
				"gtf_workers state=alive":                                  0,
				"gtf_task_transitions_total status=success type=test.work": 0,
				"gtf_background_failures_total":                            0,
				"gtf_backlog_read_failures_total":                          0,
			} {
				if waiting[name] != want {
					t.Errorf("before the work %s is %v, want %v", name, waiting[name], want)
				}
			}
			if err := c.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			done := gather(t, m)
			for name, want := range map[string]float64{
				"gtf_task_transitions_total status=in_progress type=test.work": 2,
				"gtf_task_transitions_total status=success type=test.work":     2,
				"gtf_task_run_seconds type=test.work count":                    2,
				"gtf_task_run_seconds type=test.work sum":                      2,
				"gtf_task_wait_seconds type=test.work count":                   2,
				"gtf_tasks_running type=test.work":                             0,
				"gtf_queue_tasks queue=default state=due type=test.work":       0,
				"gtf_workers state=alive":                                      1,
				"gtf_signals_linked":                                           1,
			} {
				if done[name] != want {
					t.Errorf("after the work %s is %v, want %v", name, done[name], want)
				}
			}
			if done["gtf_heartbeats_total result=stored"] < 10 || done["gtf_signals_sent_total"] < 2 {
				t.Errorf("%v heartbeats and %v signals, want those of a minute", done["gtf_heartbeats_total result=stored"], done["gtf_signals_sent_total"])
			}
		})
	})

	t.Run("keeps the number of series within its bound, whatever comes at once", func(t *testing.T) {
		t.Parallel()
		m := prom.New(&prom.Options{MaxValues: 10})
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range 100 {
					typ := fmt.Sprintf("type%d", (i+g)%100)
					m.Observe(gtf.Event{Kind: gtf.EventStarted, Type: typ})
					m.Observe(gtf.Event{Kind: gtf.EventEnded, Type: typ})
				}
			})
		}
		wg.Wait()
		running, others := 0, false
		for name, value := range gather(t, m) {
			if strings.HasPrefix(name, "gtf_tasks_running ") {
				running++
				others = others || strings.HasSuffix(name, "type=other")
				if value != 0 {
					t.Errorf("%s is %v after all have ended", name, value)
				}
			}
		}
		if running != 11 || !others {
			t.Errorf("there are %d series (other among them: %v), want 10 types and other", running, others)
		}
	})

	t.Run("names metrics by the namespace", func(t *testing.T) {
		t.Parallel()
		for name := range gather(t, prom.New(&prom.Options{Namespace: "shop_tasks"})) {
			if !strings.HasPrefix(name, "shop_tasks_") {
				t.Errorf("the metric %s is of no namespace", name)
			}
		}
	})
}

func TestBacklog(t *testing.T) {
	t.Parallel()

	t.Run("is read at most every five seconds, by however many scrapes", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var reads atomic.Int64
			m := prom.New(&prom.Options{Backlog: func(context.Context) ([]gtf.Backlog, error) {
				time.Sleep(time.Second)
				n := int(reads.Add(1))
				return []gtf.Backlog{
					{Queue: "default", Type: "a", Due: n, Later: 7, Oldest: time.Minute},
					{Queue: "default", Type: "b", Due: 1, Oldest: time.Hour},
				}, nil
			}})
			for _, wantReads := range []int64{1, 1, 2} {
				var wg sync.WaitGroup
				for range 10 {
					wg.Go(func() { gather(t, m) })
				}
				wg.Wait()
				if got := reads.Load(); got != wantReads {
					t.Errorf("read %d times, want %d", got, wantReads)
				}
				time.Sleep(3 * time.Second)
			}
			want(t, gather(t, m), map[string]float64{
				"gtf_queue_tasks queue=default state=due type=a": 2, "gtf_queue_tasks queue=default state=later type=a": 7,
				"gtf_queue_tasks queue=default state=due type=b": 1, "gtf_queue_oldest_seconds queue=default": 3600,
			})
		})
	})

	t.Run("has no values while it cannot be read in time, and is not asked more often", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			reads, hanging := 0, true
			m := prom.New(&prom.Options{Backlog: func(ctx context.Context) ([]gtf.Backlog, error) {
				if reads++; hanging {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return []gtf.Backlog{{Queue: "default", Type: "a", Due: 1}}, nil
			}})
			began := time.Now()
			want(t, gather(t, m), map[string]float64{"gtf_backlog_read_failures_total": 1})
			if took := time.Since(began); took != 3*time.Second {
				t.Errorf("the scrape took %v, want the limit of the read", took)
			}
			gather(t, m)
			if reads != 1 {
				t.Errorf("read %d times, want once", reads)
			}
			hanging = false
			time.Sleep(5 * time.Second)
			want(t, gather(t, m), map[string]float64{"gtf_backlog_read_failures_total": 1, "gtf_queue_tasks queue=default state=due type=a": 1})
		})
	})

	t.Run("adds up what is not told apart", func(t *testing.T) {
		t.Parallel()
		m := prom.New(&prom.Options{MaxValues: 1, Backlog: func(context.Context) ([]gtf.Backlog, error) {
			return []gtf.Backlog{
				{Queue: "one", Type: "a", Due: 1, Oldest: time.Second}, {Queue: "two", Type: "b", Due: 2, Oldest: time.Minute},
				{Queue: "three", Type: "c", Due: 4, Oldest: time.Hour},
			}, nil
		}})
		want(t, gather(t, m), map[string]float64{
			"gtf_queue_tasks queue=one state=due type=a": 1, "gtf_queue_tasks queue=other state=due type=other": 6,
			"gtf_queue_oldest_seconds queue=one": 1, "gtf_queue_oldest_seconds queue=other": 3600,
		})
	})
}

func TestWorkers(t *testing.T) {
	t.Parallel()
	t.Run("are counted, alive and lost, and are not while they cannot be read", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var err error
			m := prom.New(&prom.Options{Workers: func(context.Context) ([]gtf.Worker, error) {
				return []gtf.Worker{{ID: "a"}, {ID: "b"}, {ID: "c", Lost: true}}, err
			}})
			want(t, gather(t, m), map[string]float64{"gtf_workers state=alive": 2, "gtf_workers state=lost": 1})
			err = errors.New("the database is away")
			time.Sleep(5 * time.Second)
			want(t, gather(t, m), map[string]float64{"gtf_workers_read_failures_total": 1})
		})
	})
}
