package otel_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/goleak"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/observer/observertest"
	"github.com/globaltask/gtf/observer/otel"
	"github.com/globaltask/gtf/store/sqlitestore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// process is one that has spans of its own, in memory.
type process struct {
	*otel.Tracer
	provider *sdk.TracerProvider
	spans    *tracetest.InMemoryExporter
}

func newProcess() *process {
	spans := tracetest.NewInMemoryExporter()
	provider := sdk.NewTracerProvider(sdk.WithSyncer(spans))
	return &process{otel.New(&otel.Options{TracerProvider: provider}), provider, spans}
}

// begin starts what a request would be.
func (p *process) begin(ctx context.Context) (context.Context, trace.Span) {
	return p.provider.Tracer("program").Start(ctx, "request") //nolint:spancheck // the caller ends it
}

// span is the only one of this name.
func (p *process) span(t testing.TB, name string) tracetest.SpanStub {
	t.Helper()
	all := p.named(name)
	if len(all) != 1 {
		t.Fatalf("there are %d spans %q, want 1", len(all), name)
	}
	return all[0]
}

func (p *process) named(name string) (found []tracetest.SpanStub) {
	for _, s := range p.spans.GetSpans() {
		if s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// below checks the trace and the parent.
func below(t testing.TB, child tracetest.SpanStub, parent trace.SpanContext) {
	t.Helper()
	if child.SpanContext.TraceID() != parent.TraceID() || child.Parent.SpanID() != parent.SpanID() {
		t.Errorf("span %q is in trace %s below %s, want trace %s below %s", child.Name, child.SpanContext.TraceID(), child.Parent.SpanID(),
			parent.TraceID(), parent.SpanID())
	}
}

// has checks attributes by their text.
func has(t testing.TB, s tracetest.SpanStub, want map[attribute.Key]string) {
	t.Helper()
	set := attribute.NewSet(s.Attributes...)
	for key, text := range want {
		if value, ok := set.Value(key); !ok || value.String() != text {
			t.Errorf("span %q has %s %q, want %q", s.Name, key, value.String(), text)
		}
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	provider := sdk.NewTracerProvider()
	opts := &observertest.Options{
		Begin: func(ctx context.Context) context.Context {
			ctx, span := provider.Tracer("program").Start(ctx, "request")
			span.End() // that it has ended is no matter to those below it
			return ctx
		},
		TraceID: func(ctx context.Context) string {
			if of := trace.SpanContextFromContext(ctx); of.IsValid() {
				return of.TraceID().String()
			}
			return ""
		},
	}
	for name, open := range map[string]func() gtf.Observer{
		"alone":      func() gtf.Observer { return newProcess() },
		"behind one": func() gtf.Observer { return gtf.Observers(deaf{}, newProcess()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			observertest.Run(t, func(*testing.T) gtf.Observer { return open() }, opts)
		})
	}
}

type deaf struct{}

func (deaf) Observe(gtf.Event) {}

// client works on a file with an observer.
func client(t *testing.T, path string, p *process, handlers ...gtf.Handler) *gtf.Client {
	t.Helper()
	store, err := sqlitestore.Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := gtf.New(store, &gtf.Config{Observer: p, Handlers: handlers, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(c.Stop(context.Background()), store.Close()); err != nil {
			t.Error(err)
		}
	})
	return c
}

var (
	work    = gtf.Define[string, string]("test.work", &gtf.DefineOpts[string]{Scope: gtf.ScopeSystem, Key: func(in string) string { return in }})
	endless = gtf.Define[string, string]("test.endless", &gtf.DefineOpts[string]{Scope: gtf.ScopeSystem, Abortable: true})
)

func TestTracer(t *testing.T) {
	t.Parallel()

	t.Run("makes one trace from the request over the queue to what the function does, in two processes", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "gtf.db")
			web, worker := newProcess(), newProcess()
			schedules := client(t, path, web)
			executes := client(t, path, worker, work.Handler(func(ctx context.Context, in string) (string, error) {
				_, query := worker.provider.Tracer("program").Start(ctx, "query")
				defer query.End()
				time.Sleep(time.Minute)
				return in, nil
			}))
			ctx, request := web.begin(t.Context())
			h, err := work.Schedule(ctx, schedules, "in", nil)
			if err != nil {
				t.Fatal(err)
			}
			request.End()
			time.Sleep(5 * time.Second)
			if err := executes.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := h.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()

			submit, attempt, query := web.span(t, "schedule test.work"), worker.span(t, "test.work"), worker.span(t, "query")
			below(t, submit, request.SpanContext())
			below(t, attempt, submit.SpanContext)
			below(t, query, attempt.SpanContext)
			if submit.SpanKind != trace.SpanKindProducer || attempt.SpanKind != trace.SpanKindConsumer {
				t.Errorf("the spans are a %s and a %s", submit.SpanKind, attempt.SpanKind)
			}
			if took := attempt.EndTime.Sub(attempt.StartTime); took != time.Minute {
				t.Errorf("the attempt took %v", took)
			}
			if submit.Status.Code != codes.Unset || attempt.Status.Code != codes.Unset {
				t.Errorf("the states are %v and %v, want none", submit.Status, attempt.Status)
			}
			id := h.ID.String()
			has(t, submit, map[attribute.Key]string{"messaging.system": "gtf", "messaging.operation.type": "send", "messaging.operation.name": "schedule",
				"messaging.destination.name": "default", "messaging.message.id": id, "gtf.task.type": "test.work", "gtf.task.joined": "false"})
			has(t, attempt, map[attribute.Key]string{"messaging.system": "gtf", "messaging.operation.type": "process", "messaging.operation.name": "run",
				"messaging.destination.name": "default", "messaging.message.id": id, "gtf.task.type": "test.work", "gtf.task.attempt": "1",
				"gtf.task.mode": "async", "gtf.task.status": "success", "gtf.task.waited_seconds": "5"})
		})
	})

	t.Run("has every attempt of a task in its trace", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			p := newProcess()
			c := client(t, ":memory:", p, work.Handler(func(ctx context.Context, in string) (string, error) {
				if gtf.FromContext(ctx).Attempt() == 1 {
					return "", errors.New("the mail server is away")
				}
				panic("nil mail")
			}))
			if err := c.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			h, err := work.Schedule(t.Context(), c, "in", &gtf.ScheduleOpts{MaxAttempts: 2})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := h.Wait(t.Context()); !errors.Is(err, gtf.ErrFailed) {
				t.Errorf("the outcome is %v", err)
			}
			synctest.Wait()
			submit, attempts := p.span(t, "schedule test.work"), p.named("test.work")
			if len(attempts) != 2 {
				t.Fatalf("there are %d attempts, want 2", len(attempts))
			}
			for i, want := range []struct{ status, errorType, text string }{
				{"pending", "*errors.errorString", "the mail server is away"}, {"failure", "panic", "panic: nil mail"},
			} {
				below(t, attempts[i], submit.SpanContext)
				has(t, attempts[i], map[attribute.Key]string{"gtf.task.status": want.status, "error.type": want.errorType})
				if got := attempts[i].Status; got.Code != codes.Error || got.Description != want.text {
					t.Errorf("attempt %d ended as %+v, want the error %q", i+1, got, want.text)
				}
			}
		})
	})

	t.Run("has Run and its attempt below the caller, and tells of a join", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			p := newProcess()
			c := client(t, ":memory:", p, work.Handler(func(_ context.Context, in string) (string, error) {
				time.Sleep(time.Minute)
				return in, nil
			}))
			first, firstSpan := p.begin(t.Context())
			second, secondSpan := p.begin(t.Context())
			h, err := work.Start(first, c, "in", nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := work.Run(second, c, "in", nil); err != nil {
				t.Fatal(err)
			}
			firstSpan.End()
			secondSpan.End()
			synctest.Wait()
			runs := p.named("run test.work")
			if len(runs) != 2 {
				t.Fatalf("there are %d spans of Run, want 2", len(runs))
			}
			for i, want := range []struct {
				parent trace.Span
				joined string
			}{{firstSpan, "false"}, {secondSpan, "true"}} {
				below(t, runs[i], want.parent.SpanContext())
				has(t, runs[i], map[attribute.Key]string{"gtf.task.joined": want.joined, "messaging.message.id": h.ID.String()})
			}
			attempt := p.span(t, "test.work")
			below(t, attempt, runs[0].SpanContext)
			has(t, attempt, map[attribute.Key]string{"gtf.task.mode": "sync", "gtf.task.status": "success"})
		})
	})

	t.Run("has one span for a batch, and says how many joined", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			p := newProcess()
			c := client(t, ":memory:", p)
			if _, err := work.ScheduleMany(t.Context(), c, []gtf.Item[string]{{In: "a"}, {In: "b"}, {In: "a"}}); err != nil {
				t.Fatal(err)
			}
			has(t, p.span(t, "schedule test.work"), map[attribute.Key]string{"messaging.batch.message_count": "3", "gtf.tasks.joined": "1"})
		})
	})

	t.Run("says when somebody stopped the task, which is no fault, and whether the function heeds it", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			p := newProcess()
			c := client(t, ":memory:", p, endless.Handler(func(ctx context.Context, in string) (string, error) {
				<-ctx.Done()
				time.Sleep(time.Hour)
				return "", ctx.Err()
			}))
			if err := c.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			h, err := endless.Schedule(t.Context(), c, "in", nil)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			if _, err := h.Cancel(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if _, err := h.Wait(t.Context()); !errors.Is(err, gtf.ErrAborted) {
				t.Errorf("the outcome is %v", err)
			}
			synctest.Wait()
			s := p.span(t, "test.endless")
			if s.Status.Code != codes.Unset {
				t.Errorf("the state is %+v, want none", s.Status)
			}
			has(t, s, map[attribute.Key]string{"gtf.task.status": "aborted"})
			if len(s.Events) != 2 || s.Events[0].Name != "interrupted" || s.Events[1].Name != "stuck" {
				t.Fatalf("the events are %+v, want that it was interrupted and stuck", s.Events)
			}
			if cause := s.Events[0].Attributes; len(cause) != 1 || cause[0].Value.String() != gtf.ErrAborted.Error() {
				t.Errorf("it was interrupted by %v", cause)
			}
		})
	})
}

