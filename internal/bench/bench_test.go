package bench

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/sqlitestore"
)

func open(t *testing.T) gtf.Store {
	t.Helper()
	store, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "bench.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func TestRun(t *testing.T) {
	t.Run("measures everything and leaves nothing unfinished", func(t *testing.T) {
		store := open(t)
		var said int
		r, err := Run(t.Context(), store, &Options{Callers: []int{2, 3}, Tasks: 30, Slots: 5, Idle: 10 * time.Millisecond, Say: func(string) { said++ }})
		if err != nil {
			t.Fatal(err)
		}
		rates := append(append([]Rate{r.SubmitMany, r.FullQueue}, r.Submit...), r.Mixed...)
		for _, rate := range rates {
			if rate.PerSecond <= 0 || rate.Seconds <= 0 {
				t.Errorf("measured %+v", rate)
			}
		}
		if len(r.Submit) != 2 || len(r.Mixed) != 2 || r.FullQueue.Tasks != 90 {
			t.Errorf("measured %+v", r)
		}
		for _, s := range []Spread{r.SubmitToStart, r.CancelToAbort} {
			if s.Samples != 30 || s.P50 <= 0 || s.P95 < s.P50 || s.P99 < s.P95 {
				t.Errorf("measured %+v", s)
			}
		}
		if r.IdleStatements == nil || said == 0 {
			t.Errorf("idle statements %v, said %d things", r.IdleStatements, said)
		}
		page, err := store.List(t.Context(), &gtf.ListParams{
			Order: gtf.OrderCreated, PageSize: 1, Statuses: []gtf.Status{gtf.StatusPending, gtf.StatusInProgress, gtf.StatusAborting},
		}, gtf.Viewer{All: true})
		if err != nil || page.Count != 0 {
			t.Errorf("%d tasks are unfinished (%v)", page.Count, err)
		}
	})
	t.Run("ends with its context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Run(ctx, open(t), &Options{Callers: []int{2}, Tasks: 10}); !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v, want context.Canceled", err)
		}
	})
}

func TestSpread(t *testing.T) {
	samples := make([]time.Duration, 100)
	for i := range samples {
		samples[i] = time.Duration(100-i) * time.Millisecond
	}
	if got, want := spread(samples), (Spread{Samples: 100, P50: 50, P95: 95, P99: 99}); got != want {
		t.Errorf("spread = %+v, want %+v", got, want)
	}
	if got, want := spread([]time.Duration{time.Second}), (Spread{Samples: 1, P50: 1000, P95: 1000, P99: 1000}); got != want {
		t.Errorf("spread of one = %+v, want %+v", got, want)
	}
	if got := spread(nil); got != (Spread{}) {
		t.Errorf("spread of none = %+v", got)
	}
}
