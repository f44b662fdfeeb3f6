package gtf_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf"
)

// flaky is a store that fails while it is down. It brings no signals: its clients poll, every two seconds.
type flaky struct {
	gtf.Store
	down  atomic.Bool
	looks atomic.Int32
}

// unreachable is a store that cannot be reached for a while.
type unreachable struct {
	gtf.Store
	down atomic.Bool
}

func (u *unreachable) until(d time.Duration) {
	u.down.Store(true)
	time.AfterFunc(d, func() { u.down.Store(false) })
}

func (u *unreachable) Look(ctx context.Context, ids []gtf.ID) ([]gtf.Look, error) {
	if u.down.Load() {
		return nil, gtf.ErrUnavailable
	}
	return u.Store.Look(ctx, ids)
}

func (u *unreachable) Get(ctx context.Context, id gtf.ID, v gtf.Viewer) (*gtf.Task, error) {
	if u.down.Load() {
		return nil, gtf.ErrUnavailable
	}
	return u.Store.Get(ctx, id, v)
}

var errDown = errors.New("the database is down")

func (f *flaky) Look(ctx context.Context, ids []gtf.ID) ([]gtf.Look, error) {
	f.looks.Add(1)
	if f.down.Load() {
		return nil, errDown
	}
	return f.Store.Look(ctx, ids)
}

func (f *flaky) Get(ctx context.Context, id gtf.ID, v gtf.Viewer) (*gtf.Task, error) {
	if f.down.Load() {
		return nil, errDown
	}
	return f.Store.Get(ctx, id, v)
}

// waiting begins a wait and returns where its outcome arrives.
func waiting[Out any](ctx context.Context, h *gtf.Handle[Out]) <-chan error {
	ended := make(chan error, 1)
	go func() {
		_, err := h.Wait(ctx)
		ended <- err
	}()
	synctest.Wait()
	return ended
}

// minute takes one, by the bubble's clock.
func minute(_ context.Context, in string) (string, error) { <-time.After(time.Minute); return in, nil }

