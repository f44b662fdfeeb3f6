package observertest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/globaltask/gtf"
)

type key struct{}

// traced are the parts for tracers.
func (s *suite) traced(t *testing.T) {
	t.Helper()
	if _, ok := s.open(t).(gtf.Tracer); !ok {
		return
	}
	if s.opts.Begin == nil || s.opts.TraceID == nil {
		t.Fatal("the observer is a gtf.Tracer: Options.Begin and Options.TraceID are needed")
	}
	s.test("a trace goes on from the submit to the attempt in another process", func(f *fixture) {
		ctx := f.Begin(f.Context())
		trace := f.submit(ctx, 1)
		if trace == "" {
			f.Fatal("the row carries nothing of the trace")
		}
		other := f.beside(s.open(f.T))
		inside, end := other.attempt(trace, 1)
		if got, want := f.TraceID(inside), f.TraceID(ctx); got != want || want == "" {
			f.Errorf("the attempt is in trace %q, want that of the submit, %q", got, want)
		}
		next := other.submit(inside, 1)
		end(gtf.AttemptEnd{Status: gtf.StatusPending, Error: "not yet", ErrorType: "*errors.errorString"})

		again, end := f.attempt(trace, 2)
		if got, want := f.TraceID(again), f.TraceID(ctx); got != want {
			f.Errorf("the second attempt is in trace %q, want %q", got, want)
		}
		end(gtf.AttemptEnd{Status: gtf.StatusSuccess})

		nested, end := f.attempt(next, 1)
		if got, want := f.TraceID(nested), f.TraceID(ctx); got != want {
			f.Errorf("a task submitted by the attempt is in trace %q, want %q", got, want)
		}
		end(gtf.AttemptEnd{Status: gtf.StatusSuccess})
	})
	s.test("tasks of one submit share its trace", func(f *fixture) {
		ctx := f.Begin(f.Context())
		trace := f.submit(ctx, 3)
		for range 3 {
			inside, end := f.attempt(trace, 1)
			if got, want := f.TraceID(inside), f.TraceID(ctx); got != want {
				f.Errorf("the attempt is in trace %q, want %q", got, want)
			}
			end(gtf.AttemptEnd{Status: gtf.StatusSuccess})
		}
	})
	s.test("TraceSubmit takes a context that has ended, and an error", func(f *fixture) {
		ctx, cancel := context.WithCancel(f.Begin(f.Context()))
		cancel()
		trace, end := f.tracer().TraceSubmit(ctx, submissions(2))
		f.checkTrace(trace)
		if end != nil {
			end(nil, errors.New("the database is away"))
		}
	})
	s.test("TraceAttempt takes a text that is not its own, and every outcome", func(f *fixture) {
		for _, trace := range []string{"", "nonsense", "\n", strings.Repeat("x", gtf.MaxTrace), "00-0-0-0", "\xff"} {
			for _, status := range append(gtf.Statuses(), "") {
				_, end := f.attempt(trace, 1)
				end(gtf.AttemptEnd{Status: status, Error: "it \xff broke\n", ErrorType: "panic"})
			}
		}
	})
	s.test("TraceAttempt keeps what the context carries, and does not end it", func(f *fixture) {
		parent, cancel := context.WithCancel(context.WithValue(f.Context(), key{}, "kept"))
		inside, end := f.tracer().TraceAttempt(parent, job("", 1), "worker")
		if inside == nil {
			f.Fatal("there is no context")
		}
		if got := inside.Value(key{}); got != "kept" {
			f.Errorf("the context carries %v, want what it was derived from", got)
		}
		if _, limited := inside.Deadline(); limited || inside.Err() != nil {
			f.Errorf("the context has a limit or has ended: %v", inside.Err())
		}
		if end != nil {
			end(gtf.AttemptEnd{Status: gtf.StatusSuccess})
		}
		if inside.Err() != nil {
			f.Errorf("the context ends with the trace: %v", inside.Err())
		}
		cancel()
		if inside.Err() == nil {
			f.Error("the context does not end with what it was derived from")
		}
	})
	s.test("traces of many goroutines stay apart, events between them", func(f *fixture) {
		together(32, func(int) {
			ctx := f.Begin(f.Context())
			trace := f.submit(ctx, 1)
			j := job(trace, 1)
			inside, end := f.tracer().TraceAttempt(f.Context(), j, "worker")
			for _, e := range events() {
				e.ID, e.Attempt = j.ID, 1
				f.Observe(e)
			}
			if got, want := f.TraceID(inside), f.TraceID(ctx); got != want {
				f.Errorf("the attempt is in trace %q, want %q", got, want)
			}
			if end != nil {
				end(gtf.AttemptEnd{Status: gtf.StatusSuccess})
			}
			for _, e := range events() { // what is told too late
				e.ID, e.Attempt = j.ID, 1
				f.Observe(e)
			}
		})
	})
}

// beside is the same test with another observer: another process.
func (f *fixture) beside(o gtf.Observer) *fixture {
	return &fixture{T: f.T, Observer: o, Options: f.Options}
}

func (f *fixture) tracer() gtf.Tracer {
	f.Helper()
	tracer, ok := f.Observer.(gtf.Tracer)
	if !ok {
		f.Fatalf("%T is no gtf.Tracer", f.Observer)
	}
	return tracer
}

// submit traces n new tasks and returns what their rows carry.
func (f *fixture) submit(ctx context.Context, n int) string {
	f.Helper()
	subs := submissions(n)
	trace, end := f.tracer().TraceSubmit(ctx, subs)
	f.checkTrace(trace)
	if end != nil {
		done := make([]gtf.Submitted, n)
		for i, s := range subs {
			done[i] = gtf.Submitted{ID: s.ID, Created: i%2 == 0}
		}
		end(done, nil)
	}
	return trace
}

// attempt traces an attempt of a task that carries trace.
func (f *fixture) attempt(trace string, number int64) (context.Context, func(gtf.AttemptEnd)) {
	f.Helper()
	inside, end := f.tracer().TraceAttempt(f.Context(), job(trace, number), "worker")
	if inside == nil {
		f.Fatal("there is no context")
	}
	if end == nil {
		end = func(gtf.AttemptEnd) {}
	}
	return inside, end
}

func submissions(n int) []*gtf.Submission {
	subs := make([]*gtf.Submission, n)
	for i := range subs {
		subs[i] = &gtf.Submission{ID: gtf.NewID(), Type: "report.export", Mode: gtf.ModeAsync, Queue: gtf.DefaultQueue}
	}
	return subs
}

func job(trace string, attempt int64) *gtf.Job {
	return &gtf.Job{Ref: gtf.Ref{ID: gtf.NewID(), Claim: attempt}, Type: "report.export", Mode: gtf.ModeAsync, Queue: gtf.DefaultQueue,
		Trace: trace}
}
