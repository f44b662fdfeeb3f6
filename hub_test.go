package gtf_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf"
)

// wire is a transport between processes that a test connects, disconnects and feeds.
type wire struct {
	mu        sync.Mutex
	listeners []gtf.Listener
	batches   [][]gtf.Signal
	slow      time.Duration
	broken    atomic.Bool
}

func (w *wire) Publish(_ context.Context, batch []gtf.Signal) error {
	<-time.After(w.slow)
	w.mu.Lock()
	w.batches = append(w.batches, batch)
	w.mu.Unlock()
	if w.broken.Load() {
		return errors.New("the wire is broken")
	}
	w.each(func(l gtf.Listener) {
		for _, s := range batch {
			l.Signal(s)
		}
	})
	return nil
}

func (w *wire) Listen(ctx context.Context, l gtf.Listener) {
	w.mu.Lock()
	w.listeners = append(w.listeners, l)
	w.mu.Unlock()
	l.Link(nil)
	<-ctx.Done()
}

func (w *wire) each(do func(gtf.Listener)) {
	w.mu.Lock()
	listeners := append([]gtf.Listener(nil), w.listeners...)
	w.mu.Unlock()
	for _, l := range listeners {
		do(l)
	}
}

// sent are the batches so far.
func (w *wire) sent() [][]gtf.Signal {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.batches
}

func TestSignals(t *testing.T) {
	t.Parallel()
	t.Run("of others wake waiters, claims and aborts at once (S9.2)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store, between := open(t), &wire{}
			cfg := executes(untilAborted)
			cfg.Signals = between
			startClient(t, store, cfg)
			web := newClient(t, store, &gtf.Config{Signals: between})
			time.Sleep(time.Second)
			begun := time.Now()
			h := schedule(as(t.Context(), "ada"), t, web, privateWork, "key", nil)
			synctest.Wait()
			wantStatus(t, web, h.ID, gtf.StatusInProgress)
			ended := waiting(t.Context(), h)
			must[*gtf.Canceled](t)(h.Cancel(as(t.Context(), "ada"), nil))
			wantTaskError(t, <-ended, gtf.StatusAborted)
			if took := time.Since(begun); took != 0 {
				t.Errorf("it took %v, want no wait anywhere", took)
			}
		})
	})
	t.Run("may lie, be doubled, and name what does not exist (S9.1)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store, between := open(t), &wire{}
			cfg := executes(minute)
			cfg.Signals = between
			c := startClient(t, store, cfg)
			h := schedule(as(t.Context(), "ada"), t, c, privateWork, "key", nil)
			ended := waiting(t.Context(), h)
			for range 3 {
				for _, id := range []gtf.ID{h.ID, gtf.NewID(), {}} {
					for _, kind := range []gtf.SignalKind{gtf.SignalWork, gtf.SignalAbort, gtf.SignalFinished, gtf.SignalChanged, gtf.SignalAny, "unknown"} {
						between.each(func(l gtf.Listener) { l.Signal(gtf.Signal{Kind: kind, ID: id, Queue: "none", Origin: "a liar"}) })
					}
				}
				synctest.Wait()
			}
			wantStatus(t, c, h.ID, gtf.StatusInProgress)
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("that cannot be sent cost latency, never correctness (S9.3)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store, between := open(t), &wire{}
			between.broken.Store(true)
			cfg := executes(untilAborted)
			cfg.Signals = between
			startClient(t, store, cfg)
			web := newClient(t, store, &gtf.Config{Signals: between})
			h := schedule(as(t.Context(), "ada"), t, web, privateWork, "key", nil)
			ended := waiting(t.Context(), h)
			time.Sleep(5 * time.Second)
			wantStatus(t, web, h.ID, gtf.StatusInProgress)
			must[*gtf.Canceled](t)(h.Cancel(as(t.Context(), "ada"), nil))
			time.Sleep(6 * time.Second) // the answer to the heartbeat
			wantStatus(t, web, h.ID, gtf.StatusAborted)
			wantTaskError(t, <-ended, gtf.StatusAborted)
		})
	})
	t.Run("are looked for once when the transport comes back (S9.3)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store, between := open(t), &wire{}
			c, other := newClient(t, store, &gtf.Config{Signals: between}), newClient(t, store, nil)
			h := schedule(as(t.Context(), "ada"), t, c, privateWork, "key", nil)
			ended := waiting(t.Context(), h)
			between.each(func(l gtf.Listener) { l.Link(errors.New("cut")) })
			synctest.Wait()
			begun := time.Now()
			must[*gtf.Canceled](t)(other.Cancel(as(t.Context(), "ada"), h.ID, nil))
			between.each(func(l gtf.Listener) { l.Link(nil) })
			wantTaskError(t, <-ended, gtf.StatusAborted)
			if took := time.Since(begun); took != 0 {
				t.Errorf("noticed after %v, want at once", took)
			}
		})
	})
	t.Run("are polled for while the transport is gone (S9.3, S9.8)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store, between := open(t), &wire{}
			cfg := executes(echo)
			cfg.Signals = between
			c := startClient(t, store, cfg)
			synctest.Wait()
			between.each(func(l gtf.Listener) { l.Link(errors.New("cut")) })
			time.Sleep(10 * time.Second)
			other := newClient(t, store, &gtf.Config{Signals: &forgetful{}})
			begun := time.Now()
			h := schedule(as(t.Context(), "ada"), t, other, privateWork, "key", nil)
			if err := <-waiting(t.Context(), c.Attach(h.ID)); err != nil || time.Since(begun) > 2*time.Second {
				t.Errorf("%v after %v, want two seconds at most", err, time.Since(begun))
			}
		})
	})
	t.Run("are sent at once when idle, and together under load, each once (S9.9)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			between := &wire{slow: time.Second}
			c := newClient(t, open(t), &gtf.Config{Signals: between})
			for i := range 50 {
				schedule(as(t.Context(), "ada"), t, c, privateWork, string(rune('a'+i)), nil)
			}
			time.Sleep(10 * time.Second)
			batches := between.sent()
			if len(batches) > 2 {
				t.Errorf("%d batches for 50 submits while the first was under way, want 2", len(batches))
			}
			for _, batch := range batches {
				if len(batch) != 1 || batch[0].Kind != gtf.SignalWork || batch[0].Queue != gtf.DefaultQueue || batch[0].Origin == "" {
					t.Errorf("sent %+v, want one for the queue", batch)
				}
			}
		})
	})
	t.Run("are all sent before Stop returns (S12.5)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			between := &wire{slow: time.Second}
			c := newClient(t, open(t), &gtf.Config{Signals: between})
			h := schedule(as(t.Context(), "ada"), t, c, privateWork, "key", nil)
			must[*gtf.Canceled](t)(h.Cancel(t.Context(), nil))
			if err := c.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			told := false
			for _, batch := range between.sent() {
				for _, s := range batch {
					told = told || s.Kind == gtf.SignalFinished && s.ID == h.ID
				}
			}
			if !told {
				t.Errorf("sent %+v, want the end of the task among it", between.sent())
			}
		})
	})
}

func TestLinkError(t *testing.T) {
	t.Parallel()
	t.Run("misses no signals before anything needs them (S9.7)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			c := newClient(t, open(t), &gtf.Config{Signals: &gtf.LocalSignals{}})
			if err := c.LinkError(); err != nil {
				t.Errorf("before the start: %v", err)
			}
			if err := c.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if c.LinkError() == nil {
				t.Error("started, without a transport between processes, nothing is missed")
			}
		})
	})
}
