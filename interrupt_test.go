package gtf_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/sqlitestore"
)

type none struct{}

// rig is one client on a store in memory, inside a bubble, with one type whose function the test writes.
type rig struct {
	*testing.T
	store *sqlitestore.Store
	c     *gtf.Client
	def   *gtf.Definition[none, string]
	trail *trail
}

// trail is what happened, in order, by whoever says so.
type trail struct {
	mu    sync.Mutex
	steps []string
}

func (tr *trail) add(format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.steps = append(tr.steps, fmt.Sprintf(format, args...))
}

func (tr *trail) want(t *testing.T, want ...string) {
	t.Helper()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if !slices.Equal(tr.steps, want) {
		t.Errorf("what happened: %q, want %q", tr.steps, want)
	}
}

type function = func(ctx context.Context, r *rig) (string, error)

// rigged runs test in a bubble, with a started client.
func rigged(t *testing.T, cfg *gtf.Config, opts *gtf.DefineOpts[none], fn function, test func(r *rig)) {
	t.Helper()
	bubble(t, func(t *testing.T) {
		r := newRig(t, cfg, opts, fn)
		if err := r.c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		test(r)
	})
}

func newRig(t *testing.T, cfg *gtf.Config, opts *gtf.DefineOpts[none], fn function) *rig {
	t.Helper()
	r := &rig{T: t, trail: &trail{}, store: must[*sqlitestore.Store](t)(sqlitestore.Open(t.Context(), ":memory:", nil))}
	t.Cleanup(func() {
		if err := r.store.Close(); err != nil {
			t.Error(err)
		}
	})
	if opts == nil {
		opts = &gtf.DefineOpts[none]{}
	}
	opts.Scope = gtf.ScopeSystem
	r.def = gtf.Define[none, string]("test.task", opts)
	var own gtf.Config
	if cfg != nil {
		own = *cfg
	}
	own.Handlers = []gtf.Handler{r.def.Handler(func(ctx context.Context, _ none) (string, error) { return fn(ctx, r) })}
	r.c = newClient(t, r.store, &own)
	return r
}

func (r *rig) schedule(opts *gtf.ScheduleOpts) *gtf.Handle[string] {
	r.Helper()
	return must[*gtf.Handle[string]](r)(r.def.Schedule(r.Context(), r.c, none{}, opts))
}

// after lets time pass until every goroutine waits.
func (r *rig) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (r *rig) cancel(h *gtf.Handle[string]) {
	r.Helper()
	if _, err := h.Cancel(r.Context(), nil); err != nil {
		r.Fatalf("cancel: %v", err)
	}
}

