package gtf_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf"
)

func TestFence(t *testing.T) {
	t.Parallel()

	t.Run("after 20 s without a heartbeat runs the abort handlers, ends the context, cleans up and writes nothing (S12.3)", func(t *testing.T) {
		t.Parallel()
		var began time.Time
		cut(t, nil, &gtf.DefineOpts[none]{}, func(ctx context.Context, r *rig) (string, error) {
			x := gtf.FromContext(ctx)
			x.OnAbort(func(context.Context) error { r.trail.add("abort handler after %v", time.Since(began)); return nil })
			x.OnCleanup(func(context.Context) error { r.trail.add("clean up"); return nil })
			r.trail.add("%v", until(ctx))
			return "nobody will read this", nil
		}, func(r *rig, b *brittle, worker *gtf.Client) {
			h := r.schedule(nil)
			r.after(4 * time.Second) // just before the next beat: the last good one was sent at the start
			began = time.Now().Add(-4 * time.Second)
			b.down.Store(true)
			r.after(17 * time.Second)
			r.trail.want(r.T, "abort handler after 20s", gtf.ErrFenced.Error(), "clean up")
			wantStatus(r.T, r.c, h.ID, gtf.StatusInProgress)
			if task := get(r.T, r.c, h.ID); task.Result != nil {
				r.Errorf("a fenced execution stored the result %s", task.Result)
			}
		})
	})

	t.Run("forgives a shorter outage (S12.3)", func(t *testing.T) {
		t.Parallel()
		cut(t, nil, &gtf.DefineOpts[none]{Abortable: true}, func(ctx context.Context, r *rig) (string, error) {
			time.Sleep(time.Minute)
			return "done", context.Cause(ctx)
		}, func(r *rig, b *brittle, worker *gtf.Client) {
			h := r.schedule(nil)
			r.after(5500 * time.Millisecond)
			b.down.Store(true)
			r.after(18 * time.Second)
			b.down.Store(false)
			if out, err := h.Wait(r.Context()); out != "done" || err != nil {
				r.Errorf("the outcome is %q, %v, want a success", out, err)
			}
		})
	})

	t.Run("is followed by a new worker id, under which it claims again (S12.3)", func(t *testing.T) {
		t.Parallel()
		cut(t, nil, &gtf.DefineOpts[none]{Abortable: true}, func(ctx context.Context, r *rig) (string, error) {
			return "done", nil
		}, func(r *rig, b *brittle, worker *gtf.Client) {
			before := must[[]gtf.Worker](r)(r.store.Workers(r.Context()))
			b.down.Store(true)
			r.after(time.Minute)
			b.down.Store(false)
			h := r.schedule(nil)
			if _, err := h.Wait(r.Context()); err != nil {
				r.Fatal(err)
			}
			if task := get(r.T, r.c, h.ID); task.Worker == before[0].ID {
				r.Errorf("the task ran under the given up id %s", task.Worker)
			}
		})
	})

	t.Run("by a process that was declared lost and comes back changes nothing: the other's result stands (S3.4)", func(t *testing.T) {
		t.Parallel()
		var firstRun atomic.Bool
		cut(t, nil, &gtf.DefineOpts[none]{MaxAttempts: 2, Backoff: gtf.Backoff{Base: time.Millisecond, Max: time.Millisecond}},
			func(ctx context.Context, r *rig) (string, error) {
				if firstRun.CompareAndSwap(false, true) {
					time.Sleep(10 * time.Minute) // deaf, like a process that was stopped
					return "from the dead", nil
				}
				return "from the living", nil
			}, func(r *rig, b *brittle, worker *gtf.Client) {
				h := r.schedule(nil)
				r.after(time.Second)
				b.down.Store(true)
				startClient(r.T, r.store, &gtf.Config{Handlers: []gtf.Handler{r.def.Handler(
					func(context.Context, none) (string, error) { return "from the living", nil })}})
				began := time.Now()
				out, err := h.Wait(r.Context())
				if out != "from the living" || err != nil {
					r.Errorf("the outcome is %q, %v", out, err)
				}
				if took := time.Since(began); took > 36*time.Second {
					r.Errorf("taken over after %v, want at most the worker timeout and a beat", took)
				}
				b.down.Store(false)
				r.after(20 * time.Minute)
				task := get(r.T, r.c, h.ID)
				if string(task.Result) != `"from the living"` || task.Attempt != 2 || task.Attempts[0].Error != "worker lost" {
					r.Errorf("result %s in attempt %d after %+v", task.Result, task.Attempt, task.Attempts)
				}
			})
	})

	t.Run("comes with the write that finds the claim lost (S3.4)", func(t *testing.T) {
		t.Parallel()
		rigged(t, &gtf.Config{Throttle: gtf.None}, &gtf.DefineOpts[none]{Abortable: true}, func(ctx context.Context, r *rig) (string, error) {
			x := gtf.FromContext(ctx)
			time.Sleep(time.Second)
			if err := r.store.Leave(ctx, workerOf(r, x.ID())); err != nil { // as if the process were gone
				return "", err
			}
			if _, err := r.store.Reap(ctx, time.Hour, 10); err != nil {
				return "", err
			}
			x.Count(1)
			r.trail.add("flush: %v", x.Flush(ctx))
			r.trail.add("%v", until(ctx))
			return "late", nil
		}, func(r *rig) {
			h := r.schedule(nil)
			_, err := h.Wait(r.Context())
			if e := wantTaskError(r.T, err, gtf.StatusFailure); e.Reason != "worker lost" {
				r.Errorf("the reason is %q", e.Reason)
			}
			r.after(time.Second)
			r.trail.want(r.T, "flush: "+gtf.ErrFenced.Error(), gtf.ErrFenced.Error())
			if task := get(r.T, r.c, h.ID); task.Progress.String() != "" {
				r.Errorf("progress %q was written by a lost claim", task.Progress)
			}
		})
	})
}

