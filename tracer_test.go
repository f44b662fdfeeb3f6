package gtf_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/store/sqlitestore"
)

type spanKey struct{}

// scribe is a Tracer that writes down what it is asked and told.
type scribe struct {
	carried string // what rows carry
	inside  func(ctx context.Context) context.Context

	mu    sync.Mutex
	lines []string
}

func (s *scribe) Observe(gtf.Event) {}

func (s *scribe) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

func (s *scribe) TraceSubmit(ctx context.Context, subs []*gtf.Submission) (string, func([]gtf.Submitted, error)) {
	s.note("submit %d of %s %s by %v", len(subs), subs[0].Type, subs[0].Mode, ctx.Value(spanKey{}))
	return s.carried, func(done []gtf.Submitted, err error) {
		created := 0
		for _, d := range done {
			if d.Created {
				created++
			}
		}
		s.note("submitted %d, created %d, error %v", len(done), created, err != nil)
	}
}

func (s *scribe) TraceAttempt(ctx context.Context, job *gtf.Job, worker string) (context.Context, func(gtf.AttemptEnd)) {
	s.note("attempt %d of %s carries %q, worker %v", job.Claim, job.Mode, job.Trace, worker != "")
	if s.inside != nil {
		ctx = s.inside(ctx)
	} else {
		ctx = context.WithValue(ctx, spanKey{}, fmt.Sprint("attempt ", job.Claim))
	}
	return ctx, func(end gtf.AttemptEnd) { s.note("ended %s %q %s", end.Status, end.Error, end.ErrorType) }
}

func (s *scribe) want(t testing.TB, want ...string) {
	t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.lines, want) {
		t.Errorf("the tracer saw\n%s\nwant\n%s", strings.Join(s.lines, "\n"), strings.Join(want, "\n"))
	}
}

// shut is a store that takes no tasks once it is down.
type shut struct {
	gtf.Store
	down bool
}

func (s *shut) Submit(ctx context.Context, subs []*gtf.Submission) ([]gtf.Submitted, error) {
	if s.down {
		return nil, errStore
	}
	return s.Store.Submit(ctx, subs)
}

