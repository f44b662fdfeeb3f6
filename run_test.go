package gtf_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf"
)

func TestRun(t *testing.T) {
	t.Parallel()
	t.Run("returns the typed output, of a task that is there and claimed at once (S5.1, S5.3)", func(t *testing.T) {
		t.Parallel()
		type pair struct{ A, B int }
		def := gtf.Define[pair, pair]("test.pair", nil)
		var c *gtf.Client
		var seen *gtf.Task
		c = newClient(t, open(t), &gtf.Config{Handlers: []gtf.Handler{def.Handler(func(ctx context.Context, in pair) (pair, error) {
			seen = get(t, c, gtf.FromContext(ctx).ID())
			return pair{in.B, in.A}, nil
		})}})
		out, err := def.Run(as(t.Context(), "ada"), c, pair{1, 2}, &gtf.RunOpts{Key: "key", Name: "Pair", Timeout: time.Hour})
		if err != nil || out != (pair{2, 1}) {
			t.Fatalf("got %v, %v", out, err)
		}
		if seen.Status != gtf.StatusInProgress || seen.Mode != gtf.ModeSync || seen.Attempt != 1 || seen.Worker == "" || seen.StartedAt.IsZero() {
			t.Errorf("while it ran it was %s, %s, attempt %d of %q", seen.Status, seen.Mode, seen.Attempt, seen.Worker)
		}
		task := get(t, c, seen.ID)
		if task.Status != gtf.StatusSuccess || task.Key != "key" || task.Name != "Pair" || task.Timeout != time.Hour || string(task.Result) != `{"A":2,"B":1}` {
			t.Errorf("after it ran it is %+v", task)
		}
	})
	t.Run("needs a handler in this client (S2.2)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		_, err := privateWork.Run(as(t.Context(), "ada"), c, "key", nil)
		wantProblems(t, err, "type")
		wantNothing(t, c)
	})
	t.Run("never matches the function's own error, nor a context's, here or by a worker (S5.3)", func(t *testing.T) {
		t.Parallel()
		own := errors.New("own")
		tests := map[string]error{
			"own": own, "wrapped": fmt.Errorf("while working: %w", own), "canceled": context.Canceled,
			"deadline": fmt.Errorf("ask the database: %w", context.DeadlineExceeded), "aborted": gtf.ErrAborted, "timed out": gtf.ErrTimedOut,
			"not found": gtf.ErrNotFound, "fenced": gtf.ErrFenced, "outcome": &gtf.TaskError{Status: gtf.StatusAborted},
		}
		c := startClient(t, open(t), executes(func(_ context.Context, in string) (string, error) { return "lost", tests[in] }))
		ctx := as(t.Context(), "ada")
		for in, fails := range tests {
			_, inline := privateWork.Run(ctx, c, in, nil)
			_, worker := schedule(ctx, t, c, privateWork, in, nil).Wait(ctx)
			for where, err := range map[string]error{"inline": inline, "by a worker": worker} {
				outcome := wantTaskError(t, err, gtf.StatusFailure)
				if outcome.Reason != fails.Error() || outcome.Type != privateWork.Type() || outcome.ID.IsZero() {
					t.Errorf("%s, %s: got %+v", in, where, outcome)
				}
				if !errors.Is(err, gtf.ErrFailed) {
					t.Errorf("%s, %s: %v does not match ErrFailed", in, where, err)
				}
				for _, never := range []error{own, context.Canceled, context.DeadlineExceeded, gtf.ErrAborted, gtf.ErrTimedOut, gtf.ErrNotFound, gtf.ErrFenced} {
					if errors.Is(err, never) {
						t.Errorf("%s, %s: %v matches %v", in, where, err, never)
					}
				}
				for _, part := range []string{outcome.ID.String(), outcome.Type, "failure", fails.Error()} {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("%s, %s: %q does not name %q", in, where, err, part)
					}
				}
			}
		}
	})
	t.Run("gives the function a context of its own (S5.4)", func(t *testing.T) {
		t.Parallel()
		type key struct{}
		c := newClient(t, open(t), executes(func(ctx context.Context, _ string) (string, error) {
			if _, limited := ctx.Deadline(); limited {
				t.Error("the context has a deadline")
			}
			if ctx.Value(key{}) != nil {
				t.Error("the context carries what the caller's did")
			}
			if p, ok := gtf.PrincipalFrom(ctx); !ok || p != ada {
				t.Errorf("the context carries %+v, want ada", p)
			}
			if x := gtf.FromContext(ctx); x.ID().IsZero() || x.Type() != privateWork.Type() || x.Attempt() != 1 {
				t.Errorf("the context carries the execution %v %q %d", x.ID(), x.Type(), x.Attempt())
			}
			return "", ctx.Err()
		}))
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "value"), time.Hour)
		defer cancel()
		must[string](t)(privateWork.Run(asOne(ctx, ada), c, "key", &gtf.RunOpts{Timeout: time.Hour}))
	})
	t.Run("that is tried again waits here, and no worker takes it (S5.1, S5.7)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := open(t)
			var elsewhere atomic.Int32
			startClient(t, store, executes(func(context.Context, string) (string, error) { elsewhere.Add(1); return "", nil }))
			cfg := executes(func(ctx context.Context, in string) (string, error) {
				if gtf.FromContext(ctx).Attempt() < 3 {
					return "", errors.New("not yet")
				}
				return in, nil
			})
			cfg.Backoff = gtf.Backoff{Base: 5 * time.Minute, Max: 5 * time.Minute}
			c := newClient(t, store, cfg)
			h := must[*gtf.Handle[string]](t)(privateWork.Start(as(t.Context(), "ada"), c, "key", &gtf.RunOpts{MaxAttempts: 3}))
			synctest.Wait()
			wantStatus(t, c, h.ID, gtf.StatusPending)
			if out, err := h.Wait(t.Context()); out != "key" || err != nil || elsewhere.Load() != 0 {
				t.Errorf("got %q, %v, and %d runs elsewhere", out, err, elsewhere.Load())
			}
			if task := get(t, c, h.ID); task.Attempt != 3 || len(task.Attempts) != 2 || task.Attempts[0].Error != "not yet" {
				t.Errorf("attempt %d after %+v, want the third after two", task.Attempt, task.Attempts)
			}
		})
	})
}

