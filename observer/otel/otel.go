// Package otel follows tasks by OpenTelemetry: from the submit over the queue to each attempt, one trace across processes.
//
//	client, err := gtf.New(store, &gtf.Config{Observer: otel.New(nil)})
//
// Both processes need it: the one that submits has the row carry its span, the one that executes goes on from there. What
// functions start with their context is below the span of the attempt. The package knows the API only: which spans are
// kept and where they go is the program's choice of a provider. docs/how-to/tracing.md has the spans and their attributes.
package otel

import (
	"context"
	"strings"
	"sync"

	api "go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/globaltask/gtf"
)

// Options says where spans go.
type Options struct {
	// TracerProvider makes the spans. Default the global one.
	TracerProvider trace.TracerProvider
}

// Tracer makes the spans of a process; its clients may share it.
type Tracer struct {
	tracer   trace.Tracer
	attempts sync.Map // spans of what runs here, by attempt
}

var (
	_ gtf.Observer = (*Tracer)(nil)
	_ gtf.Tracer   = (*Tracer)(nil)
)

// Attributes that the conventions for messaging have no name for.
const (
	taskType    = attribute.Key("gtf.task.type")
	taskAttempt = attribute.Key("gtf.task.attempt")
	taskMode    = attribute.Key("gtf.task.mode")
	taskStatus  = attribute.Key("gtf.task.status") // after the attempt
	taskJoined  = attribute.Key("gtf.task.joined") // the submit created nothing
	tasksJoined = attribute.Key("gtf.tasks.joined")
	taskWaited  = attribute.Key("gtf.task.waited_seconds")
	taskCause   = attribute.Key("gtf.task.cause")
)

var system = semconv.MessagingSystemKey.String("gtf")

// New makes a Tracer. nil opts are the zero ones.
func New(opts *Options) *Tracer {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.TracerProvider == nil {
		o.TracerProvider = api.GetTracerProvider()
	}
	return &Tracer{tracer: o.TracerProvider.Tracer("github.com/globaltask/gtf/observer/otel", trace.WithSchemaURL(semconv.SchemaURL))}
}

// TraceSubmit makes a span of a submit, whose context the rows carry.
func (t *Tracer) TraceSubmit(ctx context.Context, subs []*gtf.Submission) (carried string, ended func([]gtf.Submitted, error)) {
	first := subs[0]
	verb := "schedule"
	if first.Mode == gtf.ModeSync {
		verb = "run"
	}
	attributes := []attribute.KeyValue{
		system, semconv.MessagingOperationTypeSend, semconv.MessagingOperationName(verb),
		semconv.MessagingDestinationName(first.Queue), taskType.String(first.Type),
	}
	if len(subs) > 1 {
		attributes = append(attributes, semconv.MessagingBatchMessageCount(len(subs)))
	}
	ctx, span := t.tracer.Start(ctx, verb+" "+first.Type, trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(attributes...))
	return pack(ctx), func(done []gtf.Submitted, err error) {
		defer span.End()
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
			span.SetAttributes(semconv.ErrorType(err))
			return
		}
		span.SetAttributes(answer(done)...)
	}
}

// answer describes what a submit came back with.
func answer(done []gtf.Submitted) []attribute.KeyValue {
	if len(done) == 1 {
		return []attribute.KeyValue{semconv.MessagingMessageID(done[0].ID.String()), taskJoined.Bool(!done[0].Created)}
	}
	joined := 0
	for _, d := range done {
		if !d.Created {
			joined++
		}
	}
	return []attribute.KeyValue{tasksJoined.Int(joined)}
}

// TraceAttempt makes a span of an attempt, below the one that submitted the task.
func (t *Tracer) TraceAttempt(ctx context.Context, job *gtf.Job, worker string) (inside context.Context, ended func(gtf.AttemptEnd)) {
	ctx, span := t.tracer.Start(unpack(ctx, job.Trace), job.Type, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		system, semconv.MessagingOperationTypeProcess, semconv.MessagingOperationName("run"),
		semconv.MessagingDestinationName(job.Queue), semconv.MessagingMessageID(job.ID.String()), semconv.MessagingClientID(worker),
		taskType.String(job.Type), taskMode.String(string(job.Mode)), taskAttempt.Int64(job.Claim), taskWaited.Float64(job.Waited.Seconds()),
	))
	at := attempt{job.ID, int(job.Claim)}
	if span.IsRecording() {
		t.attempts.Store(at, span)
	}
	return ctx, func(end gtf.AttemptEnd) {
		defer span.End()
		t.attempts.Delete(at)
		span.SetAttributes(taskStatus.String(string(end.Status)))
		switch end.Status {
		case gtf.StatusSuccess, gtf.StatusAborted: // that somebody stopped it is no fault
		case "":
			span.SetStatus(codes.Error, "the claim was lost; the outcome is not stored")
			span.SetAttributes(semconv.ErrorTypeKey.String("claim_lost"))
		default:
			span.SetStatus(codes.Error, end.Error)
			span.SetAttributes(semconv.ErrorTypeKey.String(errorType(end)))
		}
	}
}

type attempt struct {
	id     gtf.ID
	number int
}

// errorType is never empty.
func errorType(end gtf.AttemptEnd) string {
	if end.ErrorType != "" {
		return end.ErrorType
	}
	return string(end.Status)
}

// Observe adds to the span of an attempt what happens to it meanwhile.
func (t *Tracer) Observe(e gtf.Event) {
	if e.Kind != gtf.EventInterrupted && e.Kind != gtf.EventStuck {
		return
	}
	found, _ := t.attempts.Load(attempt{e.ID, e.Attempt})
	span, ok := found.(trace.Span)
	if !ok {
		return
	}
	var attributes []attribute.KeyValue
	if e.Err != nil {
		attributes = append(attributes, taskCause.String(e.Err.Error()))
	}
	span.AddEvent(string(e.Kind), trace.WithAttributes(attributes...))
}

// What the W3C calls the two parts of a span's context.
const (
	traceparent = "traceparent"
	tracestate  = "tracestate"
)

// pack is the text of ctx's span: traceparent, and behind a line break tracestate, unless that is too long or empty. Baggage
// stays behind: it may name people, and rows are kept for months.
func pack(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	text := carrier[traceparent]
	if state := carrier[tracestate]; state != "" && len(text)+1+len(state) <= gtf.MaxTrace {
		text += "\n" + state
	}
	return text
}

// unpack is ctx below the packed span; ctx itself if the text is none.
func unpack(ctx context.Context, text string) context.Context {
	parent, state, _ := strings.Cut(text, "\n")
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{traceparent: parent, tracestate: state})
}
