package gtf_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf"
)

func TestAttempts(t *testing.T) {
	t.Parallel()

	t.Run("are repeated with back-off, keep the payload and drop the progress (S5.7)", func(t *testing.T) {
		t.Parallel()
		rigged(t, &gtf.Config{Backoff: gtf.Backoff{Base: time.Minute, Max: time.Hour}}, &gtf.DefineOpts[none]{MaxAttempts: 3},
			func(ctx context.Context, r *rig) (string, error) {
				x := gtf.FromContext(ctx)
				r.trail.add("attempt %d", x.Attempt())
				x.OnAbort(func(context.Context) error { return nil })
				if err := x.Payload(map[string]any{fmt.Sprint("try", x.Attempt()): true}); err != nil {
					return "", err
				}
				if x.Attempt() < 3 {
					x.Progress(1, 2)
					return "", fmt.Errorf("broken %d", x.Attempt())
				}
				return "done", nil
			}, func(r *rig) {
				h := r.schedule(nil)
				r.after(time.Second)
				task := get(r.T, r.c, h.ID)
				if task.Status != gtf.StatusPending || !task.StartedAt.IsZero() || task.Progress.String() != "" || task.Abortable {
					r.Errorf("after the first attempt: %s, started %v, progress %q, abortable %v, want pending and as new",
						task.Status, task.StartedAt, task.Progress, task.Abortable)
				}
				if wait := task.DueAt.Sub(task.ChangedAt); wait < 30*time.Second || wait > time.Minute {
					r.Errorf("due after %v, want half a minute to a minute", wait)
				}
				if out, err := h.Wait(r.Context()); out != "done" || err != nil {
					r.Errorf("the outcome is %q, %v", out, err)
				}
				task = get(r.T, r.c, h.ID)
				if len(task.Attempts) != 2 || task.Attempts[0].Error != "broken 1" || task.Attempts[1].Error != "broken 2" ||
					task.Attempts[0].Worker == "" || task.Attempts[0].StartedAt.IsZero() || task.Attempts[0].EndedAt.IsZero() {
					r.Errorf("attempts are %+v, want two with start, end, worker and error", task.Attempts)
				}
				if string(task.Payload) != `{"try1":true,"try2":true,"try3":true}` {
					r.Errorf("the payload is %s, want that of all attempts", task.Payload)
				}
				r.trail.want(r.T, "attempt 1", "attempt 2", "attempt 3")
			})
	})

	t.Run("end with a failure when none is left", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, &gtf.DefineOpts[none]{MaxAttempts: 2}, func(context.Context, *rig) (string, error) {
			return "", errors.New("broken")
		}, func(r *rig) {
			h := r.schedule(nil)
			_, err := h.Wait(r.Context())
			if e := wantTaskError(r.T, err, gtf.StatusFailure); e.Reason != "broken" {
				r.Errorf("the reason is %q", e.Reason)
			}
			if task := get(r.T, r.c, h.ID); task.Attempt != 2 || task.ErrorType != "*errors.errorString" {
				r.Errorf("attempt %d, error type %q", task.Attempt, task.ErrorType)
			}
		})
	})

	for _, tt := range []struct {
		name string
		fn   function
		want string // part of the reason
	}{
		{"a panic is repeated", func(ctx context.Context, r *rig) (string, error) {
			if gtf.FromContext(ctx).Attempt() == 1 {
				panic("oops")
			}
			return "", nil
		}, ""},
		{"NoRetry is not", func(context.Context, *rig) (string, error) {
			return "", fmt.Errorf("read: %w", gtf.NoRetry(errors.New("no such file")))
		}, "read: no such file"},
		{"a result above the limit is not, and names it", func(context.Context, *rig) (string, error) {
			return strings.Repeat("x", 1<<20), nil
		}, "at most 1048576 are allowed"},
		{"a result with a NUL is not", func(context.Context, *rig) (string, error) { return "a\x00b", nil }, "NUL"},
	} {
		t.Run(tt.name+" (S5.7)", func(t *testing.T) {
			t.Parallel()
			rigged(t, nil, &gtf.DefineOpts[none]{MaxAttempts: 5}, tt.fn, func(r *rig) {
				h := r.schedule(nil)
				_, err := h.Wait(r.Context())
				task := get(r.T, r.c, h.ID)
				if tt.want == "" {
					if err != nil || task.Attempt != 2 {
						r.Errorf("attempt %d ended with %v, want a second that succeeds", task.Attempt, err)
					}
					return
				}
				if e := wantTaskError(r.T, err, gtf.StatusFailure); !strings.Contains(e.Reason, tt.want) || task.Attempt != 1 {
					r.Errorf("attempt %d failed with %q, want the first, with %q", task.Attempt, e.Reason, tt.want)
				}
			})
		})
	}

	t.Run("that cannot be stored are written again until they are, and take their slots back meanwhile (S3.7)", func(t *testing.T) {
		t.Parallel()
		cut(t, &gtf.Config{Queues: map[string]int{"default": 1}}, nil, func(ctx context.Context, r *rig) (string, error) {
			r.trail.add("ran")
			return "done", nil
		}, func(r *rig, b *brittle, _ *gtf.Client) {
			b.downFinish.Store(true)
			first, second, third := r.schedule(nil), r.schedule(nil), r.schedule(nil)
			r.after(time.Minute)
			wantStatus(r.T, r.c, first.ID, gtf.StatusInProgress)
			wantStatus(r.T, r.c, third.ID, gtf.StatusPending) // the second may have begun while the first was about to be written
			b.downFinish.Store(false)
			if _, err := first.Wait(r.Context()); err != nil {
				r.Error(err)
			}
			for _, h := range []*gtf.Handle[string]{second, third} {
				if _, err := h.Wait(r.Context()); err != nil {
					r.Error(err)
				}
			}
			r.trail.want(r.T, "ran", "ran", "ran")
		})
	})

	t.Run("of an inline task stay in their process, also while it waits between two (S5.1)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			r := newRig(t, nil, &gtf.DefineOpts[none]{MaxAttempts: 3, Backoff: gtf.Backoff{Base: time.Minute, Max: time.Minute}},
				func(ctx context.Context, r *rig) (string, error) {
					if gtf.FromContext(ctx).Attempt() < 3 {
						return "", errors.New("broken")
					}
					return "done", nil
				})
			startClient(t, r.store, &gtf.Config{Handlers: []gtf.Handler{r.def.Handler(
				func(context.Context, none) (string, error) { t.Error("a worker ran an inline task"); return "", nil })}})
			h := must[*gtf.Handle[string]](t)(r.def.Start(t.Context(), r.c, none{}, nil))
			r.after(10 * time.Second)
			wantStatus(t, r.c, h.ID, gtf.StatusPending)
			if out, err := h.Wait(t.Context()); out != "done" || err != nil {
				t.Errorf("the outcome is %q, %v", out, err)
			}
		})
	})

	t.Run("of an inline task can be cancelled between two", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			r := newRig(t, nil, &gtf.DefineOpts[none]{MaxAttempts: 3, Backoff: gtf.Backoff{Base: time.Hour, Max: time.Hour}},
				func(_ context.Context, r *rig) (string, error) { r.trail.add("ran"); return "", errors.New("broken") })
			h := must[*gtf.Handle[string]](t)(r.def.Start(t.Context(), r.c, none{}, nil))
			r.after(10 * time.Second)
			r.cancel(h)
			_, err := h.Wait(t.Context())
			wantTaskError(t, err, gtf.StatusAborted)
			r.after(2 * time.Hour)
			r.trail.want(t, "ran")
		})
	})
}

