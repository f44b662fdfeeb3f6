package gtf_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf"
)

// forgetful is a transport between processes that notes what is sent and delivers nothing.
type forgetful struct {
	mu   sync.Mutex
	sent []gtf.Signal
}

func (f *forgetful) Publish(_ context.Context, batch []gtf.Signal) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent = append(f.sent, batch...)
	return nil
}

func (f *forgetful) Listen(ctx context.Context, _ gtf.Listener) { <-ctx.Done() }

// take returns what was sent about a task, and forgets it.
func (f *forgetful) take(id gtf.ID) (kinds []gtf.SignalKind) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.sent {
		if s.ID == id {
			kinds = append(kinds, s.Kind)
		}
	}
	f.sent = nil
	slices.Sort(kinds)
	return kinds
}

// wantCanceled tells whether a cancel was done, with this effect.
func wantCanceled(t testing.TB, done *gtf.Canceled, err error, effect gtf.CancelEffect, status gtf.Status) {
	t.Helper()
	if err != nil {
		t.Fatalf("Cancel: %v", err)
	}
	if done.Effect != effect || done.Task.Status != status {
		t.Errorf("the cancel did %q and the task is %s, want %q and %s", done.Effect, done.Task.Status, effect, status)
	}
}

// wantUntouched compares the row with what it was before a cancel that is refused.
func wantUntouched(t testing.TB, c *gtf.Client, before *gtf.Task) {
	t.Helper()
	after := get(t, c, before.ID)
	if after.Version != before.Version || after.Status != before.Status || len(after.Subscribers) != len(before.Subscribers) {
		t.Errorf("the refused cancel changed the task: %s, version %d, %d subscribers; before %s, %d, %d", after.Status, after.Version,
			len(after.Subscribers), before.Status, before.Version, len(before.Subscribers))
	}
}

func TestCancelPending(t *testing.T) {
	t.Parallel()
	t.Run("aborts at once, wakes the waiter, and never runs (S3.1, S7)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			ran := false
			c := newClient(t, open(t), executes(func(context.Context, string) (string, error) { ran = true; return "", nil }))
			h := schedule(as(t.Context(), "ada"), t, c, privateWork, "key", nil)
			waited := make(chan error)
			begun := time.Now()
			go func() {
				_, err := h.Wait(context.Background())
				waited <- err
			}()
			synctest.Wait()
			done, err := h.Cancel(as(t.Context(), "ada"), nil)
			wantCanceled(t, done, err, gtf.EffectAbort, gtf.StatusAborted)
			wantTaskError(t, <-waited, gtf.StatusAborted)
			if late := time.Since(begun); late != 0 {
				t.Errorf("the waiter woke after %v, want at once", late)
			}
			task := get(t, c, h.ID)
			if !task.StartedAt.IsZero() || !task.EndedAt.Equal(begun) || task.Attempt != 0 {
				t.Errorf("started %v, ended %v, attempt %d, want never, %v, 0", task.StartedAt, task.EndedAt, task.Attempt, begun)
			}
			if err := c.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			if ran {
				t.Error("the aborted task ran")
			}
		})
	})
	t.Run("wakes a waiter in another process (S7, S9.1)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := open(t)
			here, there := newClient(t, store, nil), newClient(t, store, nil)
			h := schedule(as(t.Context(), "ada"), t, here, privateWork, "key", nil)
			waited := make(chan error)
			go func() {
				_, err := privateWork.Attach(there, h.ID).Wait(context.Background())
				waited <- err
			}()
			synctest.Wait()
			begun := time.Now()
			must[*gtf.Canceled](t)(h.Cancel(as(t.Context(), "ada"), nil))
			wantTaskError(t, <-waited, gtf.StatusAborted)
			if late := time.Since(begun); late != 0 {
				t.Errorf("the waiter woke after %v, want at once", late)
			}
		})
	})
	t.Run("frees the key (S3.3)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		ctx := as(t.Context(), "ada")
		h := schedule(ctx, t, c, sharedWork, "key", nil)
		must[*gtf.Canceled](t)(h.Cancel(ctx, nil))
		if again := schedule(ctx, t, c, sharedWork, "key", nil); again.Joined || again.ID == h.ID {
			t.Errorf("the next submit joined %s", again.ID)
		}
	})
}

