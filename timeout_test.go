package gtf_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/globaltask/gtf"
)

var errStore = errors.New("the store is away")

// brittle is a store that can be cut off, whole or in parts.
type brittle struct {
	gtf.Store
	down       atomic.Bool // everything that the executing side does
	downExpire atomic.Bool
	downFinish atomic.Bool
	downBeat   atomic.Bool
	downUpdate atomic.Bool
	hangClaim  atomic.Bool  // claims wait for the end of their context
	muteClaim  atomic.Bool  // the next claim is done, but its answer is lost
	calls      atomic.Int64 // refused
}

func (b *brittle) refuse(flag *atomic.Bool) error {
	if b.down.Load() || flag.Load() {
		b.calls.Add(1)
		return errStore
	}
	return nil
}

func (b *brittle) Expire(ctx context.Context, ref gtf.Ref) (bool, error) {
	if err := b.refuse(&b.downExpire); err != nil {
		return false, err
	}
	return b.Store.Expire(ctx, ref)
}

func (b *brittle) Finish(ctx context.Context, f []gtf.Finish) ([]gtf.Finished, error) {
	if err := b.refuse(&b.downFinish); err != nil {
		return nil, err
	}
	return b.Store.Finish(ctx, f)
}

func (b *brittle) Update(ctx context.Context, u []gtf.Update) ([]bool, error) {
	if err := b.refuse(&b.downUpdate); err != nil {
		return nil, err
	}
	return b.Store.Update(ctx, u)
}

func (b *brittle) Beat(ctx context.Context, id string, running int) (bool, error) {
	if err := b.refuse(&b.downBeat); err != nil {
		return false, err
	}
	return b.Store.Beat(ctx, id, running)
}

func (b *brittle) Register(ctx context.Context, w *gtf.Worker) error {
	if err := b.refuse(&b.downBeat); err != nil {
		return err
	}
	return b.Store.Register(ctx, w)
}

func (b *brittle) Held(ctx context.Context, id string) ([]gtf.Held, error) {
	if err := b.refuse(&b.downBeat); err != nil {
		return nil, err
	}
	return b.Store.Held(ctx, id)
}

func (b *brittle) Claim(ctx context.Context, p *gtf.ClaimParams) (*gtf.Claimed, error) {
	if err := b.refuse(&b.down); err != nil {
		return nil, err
	}
	if b.hangClaim.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	claimed, err := b.Store.Claim(ctx, p)
	if err == nil && len(claimed.Jobs) > 0 && b.muteClaim.CompareAndSwap(true, false) {
		return nil, errStore
	}
	return claimed, err
}