func TestWorker(t *testing.T) {
	t.Parallel()

	t.Run("runs by priority, then due time, in as many slots as it has", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			r := newRig(t, &gtf.Config{Queues: map[string]int{"default": 1, "other": 2}}, nil, nil)
			def := gtf.Define[string, none]("test.named", &gtf.DefineOpts[string]{Scope: gtf.ScopeSystem})
			running, most := 0, 0
			worker := newClient(t, r.store, &gtf.Config{Queues: map[string]int{"default": 1}, Handlers: []gtf.Handler{def.Handler(
				func(_ context.Context, name string) (none, error) {
					running++
					most = max(most, running)
					time.Sleep(time.Second)
					running--
					r.trail.add("%s", name)
					return none{}, nil
				})}})
			for _, s := range []struct {
				name string
				opts gtf.ScheduleOpts
			}{
				{"later", gtf.ScheduleOpts{Priority: 1, Delay: time.Minute}},
				{"normal", gtf.ScheduleOpts{}},
				{"last", gtf.ScheduleOpts{Priority: 9}},
				{"second", gtf.ScheduleOpts{Priority: 2}},
				{"first", gtf.ScheduleOpts{Priority: 1}},
				{"nobody works on its queue", gtf.ScheduleOpts{Queue: "elsewhere"}},
			} {
				must[*gtf.Handle[none]](t)(def.Schedule(t.Context(), r.c, s.name, &s.opts))
			}
			if err := worker.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.after(2 * time.Minute)
			r.trail.want(t, "first", "second", "normal", "last", "later")
			if most != 1 {
				t.Errorf("%d ran at once, want 1", most)
			}
		})
	})

	t.Run("begins a task when it is due, not a look later", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, nil, func(ctx context.Context, r *rig) (string, error) { return time.Now().Format(time.RFC3339Nano), nil },
			func(r *rig) {
				due := time.Now().Add(1234567 * time.Microsecond)
				out, err := r.schedule(&gtf.ScheduleOpts{DueAt: due}).Wait(r.Context())
				if err != nil || out != due.Format(time.RFC3339Nano) {
					r.Errorf("ran at %s (%v), want %s", out, err, due.Format(time.RFC3339Nano))
				}
			})
	})

	t.Run("finds work that nobody signalled, by looking (S9.8)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			r := newRig(t, nil, nil, func(context.Context, *rig) (string, error) { return "found", nil })
			deaf := &brittle{Store: r.store} // brings no signals of its own: nothing tells this worker of the other client
			startClient(t, deaf, &gtf.Config{Handlers: []gtf.Handler{r.def.Handler(func(context.Context, none) (string, error) { return "found", nil })}})
			began := time.Now()
			if out, err := r.schedule(nil).Wait(t.Context()); out != "found" || err != nil {
				t.Errorf("the outcome is %q, %v", out, err)
			}
			if took := time.Since(began); took > 2*time.Second+30*time.Second {
				t.Errorf("found after %v, want at most a look for work and a look of the waiter", took)
			}
		})
	})

	t.Run("keeps the slot of a function that ignores its context, and says so once (S5.6)", func(t *testing.T) {
		t.Parallel()
		events := make(chan gtf.Event, 1000)
		rigged(t, &gtf.Config{Queues: map[string]int{"default": 1}, Observer: observer(events)}, &gtf.DefineOpts[none]{Abortable: true},
			func(ctx context.Context, r *rig) (string, error) {
				r.trail.add("ran")
				time.Sleep(5 * time.Minute)
				return "", nil
			}, func(r *rig) {
				first, second := r.schedule(nil), r.schedule(nil)
				r.after(time.Second)
				r.cancel(first)
				r.after(4 * time.Minute)
				wantStatus(r.T, r.c, first.ID, gtf.StatusAborting)
				wantStatus(r.T, r.c, second.ID, gtf.StatusPending)
				stuck := 0
				for len(events) > 0 {
					if e := <-events; e.Kind == gtf.EventStuck && e.ID == first.ID {
						stuck++
					}
				}
				if stuck != 1 {
					r.Errorf("told %d times that the function is stuck, want once", stuck)
				}
				_, err := first.Wait(r.Context())
				wantErr(r.T, "outcome", err, gtf.ErrAborted)
				if _, err := second.Wait(r.Context()); err != nil {
					r.Error(err)
				}
			})
	})
}