func TestCancelRunning(t *testing.T) {
	t.Parallel()
	t.Run("moves to aborting, and ends as aborted (S7, S3.1)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			handlersMayEnd := make(chan struct{})
			cause := make(chan error, 1)
			c := startClient(t, open(t), executes(func(ctx context.Context, _ string) (string, error) {
				gtf.FromContext(ctx).OnAbort(func(context.Context) error { <-handlersMayEnd; return nil })
				<-ctx.Done()
				cause <- context.Cause(ctx)
				return "", errors.New("broke off")
			}))
			h := schedule(as(t.Context(), "ada"), t, c, privateWork, "key", nil)
			synctest.Wait()
			done, err := h.Cancel(as(t.Context(), "ada"), nil)
			wantCanceled(t, done, err, gtf.EffectAbort, gtf.StatusAborting)
			wantStatus(t, c, h.ID, gtf.StatusAborting)
			if again := schedule(as(t.Context(), "ada"), t, c, privateWork, "key", nil); again.ID != h.ID || !again.Joined {
				t.Error("the key was not busy while aborting (S4.5)")
			}
			close(handlersMayEnd)
			_, err = h.Wait(t.Context())
			wantTaskError(t, err, gtf.StatusAborted)
			wantErr(t, "Wait", err, gtf.ErrAborted)
			wantErr(t, "the cause of the function's context", <-cause, gtf.ErrAborted)
		})
	})
	t.Run("is refused without an abort handler, and the task goes on (S7)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			mayEnd := make(chan struct{})
			c := startClient(t, open(t), executes(func(ctx context.Context, _ string) (string, error) {
				<-mayEnd
				return "done", ctx.Err()
			}))
			h := schedule(as(t.Context(), "ada"), t, c, privateWork, "key", nil)
			synctest.Wait()
			before := get(t, c, h.ID)
			_, err := h.Cancel(as(t.Context(), "ada"), nil)
			wantErr(t, "Cancel", err, gtf.ErrNotAbortable)
			wantUntouched(t, c, before)
			close(mayEnd)
			if out, err := h.Wait(t.Context()); out != "done" || err != nil {
				t.Errorf("Wait = %q, %v, want done", out, err)
			}
		})
	})
	t.Run("again is fine, changes nothing, and signals again (S7)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store, sent := open(t), &forgetful{}
			mayEnd := make(chan struct{})
			startClient(t, store, executes(func(ctx context.Context, _ string) (string, error) {
				gtf.FromContext(ctx).OnAbort(func(context.Context) error { <-mayEnd; return nil })
				<-ctx.Done()
				return "", ctx.Err()
			}))
			c := newClient(t, store, &gtf.Config{Signals: sent})
			defer close(mayEnd)
			h := schedule(as(t.Context(), "ada"), t, c, sharedWork, "key", nil)
			time.Sleep(time.Minute)
			for range 2 {
				done, err := h.Cancel(as(t.Context(), "ada"), nil)
				wantCanceled(t, done, err, gtf.EffectAbort, gtf.StatusAborting)
				synctest.Wait()
				if kinds := sent.take(h.ID); !slices.Contains(kinds, gtf.SignalAbort) {
					t.Errorf("sent %v, want an abort signal", kinds)
				}
				time.Sleep(time.Second)
			}
			before := get(t, c, h.ID)
			if _, err := h.Cancel(asAdmin(t.Context(), "root"), &byForce); err != nil {
				t.Errorf("an admin's cancel while aborting: %v", err)
			}
			wantUntouched(t, c, before)
			if before.AbortedBy.ID != "ada" {
				t.Errorf("aborted by %v, want ada, who was first", before.AbortedBy)
			}
		})
	})
	t.Run("of what has ended is refused (S7, S3.2)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			c := startClient(t, open(t), executes(echo))
			h := schedule(as(t.Context(), "ada"), t, c, sharedWork, "key", nil)
			must[string](t)(h.Wait(t.Context()))
			before := get(t, c, h.ID)
			for _, opts := range []*gtf.CancelOpts{nil, {Expect: gtf.EffectUnsubscribe}} {
				_, err := h.Cancel(as(t.Context(), "ada"), opts)
				wantErr(t, "Cancel", err, gtf.ErrFinished)
			}
			_, err := h.Cancel(t.Context(), &byForce)
			wantErr(t, "Cancel by the host", err, gtf.ErrFinished)
			wantUntouched(t, c, before)
		})
	})
}