func TestRunJoins(t *testing.T) {
	t.Parallel()
	for how, want := range map[string]gtf.Status{"work": gtf.StatusSuccess, "fail": gtf.StatusFailure, "abort": gtf.StatusAborted} {
		for _, runs := range []bool{false, true} {
			name := "a scheduled"
			if runs {
				name = "a running"
			}
			t.Run(name+" task, and returns its outcome: "+string(want)+" (S5.2)", func(t *testing.T) {
				t.Parallel()
				bubble(t, func(t *testing.T) {
					c := newClient(t, open(t), executes(func(ctx context.Context, in string) (string, error) {
						gtf.FromContext(ctx).OnAbort(func(context.Context) error { return nil })
						select {
						case <-time.After(time.Minute):
						case <-ctx.Done():
							return "", ctx.Err()
						}
						if in == "fail" {
							return "", errors.New("did not work")
						}
						return "output of the first", nil
					}))
					opts := &gtf.RunOpts{Key: "key"}
					h := schedule(as(t.Context(), "ada"), t, c, sharedWork, how, &gtf.ScheduleOpts{Key: "key"})
					if runs {
						if err := c.Start(t.Context()); err != nil {
							t.Fatal(err)
						}
						synctest.Wait()
					}
					joined := must[*gtf.Handle[string]](t)(sharedWork.Start(as(t.Context(), "grace"), c, "another input", opts))
					if joined.ID != h.ID || !joined.Joined {
						t.Fatalf("did not join")
					}
					if how == "abort" {
						must[*gtf.Canceled](t)(h.Cancel(asAdmin(t.Context(), "root"), &byForce))
					}
					_ = c.Start(t.Context()) // if it is not yet
					out, err := joined.Wait(t.Context())
					if want == gtf.StatusSuccess {
						if out != "output of the first" || err != nil {
							t.Errorf("got %q, %v", out, err)
						}
						return
					}
					wantTaskError(t, err, want)
				})
			})
		}
	}
}