func TestTracer(t *testing.T) {
	t.Parallel()
	const carried = "00-trace-span-01\nstate=1"

	t.Run("has the row carry its text to every attempt in another process", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "gtf.db")
			here, there := &scribe{carried: carried}, &scribe{}
			submitter := newClient(t, openFile(t, path), &gtf.Config{Observer: here})
			cfg := executes(func(ctx context.Context, _ string) (string, error) {
				if gtf.FromContext(ctx).Attempt() == 1 {
					return "", errors.New("not yet")
				}
				return fmt.Sprint(ctx.Value(spanKey{})), nil
			})
			cfg.Observer = there
			startClient(t, openFile(t, path), cfg)
			ctx := context.WithValue(t.Context(), spanKey{}, "a request")
			h := schedule(ctx, t, submitter, systemWork, "in", &gtf.ScheduleOpts{MaxAttempts: 2})
			if out, err := h.Wait(ctx); out != "attempt 2" || err != nil {
				t.Errorf("the outcome is %q, %v; want what the function found in its context", out, err)
			}
			here.want(t, "submit 1 of test.system async by a request", "submitted 1, created 1, error false")
			there.want(t,
				fmt.Sprintf("attempt 1 of async carries %q, worker true", carried), `ended pending "not yet" *errors.errorString`,
				fmt.Sprintf("attempt 2 of async carries %q, worker true", carried), `ended success "" `)
		})
	})

	t.Run("follows Run, and its attempts", func(t *testing.T) {
		t.Parallel()
		s := &scribe{carried: carried}
		rigged(t, &gtf.Config{Observer: s}, &gtf.DefineOpts[none]{MaxAttempts: 2}, func(ctx context.Context, _ *rig) (string, error) {
			if gtf.FromContext(ctx).Attempt() == 1 {
				return "", errors.New("not yet")
			}
			panic("broken")
		}, func(r *rig) {
			_, err := r.def.Run(r.Context(), r.c, none{}, nil)
			wantTaskError(r, err, gtf.StatusFailure)
			synctest.Wait()
			if lines := s.lines; len(lines) > 2 { // the end of the submit and the first attempt are not in order
				slices.Sort(lines[1:3])
			}
			s.want(r, "submit 1 of test.task sync by <nil>",
				fmt.Sprintf("attempt 1 of sync carries %q, worker true", carried), "submitted 1, created 1, error false",
				`ended pending "not yet" *errors.errorString`,
				fmt.Sprintf("attempt 2 of sync carries %q, worker true", carried), `ended failure "panic: broken" panic`)
		})
	})

	t.Run("is asked once for a batch, and told of joins and errors", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			s := &scribe{carried: carried}
			store := &shut{Store: open(t)}
			cfg := executes(echo)
			cfg.Observer = s
			c := newClient(t, store, cfg)
			ctx := t.Context()
			items := []gtf.Item[string]{{In: "a"}, {In: "b"}, {In: "a"}}
			if _, err := systemWork.ScheduleMany(ctx, c, items); err != nil {
				t.Fatal(err)
			}
			schedule(ctx, t, c, systemWork, "b", nil)
			store.down = true
			if _, err := systemWork.Schedule(ctx, c, "c", nil); err == nil {
				t.Error("the submit succeeds without a database")
			}
			if _, err := systemWork.Schedule(ctx, c, "d", &gtf.ScheduleOpts{Priority: 99}); err == nil {
				t.Error("the submit succeeds with a bad priority")
			}
			s.want(t, "submit 3 of test.system async by <nil>", "submitted 3, created 2, error false",
				"submit 1 of test.system async by <nil>", "submitted 1, created 0, error false",
				"submit 1 of test.system async by <nil>", "submitted 0, created 0, error true")
		})
	})

	t.Run("follows a submit in a transaction of the caller", func(t *testing.T) {
		t.Parallel()
		s := &scribe{carried: carried}
		path := filepath.Join(t.TempDir(), "gtf.db")
		c := newClient(t, openFile(t, path), &gtf.Config{Observer: s})
		tx := callersTx(t, path)
		schedule(t.Context(), t, c, systemWork, "in", &gtf.ScheduleOpts{Tx: sqlitestore.Tx(tx)})
		commit(t, tx)
		want := []string{"submit 1 of test.system async by <nil>", "submitted 1, created 1, error false"}
		if !slices.Equal(s.lines, want) {
			t.Errorf("the tracer saw %q, want %q", s.lines, want)
		}
	})

	t.Run("is heard with its context by handlers, too", func(t *testing.T) {
		t.Parallel()
		s := &scribe{}
		rigged(t, &gtf.Config{Observer: s}, nil, func(ctx context.Context, r *rig) (string, error) {
			x := gtf.FromContext(ctx)
			x.OnAbort(func(ctx context.Context) error { r.trail.add("abort handler in %v", ctx.Value(spanKey{})); return nil })
			x.OnCleanup(func(ctx context.Context) error { r.trail.add("cleanup in %v", ctx.Value(spanKey{})); return nil })
			return "", until(ctx)
		}, func(r *rig) {
			h := r.schedule(nil)
			r.after(time.Second)
			r.cancel(h)
			_, err := h.Wait(r.Context())
			wantErr(r, "outcome", err, gtf.ErrAborted)
			r.trail.want(r.T, "abort handler in attempt 1", "cleanup in attempt 1")
		})
	})

	t.Run("may return nothing, or a context that is none of the task's", func(t *testing.T) {
		t.Parallel()
		for name, inside := range map[string]func(context.Context) context.Context{
			"nothing":         func(context.Context) context.Context { return nil },
			"another context": func(context.Context) context.Context { return context.Background() },
		} {
			s := &scribe{inside: inside}
			rigged(t, &gtf.Config{Observer: s}, nil, func(ctx context.Context, _ *rig) (string, error) {
				return gtf.FromContext(ctx).Type(), nil
			}, func(r *rig) {
				if out, err := r.schedule(nil).Wait(r.Context()); out != "test.task" || err != nil {
					r.Errorf("%s: the outcome is %q, %v, want the type of the task", name, out, err)
				}
			})
		}
	})

	t.Run("has nothing carried that a row cannot", func(t *testing.T) {
		t.Parallel()
		tests := map[string]string{
			strings.Repeat("x", gtf.MaxTrace):   strings.Repeat("x", gtf.MaxTrace),
			strings.Repeat("x", gtf.MaxTrace+1): "",
			"not \xff UTF-8":                    "",
			"a NUL \x00":                        "",
			carried:                             carried,
		}
		for carried, want := range tests {
			rec := &recorder{Store: open(t)}
			c := newClient(t, rec, &gtf.Config{Observer: &scribe{carried: carried}})
			schedule(t.Context(), t, c, systemWork, "in", nil)
			if got := rec.last(t).Trace; got != want {
				t.Errorf("%.40q is stored as %.40q, want %.40q", carried, got, want)
			}
		}
	})
}