func TestWait(t *testing.T) {
	t.Parallel()
	t.Run("for what does not exist is ErrNotFound, at once (S9.4)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		_, err := c.Attach(gtf.NewID()).Wait(t.Context())
		wantErr(t, "Wait", err, gtf.ErrNotFound)
		if errors.As(err, new(*gtf.TaskError)) {
			t.Errorf("%v is taken for an outcome", err)
		}
	})
	t.Run("for what has ended returns at once, with any handle (S5.3)", func(t *testing.T) {
		t.Parallel()
		c := startClient(t, open(t), executes(echo))
		h := schedule(as(t.Context(), "ada"), t, c, privateWork, "key", nil)
		must[string](t)(h.Wait(t.Context()))
		if out := must[string](t)(privateWork.Attach(c, h.ID).Wait(as(t.Context(), "nobody who may see it"))); out != "key" {
			t.Errorf("got %q", out)
		}
		if out := must[json.RawMessage](t)(c.Attach(h.ID).Wait(t.Context())); string(out) != `"key"` {
			t.Errorf("got %s", out)
		}
	})
	t.Run("wakes at the end, in this process and in another (S9.4)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := open(t)
			c, other := startClient(t, store, executes(minute)), newClient(t, store, nil)
			h := schedule(as(t.Context(), "ada"), t, c, privateWork, "key", nil)
			begun := time.Now()
			for _, ended := range []<-chan error{waiting(t.Context(), h), waiting(t.Context(), other.Attach(h.ID))} {
				if err := <-ended; err != nil || time.Since(begun) != time.Minute {
					t.Errorf("woke after %v with %v, want a minute", time.Since(begun), err)
				}
			}
		})
	})
	t.Run("without a transport looks every two seconds, for all in one statement (S9.8)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := open(t)
			cfg := executes(func(context.Context, string) (string, error) { time.Sleep(59 * time.Second); return "", nil })
			cfg.Queues = map[string]int{gtf.DefaultQueue: 50}
			c := startClient(t, store, cfg)
			deaf := &flaky{Store: store}
			far := newClient(t, deaf, &gtf.Config{Signals: &forgetful{}})
			var ends []<-chan error
			for i := range 50 {
				ends = append(ends, waiting(t.Context(), far.Attach(schedule(as(t.Context(), "ada"), t, c, privateWork, fmt.Sprint(i), nil).ID)))
			}
			first, begun := deaf.looks.Load(), time.Now()
			time.Sleep(58 * time.Second)
			if n := deaf.looks.Load() - first; n < 25 || n > 32 {
				t.Errorf("%d looks in 58 seconds, want 29", n)
			}
			for _, ended := range ends {
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}
			if took := time.Since(begun); took > 62*time.Second {
				t.Errorf("woke after %v, want two seconds after the end at the latest", took)
			}
		})
	})
	t.Run("with a transport looks every thirty seconds (S9.8)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := &flaky{Store: open(t)}
			c := newClient(t, store, &gtf.Config{Signals: &gtf.LocalSignals{Alone: true}})
			h := schedule(as(t.Context(), "ada"), t, c, privateWork, "key", nil)
			ctx, cancel := context.WithCancel(t.Context())
			ended := waiting(ctx, h)
			first := store.looks.Load()
			time.Sleep(10*time.Minute + time.Second)
			if n := store.looks.Load() - first; n < 19 || n > 21 {
				t.Errorf("%d looks in ten minutes, want 20", n)
			}
			cancel()
			wantErr(t, "Wait", <-ended, context.Canceled)
			first = store.looks.Load()
			time.Sleep(10 * time.Minute)
			if n := store.looks.Load() - first; n > 0 {
				t.Errorf("%d looks with nobody waiting", n)
			}
		})
	})
	t.Run("ends with the caller's context, not the task (S5.2)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			c := newClient(t, open(t), nil)
			h := schedule(as(t.Context(), "ada"), t, c, privateWork, "key", nil)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := h.Wait(ctx)
			var stopped *gtf.WaitError
			if !errors.As(err, &stopped) || stopped.ID != h.ID || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want a *WaitError of %s", err, h.ID)
			}
			wantStatus(t, c, h.ID, gtf.StatusPending)
			_, err = h.Wait(ctx)
			if !errors.As(err, &stopped) {
				t.Errorf("with a context that had ended: %v, want a *WaitError", err)
			}
		})
	})
	t.Run("for a row that vanishes is ErrNotFound (S9.4)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := open(t)
			c, deaf := newClient(t, store, nil), newClient(t, store, &gtf.Config{Signals: &forgetful{}})
			h := schedule(as(t.Context(), "ada"), t, c, privateWork, "key", nil)
			ended := waiting(t.Context(), deaf.Attach(h.ID))
			must[*gtf.Canceled](t)(h.Cancel(t.Context(), nil))
			time.Sleep(time.Millisecond)
			if n := must[int](t)(c.Prune(t.Context(), &gtf.PruneOpts{OlderThan: 1})); n != 1 {
				t.Fatalf("pruned %d", n)
			}
			wantErr(t, "Wait", <-ended, gtf.ErrNotFound)
		})
	})
	t.Run("outlasts a store that fails for a while (S9.4)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := open(t)
			worker := startClient(t, store, executes(minute))
			shaky := &flaky{Store: store}
			c := newClient(t, shaky, nil)
			h := schedule(as(t.Context(), "ada"), t, worker, privateWork, "key", nil)
			ended := waiting(t.Context(), c.Attach(h.ID))
			shaky.down.Store(true)
			time.Sleep(10 * time.Minute)
			select {
			case err := <-ended:
				t.Fatalf("the wait ended with %v", err)
			default:
			}
			shaky.down.Store(false)
			begun := time.Now()
			if err := <-ended; err != nil || time.Since(begun) > 2*time.Second {
				t.Errorf("after %v: %v, want the outcome at the next look", time.Since(begun), err)
			}
		})
	})
	t.Run("that fails at once says why", func(t *testing.T) {
		t.Parallel()
		shaky := &flaky{Store: open(t)}
		c := newClient(t, shaky, nil)
		shaky.down.Store(true)
		_, err := c.Attach(gtf.NewID()).Wait(t.Context())
		wantErr(t, "Wait", err, errDown)
	})
	t.Run("ends with ErrStopped when the client stops, and after (S12.5)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := open(t)
			c, other := newClient(t, store, nil), newClient(t, store, nil)
			h := schedule(as(t.Context(), "ada"), t, other, privateWork, "key", nil)
			ended := waiting(t.Context(), c.Attach(h.ID))
			watched := make(chan error, 1)
			go func() {
				for _, err := range c.Attach(h.ID).Watch(context.Background()) {
					if err != nil {
						watched <- err
					}
				}
			}()
			synctest.Wait()
			if err := c.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantErr(t, "Wait", <-ended, gtf.ErrStopped)
			wantErr(t, "Watch", <-watched, gtf.ErrStopped)
			_, err := c.Attach(h.ID).Wait(t.Context())
			wantErr(t, "Wait after Stop", err, gtf.ErrStopped)
			wantStatus(t, other, h.ID, gtf.StatusPending)
		})
	})
	t.Run("of a task that this client runs gets its outcome while the client stops (S12.5)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			c := startClient(t, open(t), executes(func(context.Context, string) (string, error) { time.Sleep(10 * time.Second); return "done", nil }))
			h := schedule(as(t.Context(), "ada"), t, c, privateWork, "key", nil)
			synctest.Wait()
			ended := waiting(t.Context(), h)
			if err := c.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err != nil {
				t.Errorf("got %v, want the outcome", err)
			}
		})
	})
}

