package gtf_test

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf"
)

func TestDisabled(t *testing.T) {
	t.Parallel()
	t.Run("refuses to submit before any side effect (S1.2)", func(t *testing.T) {
		t.Parallel()
		store := &recorder{Store: open(t)}
		asked := gtf.Define[string, string]("test.asked", &gtf.DefineOpts[string]{
			Key:  func(string) string { t.Error("asked for the key"); return "" },
			Name: func(string) string { t.Error("asked for the name"); return "" },
		})
		handler := asked.Handler(func(context.Context, string) (string, error) { t.Error("it ran"); return "", nil })
		c := newClient(t, store, &gtf.Config{Disabled: true, Handlers: []gtf.Handler{handler}})
		if c.Enabled() {
			t.Error("Config.Disabled did not switch it off")
		}
		ctx := as(t.Context(), "ada")
		for name, submit := range map[string]func() error{
			"Schedule":         func() error { _, err := asked.Schedule(ctx, c, "key", nil); return err },
			"ScheduleMany":     func() error { _, err := asked.ScheduleMany(ctx, c, []gtf.Item[string]{{In: "key"}}); return err },
			"Run":              func() error { _, err := asked.Run(ctx, c, "key", nil); return err },
			"Start":            func() error { _, err := asked.Start(ctx, c, "key", nil); return err },
			"Handler.Schedule": func() error { _, err := handler.Schedule(ctx, c, json.RawMessage(`"key"`), nil); return err },
			"Handler.Start":    func() error { _, err := handler.Start(ctx, c, json.RawMessage(`"key"`), nil); return err },
			"a bad submit":     func() error { _, err := asked.Schedule(ctx, c, "key", &gtf.ScheduleOpts{Priority: 10}); return err },
		} {
			wantErr(t, name, submit(), gtf.ErrDisabled)
		}
		if len(store.subs) != 0 || len(must[[]gtf.Worker](t)(store.Workers(ctx))) != 0 {
			t.Errorf("%d submits and a worker reached the store", len(store.subs))
		}
	})
	t.Run("defining, reading, waiting and cancelling go on (S1.2)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			c := newClient(t, open(t), executes(echo))
			h := schedule(as(t.Context(), "ada"), t, c, privateWork, "key", nil)
			c.SetEnabled(false)
			gtf.Define[int, int]("test.defined_while_off", nil)
			waited := make(chan error)
			go func() {
				_, err := h.Wait(context.Background())
				waited <- err
			}()
			synctest.Wait()
			wantStatus(t, c, h.ID, gtf.StatusPending)
			if n := len(all(t, c)); n != 1 {
				t.Errorf("lists %d tasks, want 1", n)
			}
			done, err := h.Cancel(as(t.Context(), "ada"), nil)
			wantCanceled(t, done, err, gtf.EffectAbort, gtf.StatusAborted)
			wantTaskError(t, <-waited, gtf.StatusAborted)
		})
	})
	t.Run("flips off, on, off at run time (S1.1)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), executes(echo))
		ctx := as(t.Context(), "ada")
		for i, on := range []bool{true, false, true, false, true} {
			c.SetEnabled(on)
			_, err := privateWork.Run(ctx, c, "key", nil)
			want := gtf.ErrDisabled
			if on {
				want = nil
			}
			if wantErr(t, "Run", err, want); c.Enabled() != on {
				t.Errorf("flip %d: Enabled is %v", i, c.Enabled())
			}
		}
	})
	t.Run("is per process (S1.1)", func(t *testing.T) {
		t.Parallel()
		store := open(t)
		off, on := newClient(t, store, &gtf.Config{Disabled: true}), newClient(t, store, nil)
		schedule(as(t.Context(), "ada"), t, on, privateWork, "key", nil)
		_, err := privateWork.Schedule(as(t.Context(), "ada"), off, "key", nil)
		wantErr(t, "Schedule", err, gtf.ErrDisabled)
	})
	t.Run("a worker finishes what it runs, claims nothing, and goes on after (S1.2)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := open(t)
			var ran atomic.Int32
			cfg := executes(func(_ context.Context, in string) (string, error) {
				ran.Add(1)
				time.Sleep(time.Minute)
				return in, nil
			})
			cfg.Queues = map[string]int{gtf.DefaultQueue: 1}
			worker, web := startClient(t, store, cfg), newClient(t, store, nil)
			ctx := as(t.Context(), "ada")
			first := schedule(ctx, t, web, privateWork, "1", nil)
			second := schedule(ctx, t, web, privateWork, "2", nil)
			synctest.Wait()
			time.Sleep(time.Second)
			worker.SetEnabled(false)
			if out := must[string](t)(first.Wait(ctx)); out != "1" {
				t.Errorf("what ran ended with %q", out)
			}
			third := schedule(ctx, t, web, privateWork, "3", nil)
			time.Sleep(time.Hour)
			if ran.Load() != 1 {
				t.Errorf("%d ran, want only the first", ran.Load())
			}
			for _, h := range []*gtf.Handle[string]{second, third} {
				wantStatus(t, web, h.ID, gtf.StatusPending)
			}
			for _, w := range must[[]gtf.Worker](t)(web.Workers(t.Context())) {
				if w.Lost || w.Silence > 10*time.Second {
					t.Errorf("the worker that is off is silent for %v: heartbeats should go on", w.Silence)
				}
			}
			worker.SetEnabled(true)
			begun := time.Now()
			must[string](t)(second.Wait(ctx))
			must[string](t)(third.Wait(ctx))
			if took := time.Since(begun); took > 2*time.Minute+time.Second {
				t.Errorf("switched on, the rest took %v, want 2 minutes", took)
			}
		})
	})
	t.Run("housekeeping goes on (S1.2)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := open(t)
			startClient(t, store, &gtf.Config{Disabled: true})
			web := newClient(t, store, nil)
			h := schedule(as(t.Context(), "ada"), t, web, privateWork, "key", &gtf.ScheduleOpts{MaxQueueTime: time.Minute})
			_, err := h.Wait(t.Context())
			wantTaskError(t, err, gtf.StatusTimedOut)
		})
	})
	t.Run("flipping while submitting is safe (S1.1)", func(t *testing.T) {
		t.Parallel()
		c := startClient(t, open(t), executes(echo))
		var flips sync.WaitGroup
		done := make(chan struct{})
		flips.Go(func() {
			for on := false; ; on = !on {
				select {
				case <-done:
					c.SetEnabled(true)
					return
				default:
					c.SetEnabled(on)
				}
			}
		})
		var handles []*gtf.Handle[string]
		for range 200 {
			h, err := systemWork.Schedule(t.Context(), c, "", nil)
			if err == nil {
				handles = append(handles, h)
			} else {
				wantErr(t, "Schedule", err, gtf.ErrDisabled)
			}
		}
		close(done)
		flips.Wait()
		for _, h := range handles {
			must[string](t)(h.Wait(t.Context()))
		}
	})
}