type observer chan gtf.Event

func (o observer) Observe(e gtf.Event) {
	select {
	case o <- e:
	default:
	}
}

func TestStop(t *testing.T) {
	t.Parallel()

	t.Run("lets running tasks finish within the grace, and claims no more (S12.5)", func(t *testing.T) {
		t.Parallel()
		rigged(t, &gtf.Config{Queues: map[string]int{"default": 1}}, nil, func(ctx context.Context, r *rig) (string, error) {
			time.Sleep(20 * time.Second)
			return "done", ctx.Err()
		}, func(r *rig) {
			first, second := r.schedule(nil), r.schedule(nil)
			synctest.Wait()
			if err := r.c.Stop(r.Context()); err != nil {
				r.Error(err)
			}
			other := newClient(r.T, r.store, nil)
			wantStatus(r.T, other, first.ID, gtf.StatusSuccess)
			wantStatus(r.T, other, second.ID, gtf.StatusPending)
			if workers := must[[]gtf.Worker](r)(r.store.Workers(r.Context())); len(workers) != 0 {
				r.Errorf("workers left on the list: %+v", workers)
			}
		})
	})

	for _, tt := range []struct {
		name     string
		attempts int
		result   error
		want     gtf.Status
		reason   string
	}{
		{"a function that then returns nil has succeeded", 1, nil, gtf.StatusSuccess, ""},
		{"with attempts left the task is pending again", 2, context.Canceled, gtf.StatusPending, ""},
		{"without, it failed by the shutdown", 1, context.Canceled, gtf.StatusFailure, "interrupted by shutdown"},
	} {
		t.Run("interrupts after the grace, abort handlers first: "+tt.name+" (S12.5)", func(t *testing.T) {
			t.Parallel()
			rigged(t, nil, &gtf.DefineOpts[none]{MaxAttempts: tt.attempts}, func(ctx context.Context, r *rig) (string, error) {
				began := time.Now()
				gtf.FromContext(ctx).OnAbort(func(context.Context) error { r.trail.add("handler after %v", time.Since(began)); return nil })
				r.trail.add("%v", until(ctx))
				return "", tt.result
			}, func(r *rig) {
				h := r.schedule(nil)
				synctest.Wait()
				if err := r.c.Stop(r.Context()); err != nil {
					r.Error(err)
				}
				r.trail.want(r.T, "handler after 30s", gtf.ErrShutdown.Error())
				task := get(r.T, newClient(r.T, r.store, nil), h.ID)
				if task.Status != tt.want || task.Error != tt.reason {
					r.Errorf("the task is %s (%q), want %s (%q)", task.Status, task.Error, tt.want, tt.reason)
				}
			})
		})
	}

	t.Run("keeps its times although a claim hangs (S12.5)", func(t *testing.T) {
		t.Parallel()
		var stopping time.Time
		cut(t, nil, &gtf.DefineOpts[none]{}, func(ctx context.Context, r *rig) (string, error) {
			err := until(ctx)
			r.trail.add("%v after %v", err, time.Since(stopping))
			return "", err
		}, func(r *rig, b *brittle, worker *gtf.Client) {
			h := r.schedule(nil)
			r.after(time.Second)
			b.hangClaim.Store(true)
			r.schedule(&gtf.ScheduleOpts{Delay: time.Hour}) // wakes the worker: its claim hangs
			r.after(19 * time.Second)
			r.schedule(&gtf.ScheduleOpts{Delay: time.Hour})
			r.after(time.Second)
			stopping = time.Now()
			ctx, cancel := context.WithTimeout(r.Context(), 50*time.Second)
			defer cancel()
			if err := worker.Stop(ctx); err != nil {
				r.Error(err)
			}
			r.trail.want(r.T, gtf.ErrShutdown.Error()+" after 30s")
			wantStatus(r.T, r.c, h.ID, gtf.StatusFailure)
		})
	})

	t.Run("yields to a cancel that comes during the shutdown", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, nil, func(ctx context.Context, r *rig) (string, error) {
			gtf.FromContext(ctx).OnAbort(func(context.Context) error { time.Sleep(10 * time.Second); return nil })
			return "", until(ctx)
		}, func(r *rig) {
			h := r.schedule(nil)
			synctest.Wait()
			other := newClient(r.T, r.store, nil)
			go func() {
				time.Sleep(35 * time.Second)
				if _, err := other.Cancel(context.Background(), h.ID, nil); err != nil {
					r.Error(err)
				}
			}()
			if err := r.c.Stop(r.Context()); err != nil {
				r.Error(err)
			}
			wantStatus(r.T, other, h.ID, gtf.StatusAborted)
		})
	})

	t.Run("names what still runs when its context ends, and leaves it to the reaper (S12.5)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			release := make(chan struct{})
			r := newRig(t, nil, nil, func(context.Context, *rig) (string, error) { <-release; return "too late", nil })
			other := startClient(t, r.store, nil)
			if err := r.c.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			h := r.schedule(nil)
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
			defer cancel()
			err := r.c.Stop(ctx)
			if err == nil || !strings.Contains(err.Error(), h.ID.String()) {
				t.Errorf("Stop says %v, want the id of the task that still runs", err)
			}
			_, err = r.def.Attach(other, h.ID).Wait(t.Context())
			if e := wantTaskError(t, err, gtf.StatusFailure); e.Reason != "worker lost" {
				t.Errorf("the reason is %q, want worker lost", e.Reason)
			}
			close(release)
			synctest.Wait()
			wantStatus(t, other, h.ID, gtf.StatusFailure)
		})
	})

	t.Run("fails an inline task that waits between two attempts (S5.1)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			r := newRig(t, nil, &gtf.DefineOpts[none]{MaxAttempts: 3, Backoff: gtf.Backoff{Base: time.Hour, Max: time.Hour}},
				func(context.Context, *rig) (string, error) { return "", errors.New("broken") })
			h := must[*gtf.Handle[string]](t)(r.def.Start(t.Context(), r.c, none{}, nil))
			r.after(time.Second)
			if err := r.c.Stop(t.Context()); err != nil {
				t.Error(err)
			}
			task := get(t, newClient(t, r.store, nil), h.ID)
			if task.Status != gtf.StatusFailure || !strings.Contains(task.Error, "shutdown") {
				t.Errorf("the task is %s (%q), want a failure by the shutdown", task.Status, task.Error)
			}
		})
	})
}