func TestCancelShared(t *testing.T) {
	t.Parallel()
	t.Run("takes off one of several, the creator too, who no longer sees it (S7, S10.1)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		h := schedule(as(t.Context(), "ada"), t, c, sharedWork, "key", nil)
		schedule(as(t.Context(), "grace"), t, c, sharedWork, "key", nil)
		done, err := h.Cancel(as(t.Context(), "ada"), nil)
		wantCanceled(t, done, err, gtf.EffectUnsubscribe, gtf.StatusPending)
		if got := subscribers(get(t, c, h.ID)); !slices.Equal(got, []string{"user/grace"}) {
			t.Errorf("subscribers are %v, want grace", got)
		}
		if by := get(t, c, h.ID).CreatedBy; by.ID != "ada" {
			t.Errorf("created by %v, want ada still", by)
		}
		gone := as(t.Context(), "ada")
		_, err = c.Get(gone, h.ID)
		wantErr(t, "Get by who left", err, gtf.ErrNotFound)
		_, err = c.Logs(gone, h.ID, 0, 0)
		wantErr(t, "Logs by who left", err, gtf.ErrNotFound)
		_, err = h.Cancel(gone, nil)
		wantErr(t, "Cancel by who left", err, gtf.ErrNotFound)
		if page := must[*gtf.TaskPage](t)(c.List(gone, nil)); len(page.Tasks) != 0 || page.Count != 0 {
			t.Errorf("who left lists %d tasks", page.Count)
		}
		if _, err := c.Get(as(t.Context(), "grace"), h.ID); err != nil {
			t.Errorf("who stayed: %v", err)
		}
	})
	t.Run("by the last subscriber aborts, and the subscription stays (S7)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		h := schedule(as(t.Context(), "ada"), t, c, sharedWork, "key", nil)
		schedule(as(t.Context(), "grace"), t, c, sharedWork, "key", nil)
		must[*gtf.Canceled](t)(h.Cancel(as(t.Context(), "ada"), nil))
		done, err := h.Cancel(as(t.Context(), "grace"), nil)
		wantCanceled(t, done, err, gtf.EffectAbort, gtf.StatusAborted)
		if task := must[*gtf.Task](t)(c.Get(as(t.Context(), "grace"), h.ID)); len(task.Subscribers) != 1 {
			t.Errorf("subscribers are %v, want grace still", subscribers(task))
		}
	})
	t.Run("by the last subscriber is refused if it cannot be aborted (S7)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			mayEnd := make(chan struct{})
			c := startClient(t, open(t), executes(func(context.Context, string) (string, error) { <-mayEnd; return "", nil }))
			defer close(mayEnd)
			h := schedule(as(t.Context(), "ada"), t, c, sharedWork, "key", nil)
			schedule(as(t.Context(), "grace"), t, c, sharedWork, "key", nil)
			synctest.Wait()
			done, err := h.Cancel(as(t.Context(), "ada"), &gtf.CancelOpts{Expect: gtf.EffectUnsubscribe})
			wantCanceled(t, done, err, gtf.EffectUnsubscribe, gtf.StatusInProgress)
			before := get(t, c, h.ID)
			_, err = h.Cancel(as(t.Context(), "grace"), &gtf.CancelOpts{Expect: gtf.EffectUnsubscribe})
			wantErr(t, "Cancel by the last", err, gtf.ErrNotAbortable)
			wantUntouched(t, c, before)
		})
	})
	t.Run("two who leave at once are not both gone (S7)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		people := []string{"ada", "grace"}
		for range 20 {
			var h *gtf.Handle[string]
			for _, id := range people {
				h = schedule(as(t.Context(), id), t, c, sharedWork, "key", nil)
			}
			var effects [2]gtf.CancelEffect
			together(2, func(i int) {
				if done, err := h.Cancel(as(t.Context(), people[i]), nil); err != nil {
					t.Error(err)
				} else {
					effects[i] = done.Effect
				}
			})
			slices.Sort(effects[:])
			if effects != [2]gtf.CancelEffect{gtf.EffectAbort, gtf.EffectUnsubscribe} {
				t.Fatalf("the two did %v, want one to leave and the last to abort", effects)
			}
		}
	})
	t.Run("by force stops it for everybody; all of them see that (S7)", func(t *testing.T) {
		t.Parallel()
		for _, admin := range []string{"root", "ada"} { // not subscribed, and subscribed
			c := newClient(t, open(t), nil)
			h := schedule(as(t.Context(), "ada"), t, c, sharedWork, "key", nil)
			schedule(as(t.Context(), "grace"), t, c, sharedWork, "key", nil)
			done, err := h.Cancel(asAdmin(t.Context(), admin), &byForce)
			wantCanceled(t, done, err, gtf.EffectAbort, gtf.StatusAborted)
			for _, id := range []string{"ada", "grace"} {
				task := must[*gtf.Task](t)(c.Get(as(t.Context(), id), h.ID))
				if task.Status != gtf.StatusAborted || task.AbortedBy.ID != admin || task.AbortedBy.Admin {
					t.Errorf("%s sees %s by %v, want aborted by %s, who is stored without the rank", id, task.Status, task.AbortedBy, admin)
				}
			}
		}
	})
	t.Run("without force is forbidden to an admin who does not follow it (S7)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		h := schedule(as(t.Context(), "ada"), t, c, sharedWork, "key", nil)
		before := get(t, c, h.ID)
		_, err := h.Cancel(asAdmin(t.Context(), "root"), nil)
		wantErr(t, "Cancel by an admin", err, gtf.ErrForbidden)
		if err != nil && !strings.Contains(err.Error(), "force") {
			t.Errorf("the error %q does not say to use force", err)
		}
		_, err = h.Cancel(t.Context(), nil)
		wantErr(t, "Cancel by the host", err, gtf.ErrForbidden)
		_, err = h.Cancel(as(t.Context(), "ada"), &byForce)
		wantErr(t, "Cancel with force by no admin", err, gtf.ErrForbidden)
		wantUntouched(t, c, before)
	})
}

