// Package tracing makes spans and carries their context, in W3C Trace Context, for the rest of the kit and for services.
// It depends on OpenTelemetry's interfaces alone; package telemetry decides where spans go.
package tracing

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"sidecart.dev/kit/fault"
)

// Tracer makes the spans of the kit.
func Tracer() trace.Tracer { return otel.Tracer("sidecart.dev/kit") }

// Recording reports whether the context belongs to a trace that is recorded. The span itself may have ended: work often
// outlives the request that it is done for.
func Recording(ctx context.Context) bool { return trace.SpanContextFromContext(ctx).IsSampled() }

// Start starts a span inside the one of ctx, if that one is recorded, and returns what ends it with the outcome of the
// work. Work that belongs to no recorded trace has no span and costs nothing.
func Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, func(error)) {
	if !Recording(ctx) {
		return ctx, func(error) {}
	}
	ctx, span := Tracer().Start(ctx, name, opts...)
	return ctx, func(err error) { End(span, err) }
}

// End ends a span with the outcome of its work. Of an error only its code is kept: the text may say whom it is about.
func End(span trace.Span, err error) {
	if err != nil && span.IsRecording() {
		span.SetAttributes(semconv.ErrorTypeKey.String(fault.CodeOf(err)))
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// ownShare is the part of the traces, from 0 to 1, that this process samples by its own decision.
var ownShare atomic.Value

// SampleShare sets the part of the traces, from 0 to 1, that [FromStranger] samples. It is 0 before.
func SampleShare(share float64) { ownShare.Store(share) }

// decide decides about one trace without looking at any id: whoever could choose the id would choose the decision.
func decide() bool {
	share, ok := ownShare.Load().(float64)
	return ok && rand.Float64() < share //nolint:gosec // nothing secret depends on it
}

// From continues the trace that a sidecar passes on.
func From(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	return otel.GetTextMapPropagator().Extract(ctx, carrier)
}

// FromStranger continues the trace that anybody may have made up. Its ids are kept, so that a client finds its own trace
// again; whether it is sampled is decided here, by chance and the configured share alone, and what else it says is dropped.
func FromStranger(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	sc := trace.SpanContextFromContext(From(ctx, carrier))
	if !sc.IsValid() {
		return ctx
	}
	sc = sc.WithTraceState(trace.TraceState{}).WithTraceFlags(trace.TraceFlags(0).WithSampled(decide()))
	return trace.ContextWithRemoteSpanContext(ctx, sc)
}

// TraceParent returns the context's place in its trace as the W3C's traceparent, or nothing if it is in none.
func TraceParent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}

// Outgoing is [TraceParent], and that of a trace that is not sampled where the context is in none. A sidecar that is called
// without one would begin a trace for every routine call of the background.
func Outgoing(ctx context.Context) string {
	if parent := TraceParent(ctx); parent != "" {
		return parent
	}
	return fmt.Sprintf("00-%016x%016x-%016x-00", rand.Uint64(), rand.Uint64(), rand.Uint64()|1) //nolint:gosec // an id
}

// Links returns a link to each place in a trace that is given as a traceparent. Those that are none are left out.
func Links(traceparents ...string) []trace.Link {
	var links []trace.Link
	for _, tp := range traceparents {
		ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": tp})
		if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
			links = append(links, trace.Link{SpanContext: sc})
		}
	}
	return links
}

// LinkTo returns links to the recorded spans of other contexts.
func LinkTo(others ...context.Context) []trace.Link {
	var links []trace.Link
	for _, ctx := range others {
		if sc := trace.SpanContextFromContext(ctx); sc.IsSampled() {
			links = append(links, trace.Link{SpanContext: sc})
		}
	}
	return links
}

// Resume starts a span for work that was begun earlier, by what the traceparents name. It is the first of a trace of its
// own, linked to theirs. If none of them was sampled it is none, so that routine work of the background has no spans.
func Resume(ctx context.Context, name string, begunBy []string) (context.Context, func(error)) {
	links := Links(begunBy...)
	for _, link := range links {
		if link.SpanContext.IsSampled() {
			ctx, span := Tracer().Start(ctx, name, trace.WithNewRoot(), trace.WithLinks(links...))
			return ctx, func(err error) { End(span, err) }
		}
	}
	return ctx, func(error) {}
}
