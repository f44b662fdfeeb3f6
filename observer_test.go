package gtf_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf"
)

// witness keeps the events of some kinds.
type witness struct {
	kinds []gtf.EventKind

	mu     sync.Mutex
	events []gtf.Event
}

func witnessOf(kinds ...gtf.EventKind) *witness { return &witness{kinds: kinds} }

func (w *witness) Observe(e gtf.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if slices.Contains(w.kinds, e.Kind) {
		w.events = append(w.events, e)
	}
}

func (w *witness) seen() []gtf.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.events)
}

// one is the only event.
func (w *witness) one(t testing.TB) gtf.Event {
	t.Helper()
	seen := w.seen()
	if len(seen) != 1 {
		t.Fatalf("saw %d events, want 1: %+v", len(seen), seen)
	}
	return seen[0]
}

// clumsy panics whatever it is asked.
type clumsy struct{}

func (clumsy) Observe(gtf.Event) { panic("observe") }

func (clumsy) TraceSubmit(context.Context, []*gtf.Submission) (string, func([]gtf.Submitted, error)) {
	panic("submit")
}

func (clumsy) TraceAttempt(context.Context, *gtf.Job, string) (context.Context, func(gtf.AttemptEnd)) {
	panic("attempt")
}

// clumsyEnd panics in the functions that it returns.
type clumsyEnd struct{ witness }

func (*clumsyEnd) TraceSubmit(context.Context, []*gtf.Submission) (string, func([]gtf.Submitted, error)) {
	return "carried", func([]gtf.Submitted, error) { panic("submitted") }
}

func (*clumsyEnd) TraceAttempt(ctx context.Context, _ *gtf.Job, _ string) (context.Context, func(gtf.AttemptEnd)) {
	return ctx, func(gtf.AttemptEnd) { panic("ended") }
}

func TestObserver(t *testing.T) {
	t.Parallel()

	for name, o := range map[string]gtf.Observer{"at once": clumsy{}, "at the end": &clumsyEnd{}} {
		t.Run("that panics "+name+" harms no task, and is told of once", func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				var log bytes.Buffer
				cfg := executes(echo)
				cfg.Observer, cfg.Logger = o, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))
				c := startClient(t, open(t), cfg)
				for range 2 {
					if out, err := schedule(t.Context(), t, c, systemWork, "in", nil).Wait(t.Context()); out != "in" || err != nil {
						t.Errorf("the outcome is %q, %v", out, err)
					}
					if out, err := systemWork.Run(t.Context(), c, "inline", nil); out != "inline" || err != nil {
						t.Errorf("the outcome of Run is %q, %v", out, err)
					}
				}
				synctest.Wait()
				if n := strings.Count(log.String(), "the observer panicked"); n != 1 {
					t.Errorf("logged %d times, want once:\n%s", n, log.String())
				}
			})
		})
	}

	t.Run("is told of each attempt when it starts and when it is over", func(t *testing.T) {
		t.Parallel()
		w := witnessOf(gtf.EventStarted, gtf.EventEnded)
		rigged(t, &gtf.Config{Observer: w}, &gtf.DefineOpts[none]{MaxAttempts: 2}, func(ctx context.Context, _ *rig) (string, error) {
			time.Sleep(time.Minute)
			if gtf.FromContext(ctx).Attempt() == 1 {
				return "", errors.New("once")
			}
			return "", nil
		}, func(r *rig) {
			h := r.schedule(nil)
			_ = must[string](r)(h.Wait(r.Context()))
			synctest.Wait()
			want := []gtf.Event{
				{Kind: gtf.EventStarted, Attempt: 1}, {Kind: gtf.EventEnded, Status: gtf.StatusPending, Took: time.Minute, Attempt: 1},
				{Kind: gtf.EventStarted, Attempt: 2}, {Kind: gtf.EventEnded, Status: gtf.StatusSuccess, Took: time.Minute, Attempt: 2},
			}
			seen := w.seen()
			if len(seen) != len(want) {
				r.Fatalf("saw %+v, want %d events", seen, len(want))
			}
			for i, e := range seen {
				if e.Kind == gtf.EventStarted {
					e.Took = 0
				}
				want[i].ID, want[i].Type, want[i].Queue, want[i].Mode = h.ID, "test.task", gtf.DefaultQueue, gtf.ModeAsync
				if e != want[i] {
					r.Errorf("event %d is %+v, want %+v", i, e, want[i])
				}
			}
		})
	})

	t.Run("is told that an attempt is over whose claim was lost, without a status", func(t *testing.T) {
		t.Parallel()
		w := witnessOf(gtf.EventEnded)
		rigged(t, &gtf.Config{Observer: w}, nil, func(ctx context.Context, _ *rig) (string, error) { return "", until(ctx) }, func(r *rig) {
			h := r.schedule(nil)
			r.after(time.Second)
			if _, err := r.store.Reap(r.Context(), 0, 10); err != nil {
				r.Fatal(err)
			}
			r.after(30 * time.Second)
			if e := w.one(r); e.ID != h.ID || e.Status != "" {
				r.Errorf("saw %+v, want the end of %s without a status", e, h.ID)
			}
		})
	})

	t.Run("is told why a function has to stop", func(t *testing.T) {
		t.Parallel()
		w := witnessOf(gtf.EventInterrupted)
		rigged(t, &gtf.Config{Observer: w}, &gtf.DefineOpts[none]{Abortable: true}, func(ctx context.Context, _ *rig) (string, error) { return "", until(ctx) }, func(r *rig) {
			h := r.schedule(nil)
			r.after(time.Second)
			r.cancel(h)
			_, err := h.Wait(r.Context())
			wantErr(r, "outcome", err, gtf.ErrAborted)
			if e := w.one(r); e.ID != h.ID || e.Attempt != 1 || !errors.Is(e.Err, gtf.ErrAborted) {
				r.Errorf("saw %+v, want the abort of %s", e, h.ID)
			}
		})
	})

	t.Run("is told which tasks were taken from a lost worker", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := open(t)
			ctx := t.Context()
			h := schedule(ctx, t, newClient(t, store, executes(echo)), systemWork, "in", nil)
			if err := store.Register(ctx, &gtf.Worker{ID: "dead", Queues: map[string]int{"default": 1}}); err != nil {
				t.Fatal(err)
			}
			must[*gtf.Claimed](t)(store.Claim(ctx, &gtf.ClaimParams{Worker: "dead", Types: []string{"test.system"},
				Queues: []gtf.QueueSlots{{Queue: "default", Free: 1}}}))
			w := witnessOf(gtf.EventReaped)
			cfg := executes(echo)
			cfg.Observer = w
			startClient(t, store, cfg)
			time.Sleep(time.Minute)
			if e := w.one(t); e.ID != h.ID || e.Type != "test.system" || e.From != gtf.StatusInProgress || e.Status != gtf.StatusFailure {
				t.Errorf("saw %+v, want the failure of %s", e, h.ID)
			}
		})
	})

	t.Run("is told how long signals waited, and whether others arrive", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			w := witnessOf(gtf.EventSignaled, gtf.EventLinked)
			cfg := executes(echo)
			cfg.Observer, cfg.Signals = w, &slow{pause: time.Second}
			c := startClient(t, open(t), cfg)
			for range 3 {
				schedule(t.Context(), t, c, systemWork, gtf.NewID().String(), &gtf.ScheduleOpts{Delay: time.Hour})
			}
			time.Sleep(10 * time.Second)
			var linked, signals int
			for _, e := range w.seen() {
				switch {
				case e.Kind == gtf.EventLinked:
					linked++
					if e.Err == nil {
						t.Error("signals of other processes arrive, want that they do not")
					}
				case e.Took < time.Second || e.Took > 2*time.Second:
					t.Errorf("signals waited %v, want a second for their own batch, and at most one for that before", e.Took)
				default:
					signals += e.Count
				}
			}
			if linked != 1 || signals == 0 {
				t.Errorf("told %d times of the link, want once, and of %d signals, want some", linked, signals)
			}
		})
	})
}