func TestTraceAttempt(t *testing.T) {
	t.Parallel()

	t.Run("says that a lost claim is a fault", func(t *testing.T) {
		t.Parallel()
		p := newProcess()
		_, end := p.TraceAttempt(t.Context(), &gtf.Job{Type: "test.work"}, "worker")
		end(gtf.AttemptEnd{})
		s := p.span(t, "test.work")
		has(t, s, map[attribute.Key]string{"gtf.task.status": "", "error.type": "claim_lost"})
		if s.Status.Code != codes.Error {
			t.Errorf("the state is %+v, want an error", s.Status)
		}
	})

	t.Run("names a fault without a type by the status", func(t *testing.T) {
		t.Parallel()
		p := newProcess()
		_, end := p.TraceAttempt(t.Context(), &gtf.Job{Type: "test.work"}, "worker")
		end(gtf.AttemptEnd{Status: gtf.StatusTimedOut})
		has(t, p.span(t, "test.work"), map[attribute.Key]string{"error.type": "timed_out"})
	})
}

func TestTraceSubmit(t *testing.T) {
	t.Parallel()
	subs := []*gtf.Submission{{Type: "test.work", Mode: gtf.ModeAsync}}

	t.Run("says that nothing was stored", func(t *testing.T) {
		t.Parallel()
		p := newProcess()
		_, end := p.TraceSubmit(t.Context(), subs)
		end(nil, errors.New("the database is away"))
		s := p.span(t, "schedule test.work")
		has(t, s, map[attribute.Key]string{"error.type": "*errors.errorString"})
		if s.Status.Code != codes.Error || s.Status.Description != "the database is away" {
			t.Errorf("the state is %+v, want the error", s.Status)
		}
	})

	t.Run("carries tracestate if it fits, and never the trace of nobody", func(t *testing.T) {
		t.Parallel()
		state := func(text string) context.Context {
			parsed, err := trace.ParseTraceState(text)
			if err != nil {
				t.Fatal(err)
			}
			return trace.ContextWithRemoteSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
				TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, TraceState: parsed,
			}))
		}
		var long []string
		for range 8 {
			long = append(long, strings.Repeat(string(rune('a'+len(long))), 8)+"="+strings.Repeat("x", 200))
		}
		p := newProcess()
		carried, _ := p.TraceSubmit(state("vendor=1,other=2"), subs)
		if _, rest, _ := strings.Cut(carried, "\n"); rest != "vendor=1,other=2" {
			t.Errorf("the row carries %q, want the state behind a line break", carried)
		}
		inside, _ := p.TraceAttempt(t.Context(), &gtf.Job{Trace: carried}, "")
		if got := trace.SpanContextFromContext(inside).TraceState().String(); got != "vendor=1,other=2" {
			t.Errorf("the attempt has the state %q", got)
		}
		carried, _ = p.TraceSubmit(state(strings.Join(long, ",")), subs)
		if strings.Contains(carried, "\n") || carried == "" {
			t.Errorf("the row carries %q, want no state", carried)
		}
		silent := otel.New(&otel.Options{TracerProvider: noop.NewTracerProvider()})
		if carried, _ = silent.TraceSubmit(t.Context(), subs); carried != "" {
			t.Errorf("the row carries %q, want nothing", carried)
		}
	})

	t.Run("has attempts that are not sampled where the submit is not", func(t *testing.T) {
		t.Parallel()
		never := otel.New(&otel.Options{TracerProvider: sdk.NewTracerProvider(sdk.WithSampler(sdk.NeverSample()))})
		carried, _ := never.TraceSubmit(t.Context(), subs)
		p := newProcess()
		_, end := p.TraceAttempt(t.Context(), &gtf.Job{Type: "test.work", Trace: carried}, "")
		end(gtf.AttemptEnd{Status: gtf.StatusSuccess})
		if spans := p.spans.GetSpans(); len(spans) != 0 || carried == "" {
			t.Errorf("the row carries %q and there are %d spans, want a text and none", carried, len(spans))
		}
	})
}
