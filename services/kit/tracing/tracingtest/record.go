// Package tracingtest records the spans of a test.
package tracingtest

import (
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"sidecart.dev/kit/tracing"
)

// Record records every span that is made until the test ends. Tests that use it must not run in
// parallel with others, because the tracer is the process's.
func Record(t testing.TB) *tracetest.SpanRecorder {
	provider, propagator := otel.GetTracerProvider(), otel.GetTextMapPropagator()
	t.Cleanup(func() {
		otel.SetTracerProvider(provider)
		otel.SetTextMapPropagator(propagator)
		tracing.SampleShare(0)
	})
	spans := tracetest.NewSpanRecorder()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))
	otel.SetTextMapPropagator(propagation.TraceContext{})
	tracing.SampleShare(1)
	return spans
}