// slow takes a while for each batch.
type slow struct {
	gtf.LocalSignals
	pause time.Duration
}

func (s *slow) Publish(ctx context.Context, batch []gtf.Signal) error {
	<-time.After(s.pause)
	return s.LocalSignals.Publish(ctx, batch)
}

func TestObservers(t *testing.T) {
	t.Parallel()

	t.Run("of none is none, and of one is that one", func(t *testing.T) {
		t.Parallel()
		if o := gtf.Observers(nil, nil); o != nil {
			t.Errorf("got %v, want nil", o)
		}
		w := witnessOf()
		if o := gtf.Observers(nil, w); o != w {
			t.Errorf("got %v, want %v", o, w)
		}
	})

	t.Run("tells each, also when one panics", func(t *testing.T) {
		t.Parallel()
		first, last := witnessOf(gtf.EventBeat), witnessOf(gtf.EventBeat)
		o := gtf.Observers(first, clumsy{}, last)
		if text := panics(func() { o.Observe(gtf.Event{Kind: gtf.EventBeat, Count: 3}) }); text != "observe" {
			t.Errorf("the panic is %q, want that of the observer", text)
		}
		for _, w := range []*witness{first, last} {
			if e := w.one(t); e.Count != 3 {
				t.Errorf("an observer saw %+v", e)
			}
		}
	})

	t.Run("trace by the first that can", func(t *testing.T) {
		t.Parallel()
		if _, ok := gtf.Observers(witnessOf(), witnessOf()).(gtf.Tracer); ok {
			t.Error("two that cannot trace are a Tracer")
		}
		o, ok := gtf.Observers(witnessOf(), &clumsyEnd{}, clumsy{}).(gtf.Tracer)
		if !ok {
			t.Fatal("no Tracer")
		}
		if trace, _ := o.TraceSubmit(t.Context(), nil); trace != "carried" {
			t.Errorf("the trace is %q, want that of the first", trace)
		}
	})
}
