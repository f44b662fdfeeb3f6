package cli

import (
	"context"
	"log/slog"
	"os"
	"sync"

	global "go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/globaltask/gtf/observer/otel"
)

// tracing sends spans by OTLP over HTTP. The variables of OpenTelemetry configure it.
type tracing struct {
	provider *trace.TracerProvider
	observer *otel.Tracer
}

// openTracing is nil unless a variable says where spans go.
func (c *Console) openTracing(ctx context.Context) (*tracing, error) {
	where := firstOf(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"))
	if where == "" || os.Getenv("OTEL_SDK_DISABLED") == "true" || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return nil, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, usage("traces: %w", err)
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(),
		resource.WithAttributes(attribute.String("service.name", c.name), attribute.String("service.version", c.version())),
		resource.WithFromEnv()) // the last word
	if err != nil {
		return nil, usage("traces: %w", err)
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(about))
	global.SetErrorHandler(&traceErrors{log: c.Logger(slog.LevelInfo)}) // the default one writes to standard error by itself
	return &tracing{provider: provider, observer: otel.New(&otel.Options{TracerProvider: provider})}, nil
}

// close sends what has not been sent. That it fails is no failure of the command: it is logged.
func (t *tracing) close(ctx context.Context) {
	if t == nil {
		return
	}
	if err := t.provider.Shutdown(ctx); err != nil {
		global.Handle(err)
	}
}

// traceErrors logs the first failure to send, and the others at debug: while the collector is away there is one every few
// seconds.
type traceErrors struct {
	log  *slog.Logger
	once sync.Once
}

// Handle implements the error handler of OpenTelemetry.
func (e *traceErrors) Handle(err error) {
	first := false
	e.once.Do(func() { first = true })
	if first {
		e.log.Warn("traces not sent; further failures are logged at debug", "error", err)
		return
	}
	e.log.Debug("traces not sent", "error", err)
}