func TestCancelNotFound(t *testing.T) {
	t.Parallel()
	c := newClient(t, open(t), nil)
	private := schedule(asOne(t.Context(), ada), t, c, privateWork, "key", nil)
	shared := schedule(asOne(t.Context(), ada), t, c, sharedWork, "key", nil)
	system := schedule(asOne(t.Context(), ada), t, c, systemWork, "key", nil)
	unknown := gtf.NewID()
	tests := []struct {
		name string
		who  gtf.Principal // nobody is the host
		id   gtf.ID
	}{
		{"an unknown task", ada, unknown},
		{"an unknown task, for an admin", root, unknown},
		{"an unknown task, for the host", gtf.Principal{}, unknown},
		{"a private task of another", grace, private.ID},
		{"a private task of the user, for the guest with the same id", guest, private.ID},
		{"a shared task without subscription", grace, shared.ID},
		{"a system task, for its subscriber", ada, system.ID},
	}
	for _, tt := range tests {
		t.Run(tt.name+" (S7.1)", func(t *testing.T) {
			for _, opts := range []*gtf.CancelOpts{nil, {Expect: gtf.EffectUnsubscribe}} {
				_, err := c.Cancel(asOne(t.Context(), tt.who), tt.id, opts)
				wantErr(t, "Cancel", err, gtf.ErrNotFound)
				want := "cancel task " + tt.id.String() + ": " + gtf.ErrNotFound.Error()
				if err != nil && err.Error() != want {
					t.Errorf("the error is %q: it tells more than %q", err, want)
				}
			}
		})
	}
	for _, id := range []gtf.ID{private.ID, shared.ID, system.ID} {
		wantStatus(t, c, id, gtf.StatusPending)
	}
}

