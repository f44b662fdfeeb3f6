package otel_test

import (
	"go.opentelemetry.io/otel/trace"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/observer/otel"
)

// Example is how a program follows tasks with the provider that it has, beside its metrics.
func Example() {
	_ = func(store gtf.Store, provider trace.TracerProvider, metrics gtf.Observer, handlers []gtf.Handler) (*gtf.Client, error) {
		traces := otel.New(&otel.Options{TracerProvider: provider})
		return gtf.New(store, &gtf.Config{Observer: gtf.Observers(metrics, traces), Handlers: handlers})
	}
}