func TestRunWaitError(t *testing.T) {
	t.Parallel()
	t.Run("the caller's context ends first, and the task goes on (S5.2)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			c := newClient(t, open(t), executes(minute))
			ctx, cancel := context.WithTimeout(as(t.Context(), "ada"), time.Second)
			defer cancel()
			_, err := privateWork.Run(ctx, c, "key", nil)
			var stopped *gtf.WaitError
			if !errors.As(err, &stopped) || !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v, want a *WaitError of the context's error", err)
			}
			if errors.As(err, new(*gtf.TaskError)) || errors.Is(err, gtf.ErrFailed) {
				t.Errorf("%v is taken for the outcome of the task", err)
			}
			wantStatus(t, c, stopped.ID, gtf.StatusInProgress)
			if out, err := privateWork.Attach(c, stopped.ID).Wait(t.Context()); out != "key" || err != nil {
				t.Errorf("the task ended with %q, %v", out, err)
			}
		})
	})
	t.Run("a joined Run's too, and the caller stays subscribed (S5.2)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			c := startClient(t, open(t), executes(minute))
			h := schedule(as(t.Context(), "ada"), t, c, sharedWork, "key", nil)
			ctx, cancel := context.WithCancel(as(t.Context(), "grace"))
			time.AfterFunc(time.Second, cancel)
			_, err := sharedWork.Run(ctx, c, "key", nil)
			var stopped *gtf.WaitError
			if !errors.As(err, &stopped) || !errors.Is(err, context.Canceled) || stopped.ID != h.ID {
				t.Errorf("got %v, want a *WaitError for %s", err, h.ID)
			}
			must[string](t)(h.Wait(t.Context()))
			if got := subscribers(get(t, c, h.ID)); !slices.Equal(got, []string{"user/ada", "user/grace"}) {
				t.Errorf("subscribers are %v", got)
			}
		})
	})
	t.Run("only Cancel stops what goes on (S5.2)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			c := newClient(t, open(t), executes(untilAborted))
			ctx, cancel := context.WithTimeout(as(t.Context(), "ada"), time.Second)
			defer cancel()
			_, err := privateWork.Run(ctx, c, "key", nil)
			var stopped *gtf.WaitError
			if !errors.As(err, &stopped) {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			wantStatus(t, c, stopped.ID, gtf.StatusInProgress)
			must[*gtf.Canceled](t)(c.Cancel(as(t.Context(), "ada"), stopped.ID, nil))
			_, err = c.Attach(stopped.ID).Wait(t.Context())
			wantTaskError(t, err, gtf.StatusAborted)
		})
	})
}

func TestRunSelfJoin(t *testing.T) {
	t.Parallel()
	// nest runs the first key, which runs the next, and so on; out is what the innermost Run returned.
	nest := func(t *testing.T, submit func(c *gtf.Client, in string) error, keys ...string) error {
		t.Helper()
		var c *gtf.Client
		var innermost error
		c = startClient(t, open(t), executes(func(ctx context.Context, in string) (string, error) {
			depth := strings.Count(in, "/")
			if depth+1 == len(keys) {
				return "", nil
			}
			_, err := sharedWork.Run(ctx, c, in+"/", &gtf.RunOpts{Key: keys[depth+1]})
			if depth+2 == len(keys) {
				innermost = err
			}
			return "", nil
		}))
		if err := submit(c, ""); err != nil {
			t.Errorf("the outermost: %v", err)
		}
		return innermost
	}
	inline := func(c *gtf.Client, in string) error {
		_, err := sharedWork.Run(context.Background(), c, in, &gtf.RunOpts{Key: "a"})
		return err
	}
	worker := func(c *gtf.Client, in string) error {
		h, err := sharedWork.Schedule(context.Background(), c, in, &gtf.ScheduleOpts{Key: "a"})
		if err == nil {
			_, err = h.Wait(context.Background())
		}
		return err
	}
	tests := []struct {
		name   string
		submit func(*gtf.Client, string) error
		keys   []string
		want   error
	}{
		{"its own task", inline, []string{"a", "a"}, gtf.ErrSelfJoin},
		{"its own task, by a worker", worker, []string{"a", "a"}, gtf.ErrSelfJoin},
		{"its parent", inline, []string{"a", "b", "a"}, gtf.ErrSelfJoin},
		{"its grandparent, by a worker", worker, []string{"a", "b", "c", "a"}, gtf.ErrSelfJoin},
		{"the middle of its ancestors", inline, []string{"a", "b", "c", "b"}, gtf.ErrSelfJoin},
		{"nothing", inline, []string{"a", "b", "c"}, nil},
	}
	for _, tt := range tests {
		t.Run("a Run that would join "+tt.name+" (S5.2)", func(t *testing.T) {
			t.Parallel()
			wantErr(t, "the innermost Run", nest(t, tt.submit, tt.keys...), tt.want)
		})
	}
	t.Run("a Run inside a task joins another that runs beside it (S5.2)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			var c *gtf.Client
			c = startClient(t, open(t), executes(func(ctx context.Context, in string) (string, error) {
				if in == "outer" {
					return sharedWork.Run(ctx, c, "inner", nil)
				}
				time.Sleep(time.Minute)
				return "of " + in, nil
			}))
			inner := schedule(t.Context(), t, c, sharedWork, "inner", nil)
			synctest.Wait()
			if out := must[string](t)(sharedWork.Run(t.Context(), c, "outer", nil)); out != "of inner" {
				t.Errorf("got %q", out)
			}
			if task := get(t, c, inner.ID); task.DedupeCount != 1 {
				t.Errorf("joined %d times, want once", task.DedupeCount)
			}
		})
	})
}