// until blocks until ctx ends, and says why.
func until(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func TestAbort(t *testing.T) {
	t.Parallel()

	t.Run("runs the abort handlers last registered first, then ends the context, then cleans up (S6.4)", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, nil, func(ctx context.Context, r *rig) (string, error) {
			x := gtf.FromContext(ctx)
			for _, name := range []string{"one", "two"} {
				x.OnAbort(func(hctx context.Context) error {
					r.trail.add("abort %s, context ended: %v, handler's ended: %v", name, ctx.Err() != nil, hctx.Err() != nil)
					return nil
				})
				x.OnCleanup(func(context.Context) error { r.trail.add("clean up %s", name); return nil })
			}
			err := until(ctx)
			r.trail.add("returned: %v", err)
			return "", err
		}, func(r *rig) {
			h := r.schedule(nil)
			r.after(time.Second)
			r.cancel(h)
			_, err := h.Wait(r.Context())
			wantTaskError(r.T, err, gtf.StatusAborted)
			wantErr(r.T, "outcome", err, gtf.ErrAborted)
			r.trail.want(r.T, "abort two, context ended: false, handler's ended: false",
				"abort one, context ended: false, handler's ended: false", "returned: "+gtf.ErrAborted.Error(),
				"clean up two", "clean up one")
			task := get(r.T, r.c, h.ID)
			if task.AbortedBy.ID != gtf.HostName || task.AbortReason != gtf.AbortByUser || task.AbortedAt.IsZero() {
				r.Errorf("aborted by %+v, reason %q, at %v: want the host, user, a time", task.AbortedBy, task.AbortReason, task.AbortedAt)
			}
		})
	})

	t.Run("reaches a declared abortable function without a handler", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, &gtf.DefineOpts[none]{Abortable: true}, func(ctx context.Context, r *rig) (string, error) {
			return "", until(ctx)
		}, func(r *rig) {
			h := r.schedule(nil)
			r.after(time.Second)
			asked := time.Now()
			r.cancel(h)
			_, err := h.Wait(r.Context())
			wantTaskError(r.T, err, gtf.StatusAborted)
			if waited := time.Since(asked); waited != 0 {
				r.Errorf("the signal took %v, want no time", waited)
			}
		})
	})

	t.Run("is refused without a handler, and possible as soon as OnAbort has returned (S6.3)", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, nil, func(ctx context.Context, r *rig) (string, error) {
			time.Sleep(time.Minute)
			gtf.FromContext(ctx).OnAbort(func(context.Context) error { return nil })
			return "", until(ctx)
		}, func(r *rig) {
			h := r.schedule(nil)
			r.after(time.Second)
			_, err := h.Cancel(r.Context(), nil)
			wantErr(r.T, "cancel", err, gtf.ErrNotAbortable)
			r.after(time.Minute)
			r.cancel(h)
			_, err = h.Wait(r.Context())
			wantTaskError(r.T, err, gtf.StatusAborted)
		})
	})

	t.Run("of a function that ends normally all the same is aborted, if it was interrupted before (S3.5)", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, &gtf.DefineOpts[none]{Abortable: true}, func(ctx context.Context, r *rig) (string, error) {
			<-ctx.Done()
			return "half of it", nil
		}, func(r *rig) {
			h := r.schedule(nil)
			r.after(time.Second)
			r.cancel(h)
			_, err := h.Wait(r.Context())
			wantTaskError(r.T, err, gtf.StatusAborted)
			if task := get(r.T, r.c, h.ID); task.Result != nil {
				r.Errorf("an aborted task has the result %s", task.Result)
			}
		})
	})

	t.Run("that comes when the function is done leaves a success and runs no abort handler (S3.5)", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, nil, func(ctx context.Context, r *rig) (string, error) {
			x := gtf.FromContext(ctx)
			x.OnAbort(func(context.Context) error { r.trail.add("abort handler"); return nil })
			x.OnCleanup(func(context.Context) error {
				_, err := r.c.Cancel(context.Background(), x.ID(), nil) // as late as can be: the function has returned
				r.trail.add("cancelled: %v", err)
				return nil
			})
			return "done", nil
		}, func(r *rig) {
			out, err := r.schedule(nil).Wait(r.Context())
			if out != "done" || err != nil {
				r.Errorf("the outcome is %q, %v, want done", out, err)
			}
			r.trail.want(r.T, "cancelled: <nil>")
		})
	})

	t.Run("that comes last is never turned into another attempt (S3.5)", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, &gtf.DefineOpts[none]{Abortable: true, MaxAttempts: 5}, func(ctx context.Context, r *rig) (string, error) {
			x := gtf.FromContext(ctx)
			x.OnCleanup(func(context.Context) error {
				_, err := r.c.Cancel(context.Background(), x.ID(), nil)
				return err
			})
			return "", errors.New("broken")
		}, func(r *rig) {
			_, err := r.schedule(nil).Wait(r.Context())
			if e := wantTaskError(r.T, err, gtf.StatusFailure); e.Reason != "broken" {
				r.Errorf("the reason is %q, want the function's error", e.Reason)
			}
		})
	})

	t.Run("registered after the interruption runs the handler at once", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, &gtf.DefineOpts[none]{Abortable: true}, func(ctx context.Context, r *rig) (string, error) {
			<-ctx.Done()
			gtf.FromContext(ctx).OnAbort(func(context.Context) error { r.trail.add("late handler"); return nil })
			r.trail.add("OnAbort returned")
			return "", nil
		}, func(r *rig) {
			h := r.schedule(nil)
			r.after(time.Second)
			r.cancel(h)
			_, err := h.Wait(r.Context())
			wantTaskError(r.T, err, gtf.StatusAborted)
			r.trail.want(r.T, "late handler", "OnAbort returned")
		})
	})

	t.Run("registered while the handlers run is run with them", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, nil, func(ctx context.Context, r *rig) (string, error) {
			x := gtf.FromContext(ctx)
			began := make(chan struct{})
			x.OnAbort(func(context.Context) error {
				close(began)
				time.Sleep(time.Second)
				r.trail.add("first")
				return nil
			})
			<-began
			x.OnAbort(func(context.Context) error { r.trail.add("second, context ended: %v", ctx.Err() != nil); return nil })
			return "", until(ctx)
		}, func(r *rig) {
			h := r.schedule(nil)
			r.after(time.Second)
			r.cancel(h)
			_, err := h.Wait(r.Context())
			wantTaskError(r.T, err, gtf.StatusAborted)
			r.trail.want(r.T, "first", "second, context ended: false")
		})
	})

	t.Run("waits for handlers when the function returns meanwhile", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, nil, func(ctx context.Context, r *rig) (string, error) {
			x := gtf.FromContext(ctx)
			back := make(chan struct{})
			x.OnAbort(func(context.Context) error { r.trail.add("registered first"); return nil })
			x.OnAbort(func(context.Context) error {
				close(back)
				time.Sleep(5 * time.Second)
				r.trail.add("slow handler")
				return nil
			})
			x.OnCleanup(func(context.Context) error { r.trail.add("clean up"); return nil })
			<-back
			return "", nil
		}, func(r *rig) {
			h := r.schedule(nil)
			r.after(time.Second)
			r.cancel(h)
			_, err := h.Wait(r.Context())
			wantTaskError(r.T, err, gtf.StatusAborted)
			r.trail.want(r.T, "slow handler", "registered first", "clean up")
		})
	})

	t.Run("by a handler that hangs ends the context after the handler timeout and fails (S6.4)", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, nil, func(ctx context.Context, r *rig) (string, error) {
			x := gtf.FromContext(ctx)
			x.OnAbort(func(context.Context) error { r.trail.add("the other is attempted all the same"); return nil })
			x.OnAbort(func(hctx context.Context) error {
				<-hctx.Done()
				time.Sleep(time.Second) // and even ignores its own context for a while
				return nil
			})
			began := time.Now()
			<-ctx.Done()
			r.trail.add("context ended after %v", time.Since(began))
			return "", nil
		}, func(r *rig) {
			h := r.schedule(nil)
			synctest.Wait()
			r.cancel(h)
			_, err := h.Wait(r.Context())
			if e := wantTaskError(r.T, err, gtf.StatusFailure); !strings.Contains(e.Reason, "abort handler: not done within 30s") {
				r.Errorf("the reason is %q, want it to name the abort handler and its limit", e.Reason)
			}
		})
	})
}