func TestCancelExpect(t *testing.T) {
	t.Parallel()
	t.Run("another effect than expected does nothing (S7)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		h := schedule(as(t.Context(), "ada"), t, c, sharedWork, "key", nil)
		before := get(t, c, h.ID)
		_, err := h.Cancel(as(t.Context(), "ada"), &gtf.CancelOpts{Expect: gtf.EffectUnsubscribe})
		wantErr(t, "Cancel", err, gtf.ErrConflict)
		var conflict *gtf.ExpectError
		if !errors.As(err, &conflict) || conflict.Expected != gtf.EffectUnsubscribe || conflict.Now != gtf.EffectAbort {
			t.Errorf("the conflict is %v, want unsubscribe expected and now abort", err)
		}
		wantUntouched(t, c, before)
		schedule(as(t.Context(), "grace"), t, c, sharedWork, "key", nil)
		before = get(t, c, h.ID)
		_, err = h.Cancel(as(t.Context(), "ada"), &gtf.CancelOpts{Expect: gtf.EffectAbort})
		wantErr(t, "Cancel", err, gtf.ErrConflict)
		wantUntouched(t, c, before)
		done, err := h.Cancel(as(t.Context(), "ada"), &gtf.CancelOpts{Expect: gtf.EffectUnsubscribe})
		wantCanceled(t, done, err, gtf.EffectUnsubscribe, gtf.StatusPending)
	})
	t.Run("what is no effect and no client is a validation error", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		h := schedule(as(t.Context(), "ada"), t, c, privateWork, "key", nil)
		_, err := h.Cancel(as(t.Context(), "ada"), &gtf.CancelOpts{Expect: "aborted", Client: "a b"})
		wantProblems(t, err, "client", "expect")
		wantStatus(t, c, h.ID, gtf.StatusPending)
	})
}

func TestCancelKeepsWhoAndWhen(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		who  func(context.Context) context.Context
		want gtf.Principal
	}{
		{"a user", func(ctx context.Context) context.Context { return asOne(ctx, ada) }, ada},
		{"a guest", func(ctx context.Context) context.Context { return asOne(ctx, guest) }, guest},
		{"an admin", func(ctx context.Context) context.Context { return asOne(ctx, root) },
			gtf.Principal{Kind: gtf.KindUser, ID: root.ID, Name: root.Name}},
		{"the host", func(ctx context.Context) context.Context { return ctx }, gtf.Principal{ID: gtf.HostName, Name: gtf.HostName}},
	}
	for _, tt := range tests {
		for _, runs := range []bool{false, true} {
			name := tt.name + " who aborts a pending task is kept (S7)"
			if runs {
				name = tt.name + " who aborts a running task is kept (S7)"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				bubble(t, func(t *testing.T) {
					c := newClient(t, open(t), executes(untilAborted))
					if runs {
						if err := c.Start(t.Context()); err != nil {
							t.Fatal(err)
						}
					}
					submitter := ada
					if tt.want.Kind == gtf.KindGuest {
						submitter = guest
					}
					h := schedule(asOne(t.Context(), submitter), t, c, privateWork, "key", nil)
					time.Sleep(90 * time.Second)
					asked := time.Now()
					must[*gtf.Canceled](t)(h.Cancel(tt.who(t.Context()), nil))
					_, err := h.Wait(t.Context())
					wantTaskError(t, err, gtf.StatusAborted)
					time.Sleep(time.Minute)
					task := get(t, c, h.ID)
					if task.AbortedBy != tt.want || !task.AbortedAt.Equal(asked) || task.AbortReason != gtf.AbortByUser {
						t.Errorf("aborted by %+v at %v because of %q, want %+v at %v", task.AbortedBy, task.AbortedAt, task.AbortReason, tt.want, asked)
					}
				})
			})
		}
	}
}