// A client that is not started runs inline, and the others know that it lives (S12.1).
func TestRunInAClientThatIsNotStarted(t *testing.T) {
	t.Parallel()
	t.Run("beats as long as it runs anything (S12.1)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := open(t)
			keeper := startClient(t, store, nil)
			c := newClient(t, store, executes(func(_ context.Context, in string) (string, error) { time.Sleep(time.Hour); return in, nil }))
			h := must[*gtf.Handle[string]](t)(privateWork.Start(as(t.Context(), "ada"), c, "key", nil))
			time.Sleep(30 * time.Minute)
			task, workers := get(t, c, h.ID), must[[]gtf.Worker](t)(keeper.Workers(t.Context()))
			if len(workers) != 2 {
				t.Fatalf("%d workers, want two", len(workers))
			}
			for _, w := range workers {
				if w.Lost || w.Silence > 5*time.Second || (w.ID == task.Worker) != (w.Running == 1) || (w.ID == task.Worker) != (len(w.Queues) == 0) {
					t.Errorf("the worker is %+v, the task is with %s", w, task.Worker)
				}
			}
			if out, err := h.Wait(t.Context()); out != "key" || err != nil {
				t.Errorf("got %q, %v", out, err)
			}
			time.Sleep(time.Minute)
			if n := len(must[[]gtf.Worker](t)(keeper.Workers(t.Context()))); n != 1 {
				t.Errorf("a minute later there are %d workers, want the one that is started", n)
			}
			if out, err := privateWork.Run(as(t.Context(), "ada"), c, "again", nil); out != "again" || err != nil {
				t.Errorf("the next Run got %q, %v", out, err)
			}
		})
	})
	t.Run("is cancelled from another process (S9.5)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := open(t)
			c, other := newClient(t, store, executes(untilAborted)), newClient(t, store, nil)
			h := must[*gtf.Handle[string]](t)(privateWork.Start(as(t.Context(), "ada"), c, "key", nil))
			time.Sleep(time.Minute)
			asked := time.Now()
			must[*gtf.Canceled](t)(other.Cancel(as(t.Context(), "ada"), h.ID, nil))
			_, err := h.Wait(t.Context())
			wantTaskError(t, err, gtf.StatusAborted)
			if took := time.Since(asked); took > 10*time.Millisecond {
				t.Errorf("the abort took %v", took)
			}
		})
	})
	t.Run("is stopped by Stop, and the task fails though attempts are left (S5.1, S12.5)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := open(t)
			c, other := newClient(t, store, executes(untilAborted)), newClient(t, store, nil)
			h := must[*gtf.Handle[string]](t)(privateWork.Start(as(t.Context(), "ada"), c, "key", &gtf.RunOpts{MaxAttempts: 3}))
			synctest.Wait()
			begun := time.Now()
			if err := c.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begun); took != 30*time.Second {
				t.Errorf("Stop took %v, want the grace of 30s", took)
			}
			task := get(t, other, h.ID)
			if task.Status != gtf.StatusFailure || !strings.Contains(task.Error, "interrupted by shutdown") {
				t.Errorf("the task is %s: %s", task.Status, task.Error)
			}
			if n := len(must[[]gtf.Worker](t)(other.Workers(t.Context()))); n != 0 {
				t.Errorf("%d workers are left on the list", n)
			}
		})
	})
	t.Run("is stopped between two attempts (S5.1, S12.5)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := open(t)
			cfg := executes(func(context.Context, string) (string, error) { return "", errors.New("not yet") })
			cfg.Backoff = gtf.Backoff{Base: time.Hour, Max: time.Hour}
			c, other := newClient(t, store, cfg), newClient(t, store, nil)
			h := must[*gtf.Handle[string]](t)(privateWork.Start(as(t.Context(), "ada"), c, "key", &gtf.RunOpts{MaxAttempts: 3}))
			time.Sleep(time.Minute)
			wantStatus(t, other, h.ID, gtf.StatusPending)
			if err := c.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			if task := get(t, other, h.ID); task.Status != gtf.StatusFailure || !strings.Contains(task.Error, "shutdown") {
				t.Errorf("the task is %s: %q, want a failure that names the shutdown", task.Status, task.Error)
			}
		})
	})
	t.Run("is cancelled between two attempts (S3.1)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			cfg := executes(func(context.Context, string) (string, error) { return "", errors.New("not yet") })
			cfg.Backoff = gtf.Backoff{Base: time.Hour, Max: time.Hour}
			c := newClient(t, open(t), cfg)
			h := must[*gtf.Handle[string]](t)(privateWork.Start(as(t.Context(), "ada"), c, "key", &gtf.RunOpts{MaxAttempts: 3}))
			time.Sleep(time.Minute)
			done, err := h.Cancel(as(t.Context(), "ada"), nil)
			wantCanceled(t, done, err, gtf.EffectAbort, gtf.StatusAborted)
			begun := time.Now()
			if err := c.Stop(t.Context()); err != nil || time.Since(begun) > 30*time.Second {
				t.Errorf("Stop returned %v after %v", err, time.Since(begun))
			}
			wantStatus(t, c, h.ID, gtf.StatusAborted)
		})
	})
}