func TestAbortAndCleanup(t *testing.T) {
	t.Parallel()

	t.Run("are all attempted, and every failure is told in order, the function's first (S6.5)", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, &gtf.DefineOpts[none]{MaxAttempts: 3}, func(ctx context.Context, r *rig) (string, error) {
			x := gtf.FromContext(ctx)
			x.OnAbort(func(context.Context) error { runtime.Goexit(); return nil })
			x.OnAbort(func(context.Context) error { panic("no query") })
			x.OnCleanup(func(context.Context) error { r.trail.add("last"); return nil })
			x.OnCleanup(func(context.Context) error { return errors.New("file is gone") })
			<-ctx.Done()
			return "", errors.New("half written")
		}, func(r *rig) {
			h := r.schedule(nil)
			r.after(time.Second)
			r.cancel(h)
			_, err := h.Wait(r.Context())
			e := wantTaskError(r.T, err, gtf.StatusFailure)
			want := "half written; abort handler: panic: no query; abort handler: runtime.Goexit was called; cleanup handler: file is gone"
			if e.Reason != want {
				r.Errorf("the reason is\n%q, want\n%q", e.Reason, want)
			}
			r.trail.want(r.T, "last")
			if task := get(r.T, r.c, h.ID); !strings.Contains(task.Stack, "interrupt_test.go") {
				r.Errorf("the stack of the panic is %q, want it to name this file", task.Stack)
			}
		})
	})

	t.Run("that fail turn a success into a failure, which is not retried (S3.5)", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, &gtf.DefineOpts[none]{MaxAttempts: 3}, func(ctx context.Context, r *rig) (string, error) {
			r.trail.add("run")
			gtf.FromContext(ctx).OnCleanup(func(context.Context) error { return errors.New("disk full") })
			return "fine", nil
		}, func(r *rig) {
			_, err := r.schedule(nil).Wait(r.Context())
			if e := wantTaskError(r.T, err, gtf.StatusFailure); e.Reason != "cleanup handler: disk full" {
				r.Errorf("the reason is %q", e.Reason)
			}
			r.trail.want(r.T, "run")
		})
	})

	t.Run("registered after the function has returned are ignored", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, nil, func(ctx context.Context, r *rig) (string, error) {
			x := gtf.FromContext(ctx)
			x.OnCleanup(func(context.Context) error {
				x.OnAbort(func(context.Context) error { r.trail.add("abort"); return nil })
				x.OnCleanup(func(context.Context) error { r.trail.add("clean up"); return nil })
				return nil
			})
			return "", nil
		}, func(r *rig) {
			if _, err := r.schedule(nil).Wait(r.Context()); err != nil {
				r.Error(err)
			}
			r.trail.want(r.T)
		})
	})

	t.Run("may report: what they say is in the final write", func(t *testing.T) {
		t.Parallel()
		rigged(t, nil, nil, func(ctx context.Context, r *rig) (string, error) {
			x := gtf.FromContext(ctx)
			x.OnCleanup(func(hctx context.Context) error {
				gtf.FromContext(hctx).Count(7)
				return x.Payload(map[string]any{"closed": true})
			})
			return "", nil
		}, func(r *rig) {
			h := r.schedule(nil)
			if _, err := h.Wait(r.Context()); err != nil {
				r.Error(err)
			}
			task := get(r.T, r.c, h.ID)
			if task.Progress.String() != "7 processed" || string(task.Payload) != `{"closed":true}` {
				r.Errorf("the task has progress %q and payload %s", task.Progress, task.Payload)
			}
		})
	})
}