func workerOf(r *rig, id gtf.ID) string {
	r.Helper()
	return get(r.T, r.c, id).Worker
}

func TestHeartbeat(t *testing.T) {
	t.Parallel()

	t.Run("brings the abort where no signal does (S9.5)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			fn := func(ctx context.Context, r *rig) (string, error) { return "", until(ctx) }
			r := newRig(t, nil, &gtf.DefineOpts[none]{Abortable: true}, fn)
			deaf := &brittle{Store: r.store}
			startClient(t, deaf, &gtf.Config{Handlers: []gtf.Handler{r.def.Handler(func(ctx context.Context, _ none) (string, error) { return fn(ctx, r) })}})
			h := r.schedule(nil)
			r.after(10 * time.Second)
			asked := time.Now()
			r.cancel(h)
			for get(t, r.c, h.ID).Status != gtf.StatusAborted {
				r.after(100 * time.Millisecond)
			}
			if took := time.Since(asked); took > 5200*time.Millisecond {
				t.Errorf("noticed after %v, want at most one heartbeat", took)
			}
		})
	})

	t.Run("finds claims whose answer was lost: they are given back, or fail without attempts left", func(t *testing.T) {
		t.Parallel()
		cut(t, nil, &gtf.DefineOpts[none]{}, func(_ context.Context, r *rig) (string, error) { return "done", nil },
			func(r *rig, b *brittle, _ *gtf.Client) {
				b.muteClaim.Store(true)
				once := r.schedule(nil)
				r.after(time.Second)
				b.muteClaim.Store(true)
				again := r.schedule(&gtf.ScheduleOpts{MaxAttempts: 2})
				_, err := once.Wait(r.Context())
				if e := wantTaskError(r.T, err, gtf.StatusFailure); e.Reason != "worker lost" {
					r.Errorf("the reason is %q, want worker lost", e.Reason)
				}
				if out, err := again.Wait(r.Context()); out != "done" || err != nil {
					r.Errorf("with an attempt left: %q, %v, want a success", out, err)
				}
				if task := get(r.T, r.c, again.ID); task.Attempt != 2 || len(task.Attempts) != 1 || task.Attempts[0].Error != "worker lost" {
					r.Errorf("attempt %d after %+v, want a second one", task.Attempt, task.Attempts)
				}
			})
	})

	t.Run("never moves changed_on (S12.4)", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, nil, func(context.Context, *rig) (string, error) { time.Sleep(time.Minute); return "", nil }, func(r *rig) {
			h := r.schedule(nil)
			r.after(time.Second)
			before := get(r.T, r.c, h.ID)
			r.after(30 * time.Second)
			if after := get(r.T, r.c, h.ID); !after.ChangedAt.Equal(before.ChangedAt) || after.Version != before.Version {
				r.Errorf("changed at %v, version %d, want %v, %d", after.ChangedAt, after.Version, before.ChangedAt, before.Version)
			}
		})
	})

	t.Run("of a process that only runs inline lasts as long as it runs something (S12.1)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			r := newRig(t, nil, &gtf.DefineOpts[none]{Abortable: true}, func(ctx context.Context, r *rig) (string, error) {
				select {
				case <-time.After(2 * time.Minute):
					return "done", nil
				case <-ctx.Done():
					return "", context.Cause(ctx)
				}
			})
			startClient(t, r.store, nil) // would reap it
			if out, err := r.def.Run(t.Context(), r.c, none{}, nil); out != "done" || err != nil {
				t.Errorf("the outcome is %q, %v", out, err)
			}
			r.after(time.Minute)
			for _, w := range must[[]gtf.Worker](t)(r.c.Workers(t.Context())) {
				if len(w.Queues) == 0 {
					t.Errorf("the inline process is still on the list a minute later: %+v", w)
				}
			}
		})
	})

	t.Run("that ceases has inline tasks and aborting ones fail, and the others tried again (S12.2)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			r := newRig(t, nil, nil, nil)
			def := gtf.Define[string, none]("test.lost", &gtf.DefineOpts[string]{Scope: gtf.ScopeSystem, Abortable: true,
				Backoff: gtf.Backoff{Base: time.Hour, Max: time.Hour}})
			b := &brittle{Store: r.store}
			release := make(chan struct{})
			dying := startClient(t, b, &gtf.Config{Signals: r.store.Signals(), Handlers: []gtf.Handler{def.Handler(
				func(context.Context, string) (none, error) { <-release; return none{}, nil })}})
			startClient(t, r.store, nil)
			schedule := func(name string, attempts int) *gtf.Handle[none] {
				return must[*gtf.Handle[none]](t)(def.Schedule(t.Context(), r.c, name, &gtf.ScheduleOpts{MaxAttempts: attempts}))
			}
			once, again, aborting := schedule("once", 1), schedule("again", 2), schedule("aborting", 2)
			inline := must[*gtf.Handle[none]](t)(def.Start(t.Context(), dying, "inline", &gtf.RunOpts{MaxAttempts: 2}))
			r.after(time.Second)
			if _, err := aborting.Cancel(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			b.down.Store(true)
			r.after(40 * time.Second)
			for _, tt := range []struct {
				what   string
				id     gtf.ID
				status gtf.Status
				reason string
			}{
				{"a task with one attempt", once.ID, gtf.StatusFailure, "worker lost"},
				{"a task with attempts left", again.ID, gtf.StatusPending, ""},
				{"an aborting task", aborting.ID, gtf.StatusFailure, "worker lost while aborting"},
				{"an inline task", inline.ID, gtf.StatusFailure, "worker lost"},
			} {
				if task := get(t, r.c, tt.id); task.Status != tt.status || task.Error != tt.reason {
					t.Errorf("%s is %s (%q), want %s (%q)", tt.what, task.Status, task.Error, tt.status, tt.reason)
				}
			}
			close(release)
			synctest.Wait()
			b.down.Store(false)
		})
	})

	t.Run("of an idle process, with all it does besides, is about a statement a second (S9.8)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := open(t)
			startClient(t, store, nil)
			time.Sleep(time.Minute)
			before := store.Statements()
			time.Sleep(5 * time.Minute)
			if n := store.Statements() - before; n > 5*60*115/100 {
				t.Errorf("%d statements in 5 minutes, want about 300", n)
			}
		})
	})
}