// seen is a task as a watcher saw it.
func seen(task *gtf.Task) string {
	text := string(task.Status)
	if p := task.Progress.String(); p != "" {
		text += " " + p
	}
	return text
}

// watchAll watches until the end.
func watchAll[Out any](ctx context.Context, h *gtf.Handle[Out]) (states []string, end error) {
	for task, err := range h.Watch(ctx) {
		if err != nil {
			return append(states, "error"), err
		}
		states = append(states, seen(task))
	}
	return states, nil
}

func TestWatch(t *testing.T) {
	t.Parallel()
	stepping := func(ctx context.Context, _ string) (string, error) {
		for i := range 3 {
			<-time.After(10 * time.Second)
			gtf.FromContext(ctx).Progress(i+1, 3)
		}
		<-time.After(10 * time.Second)
		return "", nil
	}
	for name, cfg := range map[string]*gtf.Config{
		"yields the task now, each change, and the end last (S9.2)": nil,
		"yields the same without a transport (S9.8)":                {Signals: &forgetful{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				store := open(t)
				worker, c := newClient(t, store, executes(stepping)), newClient(t, store, cfg)
				h := schedule(as(t.Context(), "ada"), t, worker, privateWork, "key", nil)
				go func() {
					time.Sleep(10 * time.Second)
					if err := worker.Start(context.Background()); err != nil {
						t.Error(err)
					}
				}()
				states, err := watchAll(t.Context(), c.Attach(h.ID))
				want := []string{"pending", "in_progress", "in_progress 1 of 3 (33%)", "in_progress 2 of 3 (66%)", "in_progress 3 of 3 (100%)",
					"success 3 of 3 (100%)"}
				if err != nil || !slices.Equal(states, want) {
					t.Errorf("saw %q, %v, want %q", states, err, want)
				}
			})
		})
	}
	t.Run("goes on while the store cannot be reached (S9.4)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := open(t)
			broken := &unreachable{Store: store}
			worker, c := startClient(t, store, executes(stepping)), newClient(t, broken, &gtf.Config{Signals: &forgetful{}})
			h := schedule(as(t.Context(), "ada"), t, worker, privateWork, "key", nil)
			broken.until(15 * time.Second) // from before the first look
			time.AfterFunc(25*time.Second, func() { broken.until(time.Minute) })
			states, err := watchAll(t.Context(), c.Attach(h.ID))
			want := []string{"in_progress 1 of 3 (33%)", "in_progress 2 of 3 (66%)", "success 3 of 3 (100%)"}
			if err != nil || !slices.Equal(states, want) {
				t.Errorf("saw %q, %v, want %q", states, err, want)
			}
		})
	})
	t.Run("of what has ended yields it once (S9.2)", func(t *testing.T) {
		t.Parallel()
		c := startClient(t, open(t), executes(echo))
		h := schedule(as(t.Context(), "ada"), t, c, privateWork, "key", nil)
		must[string](t)(h.Wait(t.Context()))
		if states, err := watchAll(t.Context(), h); err != nil || !slices.Equal(states, []string{"success"}) {
			t.Errorf("saw %q, %v", states, err)
		}
	})
	t.Run("of what does not exist yields ErrNotFound (S9.4)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		states, err := watchAll(t.Context(), c.Attach(gtf.NewID()))
		if wantErr(t, "Watch", err, gtf.ErrNotFound); len(states) != 1 {
			t.Errorf("saw %q", states)
		}
	})
	t.Run("of a row that vanishes yields ErrNotFound (S9.4)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := open(t)
			c, deaf := newClient(t, store, nil), newClient(t, store, &gtf.Config{Signals: &forgetful{}})
			h := schedule(as(t.Context(), "ada"), t, c, privateWork, "key", nil)
			ended := make(chan error)
			go func() {
				_, err := watchAll(context.Background(), deaf.Attach(h.ID))
				ended <- err
			}()
			synctest.Wait()
			must[*gtf.Canceled](t)(h.Cancel(t.Context(), nil))
			time.Sleep(time.Millisecond)
			must[int](t)(c.Prune(t.Context(), &gtf.PruneOpts{OlderThan: 1}))
			wantErr(t, "Watch", <-ended, gtf.ErrNotFound)
		})
	})
	t.Run("ends with the caller's context, or when the caller has seen enough (S5.2)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			c := newClient(t, open(t), nil)
			h := schedule(as(t.Context(), "ada"), t, c, privateWork, "key", nil)
			for task, err := range h.Watch(t.Context()) {
				if err != nil || task.ID != h.ID {
					t.Errorf("saw %+v, %v", task, err)
				}
				break
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			states, err := watchAll(ctx, h)
			if !errors.As(err, new(*gtf.WaitError)) || !slices.Equal(states, []string{"pending", "error"}) {
				t.Errorf("saw %q, %v, want a *WaitError at the end", states, err)
			}
		})
	})
	t.Run("notices who joins and leaves (S9.2)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := open(t)
			c, other := newClient(t, store, nil), newClient(t, store, nil)
			h := schedule(as(t.Context(), "ada"), t, c, sharedWork, "key", nil)
			var counts []int
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				for task, err := range other.Attach(h.ID).Watch(context.Background()) {
					if err != nil {
						t.Error(err)
						return
					}
					counts = append(counts, len(task.Subscribers))
				}
			}()
			synctest.Wait()
			schedule(as(t.Context(), "grace"), t, c, sharedWork, "key", nil)
			synctest.Wait()
			must[*gtf.Canceled](t)(h.Cancel(as(t.Context(), "ada"), nil))
			synctest.Wait()
			must[*gtf.Canceled](t)(h.Cancel(as(t.Context(), "grace"), nil))
			<-ended
			if !slices.Equal(counts, []int{1, 2, 1, 1}) {
				t.Errorf("saw %v subscribers, want 1, 2, 1, 1", counts)
			}
		})
	})
}