func TestRunWhileDraining(t *testing.T) {
	t.Parallel()
	for name, submit := range map[string]func(context.Context, *gtf.Client) (*gtf.Handle[string], error){
		"by a worker": func(ctx context.Context, c *gtf.Client) (*gtf.Handle[string], error) {
			return privateWork.Schedule(ctx, c, "outer", nil)
		},
		"inline": func(ctx context.Context, c *gtf.Client) (*gtf.Handle[string], error) {
			return privateWork.Start(ctx, c, "outer", nil)
		},
	} {
		t.Run("a task that runs "+name+" may still Run another, others may not (S12.5)", func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				store := open(t)
				var c *gtf.Client
				c = startClient(t, store, executes(func(ctx context.Context, in string) (string, error) {
					time.Sleep(10 * time.Second)
					if in == "outer" {
						return sharedWork.Run(ctx, c, "inner", nil)
					}
					return "of " + in, nil
				}))
				other := newClient(t, store, nil)
				h := must[*gtf.Handle[string]](t)(submit(as(t.Context(), "ada"), c))
				synctest.Wait()
				stopped := make(chan error)
				go func() { stopped <- c.Stop(context.Background()) }()
				time.Sleep(time.Second)
				_, err := privateWork.Run(as(t.Context(), "grace"), c, "late", nil)
				wantErr(t, "Run from outside", err, gtf.ErrStopped)
				if err := <-stopped; err != nil {
					t.Error(err)
				}
				if task := get(t, other, h.ID); task.Status != gtf.StatusSuccess || string(task.Result) != `"of inner"` {
					t.Errorf("the outer task is %s: %s %s", task.Status, task.Result, task.Error)
				}
			})
		})
	}
}