// cut is a rig whose client works through a brittle store; r.c sees the store as it is.
func cut(t *testing.T, cfg *gtf.Config, opts *gtf.DefineOpts[none], fn function, test func(r *rig, b *brittle, worker *gtf.Client)) {
	t.Helper()
	bubble(t, func(t *testing.T) {
		r := newRig(t, nil, opts, fn)
		b := &brittle{Store: r.store}
		var own gtf.Config
		if cfg != nil {
			own = *cfg
		}
		own.Signals = r.store.Signals()
		own.Handlers = []gtf.Handler{r.def.Handler(func(ctx context.Context, _ none) (string, error) { return fn(ctx, r) })}
		worker := startClient(t, b, &own)
		test(r, b, worker)
	})
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	limit := func(opts gtf.DefineOpts[none]) *gtf.DefineOpts[none] {
		opts.Timeout = time.Minute
		return &opts
	}

	t.Run("of a task with a handler runs it, ends the context with ErrTimedOut and ends in timed_out (S8.1)", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, limit(gtf.DefineOpts[none]{MaxAttempts: 3}), func(ctx context.Context, r *rig) (string, error) {
			began := time.Now()
			gtf.FromContext(ctx).OnAbort(func(context.Context) error { r.trail.add("handler after %v", time.Since(began)); return nil })
			err := until(ctx)
			r.trail.add("%v", err)
			return "", err
		}, func(r *rig) {
			h := r.schedule(nil)
			_, err := h.Wait(r.Context())
			wantErr(r.T, "outcome", err, gtf.ErrTimedOut)
			r.trail.want(r.T, "handler after 1m0s", gtf.ErrTimedOut.Error())
			if task := get(r.T, r.c, h.ID); task.AbortReason != gtf.AbortByTimeout || task.Attempt != 1 {
				r.Errorf("abort reason %q in attempt %d, want timeout, not retried", task.AbortReason, task.Attempt)
			}
		})
	})

	t.Run("is an override away, or off with None (S2.4)", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, limit(gtf.DefineOpts[none]{Abortable: true}), func(ctx context.Context, r *rig) (string, error) {
			select {
			case <-ctx.Done():
				return "", context.Cause(ctx)
			case <-time.After(2 * time.Minute):
				return "done", nil
			}
		}, func(r *rig) {
			_, err := r.schedule(&gtf.ScheduleOpts{Timeout: time.Second}).Wait(r.Context())
			wantErr(r.T, "with a shorter limit", err, gtf.ErrTimedOut)
			_, err = r.schedule(&gtf.ScheduleOpts{Timeout: gtf.None}).Wait(r.Context())
			wantErr(r.T, "without a limit", err, nil)
		})
	})

	t.Run("with a failing handler is a failure (S8.1)", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, limit(gtf.DefineOpts[none]{}), func(ctx context.Context, r *rig) (string, error) {
			gtf.FromContext(ctx).OnAbort(func(context.Context) error { return errors.New("cannot kill") })
			return "", until(ctx)
		}, func(r *rig) {
			_, err := r.schedule(nil).Wait(r.Context())
			if e := wantTaskError(r.T, err, gtf.StatusFailure); e.Reason != "abort handler: cannot kill" {
				r.Errorf("the reason is %q", e.Reason)
			}
		})
	})

	t.Run("of a task that cannot be aborted warns once and lets it succeed (S8.2)", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, limit(gtf.DefineOpts[none]{}), func(ctx context.Context, r *rig) (string, error) {
			time.Sleep(3 * time.Minute)
			return "late", ctx.Err()
		}, func(r *rig) {
			h := r.schedule(nil)
			r.after(2 * time.Minute)
			if task := get(r.T, r.c, h.ID); !task.TimeoutWarning || task.Status != gtf.StatusInProgress {
				r.Errorf("status %s with warning %v, want a warning on a running task", task.Status, task.TimeoutWarning)
			}
			out, err := h.Wait(r.Context())
			if out != "late" || err != nil {
				r.Errorf("the outcome is %q, %v, want a success", out, err)
			}
		})
	})

	t.Run("that passed acts when the first handler is registered (S8.2)", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, limit(gtf.DefineOpts[none]{}), func(ctx context.Context, r *rig) (string, error) {
			time.Sleep(2 * time.Minute)
			gtf.FromContext(ctx).OnAbort(func(context.Context) error { r.trail.add("handler"); return nil })
			return "", until(ctx)
		}, func(r *rig) {
			_, err := r.schedule(nil).Wait(r.Context())
			wantErr(r.T, "outcome", err, gtf.ErrTimedOut)
			r.trail.want(r.T, "handler")
		})
	})

	t.Run("after the function has returned does nothing (S8.3)", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, limit(gtf.DefineOpts[none]{Abortable: true}), func(ctx context.Context, r *rig) (string, error) {
			gtf.FromContext(ctx).OnCleanup(func(context.Context) error { time.Sleep(10 * time.Second); return nil })
			time.Sleep(55 * time.Second)
			return "in time", nil
		}, func(r *rig) {
			out, err := r.schedule(nil).Wait(r.Context())
			if out != "in time" || err != nil {
				r.Errorf("the outcome is %q, %v, want a success", out, err)
			}
		})
	})

	t.Run("while an abort is in hand does nothing: aborted (S8.3)", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, limit(gtf.DefineOpts[none]{}), func(ctx context.Context, r *rig) (string, error) {
			gtf.FromContext(ctx).OnAbort(func(context.Context) error { time.Sleep(20 * time.Second); r.trail.add("handler"); return nil })
			err := until(ctx)
			r.trail.add("%v", err)
			return "", err
		}, func(r *rig) {
			h := r.schedule(nil)
			r.after(50 * time.Second)
			r.cancel(h)
			_, err := h.Wait(r.Context())
			wantErr(r.T, "outcome", err, gtf.ErrAborted)
			r.trail.want(r.T, "handler", gtf.ErrAborted.Error())
		})
	})

	t.Run("first, then an abort: timed_out (S8.3)", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, limit(gtf.DefineOpts[none]{}), func(ctx context.Context, r *rig) (string, error) {
			gtf.FromContext(ctx).OnAbort(func(context.Context) error { time.Sleep(20 * time.Second); r.trail.add("handler"); return nil })
			return "", until(ctx)
		}, func(r *rig) {
			h := r.schedule(nil)
			r.after(70 * time.Second)
			r.cancel(h) // aborting already: fine, nothing changes
			_, err := h.Wait(r.Context())
			wantErr(r.T, "outcome", err, gtf.ErrTimedOut)
			r.trail.want(r.T, "handler")
			if task := get(r.T, r.c, h.ID); !task.AbortedBy.IsZero() {
				r.Errorf("aborted by %+v, want nobody: the limit came first", task.AbortedBy)
			}
		})
	})

	t.Run("whose write errors is tried again until it wins (S8.1)", func(t *testing.T) {
		t.Parallel()
		cut(t, nil, limit(gtf.DefineOpts[none]{Abortable: true}), func(ctx context.Context, r *rig) (string, error) {
			return "", until(ctx)
		}, func(r *rig, b *brittle, _ *gtf.Client) {
			b.downExpire.Store(true)
			h := r.schedule(nil)
			r.after(70 * time.Second)
			if n := b.calls.Load(); n < 2 {
				r.Errorf("tried %d times, want again and again", n)
			}
			b.downExpire.Store(false)
			_, err := h.Wait(r.Context())
			wantErr(r.T, "outcome", err, gtf.ErrTimedOut)
		})
	})

	t.Run("whose write errors until the function returns does nothing (S8.3)", func(t *testing.T) {
		t.Parallel()
		cut(t, nil, limit(gtf.DefineOpts[none]{Abortable: true}), func(ctx context.Context, r *rig) (string, error) {
			time.Sleep(65 * time.Second)
			return "done", ctx.Err()
		}, func(r *rig, b *brittle, _ *gtf.Client) {
			b.downExpire.Store(true)
			out, err := r.schedule(nil).Wait(r.Context())
			if out != "done" || err != nil {
				r.Errorf("the outcome is %q, %v, want a success", out, err)
			}
		})
	})

	t.Run("whose write lost against an abort leaves the abort (S8.3)", func(t *testing.T) {
		t.Parallel()
		cut(t, nil, limit(gtf.DefineOpts[none]{Abortable: true}), func(ctx context.Context, r *rig) (string, error) {
			return "", until(ctx)
		}, func(r *rig, b *brittle, _ *gtf.Client) {
			h := r.schedule(nil)
			r.after(59 * time.Second)
			b.downBeat.Store(true) // the abort is not noticed by itself
			if _, err := r.store.Cancel(r.Context(), h.ID, func(*gtf.Task) (gtf.Deed, error) {
				return gtf.Deed{Kind: gtf.DeedAbort, By: gtf.Principal{ID: "ada"}}, nil
			}); err != nil {
				r.Fatal(err)
			}
			b.downBeat.Store(false)
			_, err := h.Wait(r.Context())
			wantErr(r.T, "outcome", err, gtf.ErrAborted)
		})
	})

	t.Run("counts from the start of each attempt (S8.1)", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, limit(gtf.DefineOpts[none]{Abortable: true, MaxAttempts: 2}), func(ctx context.Context, r *rig) (string, error) {
			select {
			case <-ctx.Done():
				return "", context.Cause(ctx)
			case <-time.After(50 * time.Second):
			}
			if gtf.FromContext(ctx).Attempt() == 1 {
				return "", errors.New("once more")
			}
			return "done", nil
		}, func(r *rig) {
			if _, err := r.schedule(nil).Wait(r.Context()); err != nil {
				r.Error(err)
			}
		})
	})

	t.Run("of the queue ends what was never claimed, and not what was retried (S8.4)", func(t *testing.T) {
		t.Parallel()
		rigged(t, &gtf.Config{Queues: map[string]int{"default": 1}, Backoff: gtf.Backoff{Base: time.Hour, Max: time.Hour}},
			&gtf.DefineOpts[none]{MaxQueueTime: time.Minute, MaxAttempts: 2}, func(ctx context.Context, r *rig) (string, error) {
				r.trail.add("ran")
				if gtf.FromContext(ctx).Attempt() == 1 {
					time.Sleep(5 * time.Minute)
					return "", errors.New("once more")
				}
				return "done", nil
			}, func(r *rig) {
				first := r.schedule(nil)
				r.after(time.Second)
				second := r.schedule(nil)
				_, err := second.Wait(r.Context())
				e := wantTaskError(r.T, err, gtf.StatusTimedOut)
				if !strings.Contains(e.Reason, "queue") {
					r.Errorf("the reason is %q, want it to tell of the queue", e.Reason)
				}
				if _, err := first.Wait(r.Context()); err != nil {
					r.Error(err)
				}
				r.trail.want(r.T, "ran", "ran")
			})
	})
}