func TestCancelDetach(t *testing.T) {
	t.Parallel()
	perTab := gtf.Define[string, string]("test.per_tab", &gtf.DefineOpts[string]{Key: itself, PerClient: true})
	submit := func(t *testing.T, c *gtf.Client, tab string) *gtf.Handle[string] {
		t.Helper()
		return schedule(as(t.Context(), "ada"), t, c, perTab, "key", &gtf.ScheduleOpts{Client: tab})
	}
	t.Run("takes off one client, and the last one aborts (S7)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		h := submit(t, c, "tab-1")
		submit(t, c, "tab-2")
		submit(t, c, "tab-2")
		if got := get(t, c, h.ID).Subscribers[0].Clients; !slices.Equal(got, []string{"tab-1", "tab-2"}) {
			t.Fatalf("clients are %v, want each tab once", got)
		}
		done, err := h.Cancel(as(t.Context(), "ada"), &gtf.CancelOpts{Client: "tab-1"})
		wantCanceled(t, done, err, gtf.EffectDetach, gtf.StatusPending)
		if got := done.Task.Subscribers; len(got) != 1 || !slices.Equal(got[0].Clients, []string{"tab-2"}) {
			t.Errorf("subscribers are %+v, want ada with tab-2", got)
		}
		done, err = h.Cancel(as(t.Context(), "ada"), &gtf.CancelOpts{Client: "tab-2"})
		wantCanceled(t, done, err, gtf.EffectAbort, gtf.StatusAborted)
	})
	t.Run("a type without the policy keeps no clients (S7)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, open(t), nil)
		h := schedule(as(t.Context(), "ada"), t, c, privateWork, "key", &gtf.ScheduleOpts{Client: "tab-1"})
		schedule(as(t.Context(), "ada"), t, c, privateWork, "key", &gtf.ScheduleOpts{Client: "tab-2"})
		done, err := h.Cancel(as(t.Context(), "ada"), &gtf.CancelOpts{Client: "tab-1"})
		wantCanceled(t, done, err, gtf.EffectAbort, gtf.StatusAborted)
	})
}

// readBack is a transport that reads the row at every signal, as a listener would.
type readBack struct {
	forgetful
	store gtf.Store
	seen  map[gtf.SignalKind]gtf.Status
}

func (r *readBack) Publish(ctx context.Context, batch []gtf.Signal) error {
	for _, s := range batch {
		if looks, err := r.store.Look(ctx, []gtf.ID{s.ID}); err == nil && len(looks) == 1 {
			r.mu.Lock()
			r.seen[s.Kind] = looks[0].Status
			r.mu.Unlock()
		}
	}
	return r.forgetful.Publish(ctx, batch)
}

func TestCancelSignals(t *testing.T) {
	t.Parallel()
	t.Run("come after the commit and only if the row changed (S3.6)", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			store := open(t)
			sent := &readBack{store: store, seen: map[gtf.SignalKind]gtf.Status{}}
			c := newClient(t, store, &gtf.Config{Signals: sent})
			h := schedule(as(t.Context(), "ada"), t, c, sharedWork, "key", nil)
			schedule(as(t.Context(), "grace"), t, c, sharedWork, "key", nil)
			synctest.Wait()
			sent.take(h.ID)

			_, _ = h.Cancel(t.Context(), nil) // forbidden
			synctest.Wait()
			if kinds := sent.take(h.ID); len(kinds) != 0 {
				t.Errorf("a refused cancel sent %v", kinds)
			}
			must[*gtf.Canceled](t)(h.Cancel(as(t.Context(), "ada"), nil))
			synctest.Wait()
			if kinds := sent.take(h.ID); !slices.Equal(kinds, []gtf.SignalKind{gtf.SignalChanged}) {
				t.Errorf("leaving sent %v, want changed", kinds)
			}
			must[*gtf.Canceled](t)(h.Cancel(as(t.Context(), "grace"), nil))
			synctest.Wait()
			if kinds := sent.take(h.ID); !slices.Contains(kinds, gtf.SignalFinished) {
				t.Errorf("aborting sent %v, want finished among it", kinds)
			}
			if got := sent.seen[gtf.SignalFinished]; got != gtf.StatusAborted {
				t.Errorf("who heard finished read %q, want aborted", got)
			}
		})
	})
}