func TestReport(t *testing.T) {
	t.Parallel()

	t.Run("writes at once, then the latest once per throttle interval, and the tail by itself (S6.2)", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, nil, func(ctx context.Context, r *rig) (string, error) {
			x := gtf.FromContext(ctx)
			for i := range 25 {
				x.Progress(i+1, 100)
				time.Sleep(100 * time.Millisecond)
			}
			time.Sleep(time.Minute)
			return "", nil
		}, func(r *rig) {
			h := r.schedule(nil)
			var seen []string
			for range 60 {
				r.after(100 * time.Millisecond)
				if p := get(r.T, r.c, h.ID).Progress.String(); len(seen) == 0 || seen[len(seen)-1] != p {
					seen = append(seen, p)
				}
			}
			want := []string{"1 of 100 (1%)", "20 of 100 (20%)", "25 of 100 (25%)"}
			if len(seen) != 3 || seen[0] != want[0] || seen[2] != want[2] {
				r.Errorf("stored one after the other: %q, want about %q", seen, want)
			}
		})
	})

	t.Run("of progress is not kept waiting by a log line before it", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, nil, func(ctx context.Context, r *rig) (string, error) {
			x := gtf.FromContext(ctx)
			x.Logger().Info("begins")
			x.Progress(1, 2)
			time.Sleep(time.Minute)
			return "", nil
		}, func(r *rig) {
			h := r.schedule(nil)
			r.after(time.Millisecond)
			if task := get(r.T, r.c, h.ID); task.Progress.String() != "1 of 2 (50%)" || task.Logged.Lines != 1 {
				r.Errorf("progress %q and %d lines are stored, want both at once", task.Progress, task.Logged.Lines)
			}
		})
	})

	t.Run("with no throttle writes every call (S6.2)", func(t *testing.T) {
		t.Parallel()
		rigged(t, &gtf.Config{Throttle: gtf.None}, nil, func(ctx context.Context, r *rig) (string, error) {
			x := gtf.FromContext(ctx)
			for i := range 5 {
				x.Count(i)
				r.trail.add("%s", get(r.T, r.c, x.ID()).Progress)
			}
			return "", nil
		}, func(r *rig) {
			if _, err := r.schedule(nil).Wait(r.Context()); err != nil {
				r.Error(err)
			}
			r.trail.want(r.T, "0 processed", "1 processed", "2 processed", "3 processed", "4 processed")
		})
	})

	t.Run("that fails stays due, and Flush writes now (S6.2)", func(t *testing.T) {
		t.Parallel()
		cut(t, nil, nil, func(ctx context.Context, r *rig) (string, error) {
			x := gtf.FromContext(ctx)
			x.Fraction(0.5)
			r.trail.add("flush: %v", errors.Is(x.Flush(ctx), errStore))
			time.Sleep(30 * time.Second)
			r.trail.add("then: %s", get(r.T, r.c, x.ID()).Progress)
			x.Fraction(0.75)
			r.trail.add("flush: %v", x.Flush(ctx))
			r.trail.add("at once: %s", get(r.T, r.c, x.ID()).Progress)
			return "", nil
		}, func(r *rig, b *brittle, _ *gtf.Client) {
			b.downUpdate.Store(true)
			h := r.schedule(nil)
			r.after(20 * time.Second)
			b.downUpdate.Store(false)
			if _, err := h.Wait(r.Context()); err != nil {
				r.Error(err)
			}
			r.trail.want(r.T, "flush: true", "then: 50%", "flush: <nil>", "at once: 75%")
		})
	})

	t.Run("of OnAbort is stored before it returns, also by a store that errors at first (S6.3)", func(t *testing.T) {
		t.Parallel()
		cut(t, nil, nil, func(ctx context.Context, r *rig) (string, error) {
			x := gtf.FromContext(ctx)
			began := time.Now()
			x.OnAbort(func(context.Context) error { return nil })
			r.trail.add("abortable: %v, waited: %v", get(r.T, r.c, x.ID()).Abortable, time.Since(began) > 5*time.Second)
			return "", nil
		}, func(r *rig, b *brittle, _ *gtf.Client) {
			b.downUpdate.Store(true)
			h := r.schedule(nil)
			r.after(10 * time.Second)
			b.downUpdate.Store(false)
			if _, err := h.Wait(r.Context()); err != nil {
				r.Error(err)
			}
			r.trail.want(r.T, "abortable: true, waited: true")
		})
	})

	t.Run("merges the payload by key, refuses what is too large, and keeps the old one then (S6.1, S4.9)", func(t *testing.T) {
		t.Parallel()
		rigged(t, &gtf.Config{MaxPayload: 100}, nil, func(ctx context.Context, r *rig) (string, error) {
			x := gtf.FromContext(ctx)
			for _, fields := range []map[string]any{
				{"a": 1, "b": map[string]int{"x": 1}},
				{"b": "new", "c": nil},
				{"big": make([]int, 100)},
				{"bad": func() {}},
				{"nul": "\x00"},
				{"bytes": "\xff"},
				{"\xff": 1},
			} {
				r.trail.add("%v", x.Payload(fields) == nil)
			}
			return "", nil
		}, func(r *rig) {
			h := r.schedule(nil)
			if _, err := h.Wait(r.Context()); err != nil {
				r.Error(err)
			}
			if task := get(r.T, r.c, h.ID); string(task.Payload) != `{"a":1,"b":"new","c":null}` {
				r.Errorf("the payload is %s", task.Payload)
			}
			r.trail.want(r.T, "true", "true", "false", "false", "false", "false", "false")
		})
	})

	t.Run("keeps the lines of the logger, cleaned and cut (S6.6)", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, nil, func(ctx context.Context, r *rig) (string, error) {
			log := gtf.FromContext(ctx).Logger()
			log.With("page", 3).WithGroup("row").Warn("odd value", "id", "a b")
			log.Info("bad \xff byte")
			log.Debug(string(make([]byte, 10_000))) //nolint:sloglint // it is the length that counts
			return "", nil
		}, func(r *rig) {
			h := r.schedule(nil)
			if _, err := h.Wait(r.Context()); err != nil {
				r.Error(err)
			}
			lines := must[[]gtf.LogLine](r)(r.c.Logs(r.Context(), h.ID, 0, 0))
			if len(lines) != 3 || lines[0].Text != `odd value page=3 row.id="a b"` || lines[0].Level.String() != "WARN" ||
				lines[1].Text != "bad \uFFFD byte" || len(lines[2].Text) > 8<<10 {
				r.Errorf("the lines are %+v", lines)
			}
		})
	})

	t.Run("beyond the limits drops the oldest lines and tells how many (S6.6)", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, nil, func(ctx context.Context, r *rig) (string, error) {
			x := gtf.FromContext(ctx)
			for i := range 12_000 {
				x.Logger().Info("line", "n", i)
			}
			return "", x.Flush(ctx)
		}, func(r *rig) {
			h := r.schedule(nil)
			if _, err := h.Wait(r.Context()); err != nil {
				r.Error(err)
			}
			task := get(r.T, r.c, h.ID)
			lines := must[[]gtf.LogLine](r)(r.c.Logs(r.Context(), h.ID, 0, gtf.MaxLogLines))
			if task.Logged.Lines != gtf.MaxLogLines || task.Logged.Dropped != 2000 || len(lines) != gtf.MaxLogLines || lines[0].Seq != 2001 {
				r.Errorf("kept %+v, first line %d of %d, want 10,000 kept and 2,000 dropped", task.Logged, lines[0].Seq, len(lines))
			}
		})
	})

	t.Run("clamps what is out of range and ignores NaN; one form clears the others (S6.1)", func(t *testing.T) {
		t.Parallel()
		rigged(t, &gtf.Config{Throttle: gtf.None}, nil, func(ctx context.Context, r *rig) (string, error) {
			x := gtf.FromContext(ctx)
			say := func(report func()) {
				report()
				r.trail.add("%s", get(r.T, r.c, x.ID()).Progress)
			}
			zero := 0.0
			say(func() { x.Progress(7, 5) })
			say(func() { x.Fraction(zero / zero) })
			say(func() { x.Fraction(-1) })
			say(func() { x.Count(-3) })
			say(func() { x.Progress(3, 0) })
			say(func() { x.Progress(9, 60) })
			return "", nil
		}, func(r *rig) {
			if _, err := r.schedule(nil).Wait(r.Context()); err != nil {
				r.Error(err)
			}
			r.trail.want(r.T, "5 of 5 (100%)", "5 of 5 (100%)", "0%", "0 processed", "3 processed", "9 of 60 (15%)")
		})
	})
}
