// Package tracing makes spans and carries their context, in W3C Trace Context, for the rest of the
// kit and for services. It depends on OpenTelemetry's interfaces alone; package telemetry decides
// where spans go.
package tracing

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"sidecart.dev/kit/fault"
)

// Tracer makes the spans of the kit.
func Tracer() trace.Tracer { return otel.Tracer("sidecart.dev/kit") }

// Recording reports whether the context belongs to a trace that is recorded. The span itself may
// have ended: work often outlives the request that it is done for.
func Recording(ctx context.Context) bool { return trace.SpanContextFromContext(ctx).IsSampled() }

// Start starts a span inside the one of ctx, if that one is recorded, and returns what ends it with
// the outcome of the work. Work that belongs to no recorded trace has no span and costs nothing.
func Start(
	ctx context.Context, name string, opts ...trace.SpanStartOption,
) (context.Context, func(error)) {
	if !Recording(ctx) {
		return ctx, func(error) {}
	}
	ctx, span := Tracer().Start(ctx, name, opts...)
	return ctx, func(err error) { End(span, err) }
}

// StartCall is [Start] for a call to something that has no spans of its own, such as a payment
// provider.
func StartCall(ctx context.Context, peer, operation string) (context.Context, func(error)) {
	return Start(ctx, peer+" "+operation, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(semconv.ServicePeerName(peer)))
}

// End ends a span with the outcome of its work. Of an error only its code is kept: the text may say
// whom it is about.
func End(span trace.Span, err error) {
	if err != nil && span.IsRecording() {
		span.SetAttributes(semconv.ErrorTypeKey.String(fault.CodeOf(err)))
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// ownShare is the part of the traces, from 0 to 1, that this process samples by its own decision.
var ownShare atomic.Value

// SampleShare sets the part of the traces, from 0 to 1, that [FromStranger] samples. It is 0
// before.
func SampleShare(share float64) { ownShare.Store(share) }

// decide decides about one trace without looking at any id: whoever could choose the id would
// choose the decision.
func decide() bool {
	share, ok := ownShare.Load().(float64)
	return ok && rand.Float64() < share //nolint:gosec // nothing secret depends on it
}

// From continues the trace that a sidecar passes on.
func From(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	return otel.GetTextMapPropagator().Extract(ctx, carrier)
}

// Continue continues the trace at the place that a traceparent names, for work that outlives the
// request it is done for. What is no traceparent changes nothing.
func Continue(ctx context.Context, traceparent string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent})
}

// resourceID is the attribute of a span with the id of the order, payment or other thing that its
// work is about.
const resourceID = attribute.Key("sidecart.resource.id")

// wellFormed are the ids that this system gives: random or derived, so that nobody's words are
// among them.
var wellFormed = regexp.MustCompile(
	`^([a-z]{3}_)?([a-z2-7]{26}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$`)

// About says in a new span which order, payment or other thing its work is about. What is no id of
// this system is left out: somebody may have typed it.
func About(id string) trace.SpanStartOption { return trace.WithAttributes(about(id)...) }

// Mention is [About] for the span of ctx.
func Mention(ctx context.Context, id string) {
	trace.SpanFromContext(ctx).SetAttributes(about(id)...)
}

func about(id string) []attribute.KeyValue {
	if !wellFormed.MatchString(id) {
		return nil
	}
	return []attribute.KeyValue{resourceID.String(id)}
}

// FromStranger continues the trace that anybody may have made up. Its ids are kept, so that a
// client finds its own trace again; whether it is sampled is decided here, by chance and the
// configured share alone, and what else it says is dropped.
func FromStranger(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	sc := trace.SpanContextFromContext(From(ctx, carrier))
	if !sc.IsValid() {
		return ctx
	}
	flags := trace.TraceFlags(0).WithSampled(decide())
	sc = sc.WithTraceState(trace.TraceState{}).WithTraceFlags(flags)
	return trace.ContextWithRemoteSpanContext(ctx, sc)
}

// TraceParent returns the context's place in its trace as the W3C's traceparent, or nothing if it
// is in none.
func TraceParent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}

// Outgoing is [TraceParent], and that of a trace that is not sampled where the context is in none.
// A sidecar that is called without one would begin a trace for every routine call of the
// background.
func Outgoing(ctx context.Context) string {
	if parent := TraceParent(ctx); parent != "" {
		return parent
	}
	//nolint:gosec // an id, no secret
	return fmt.Sprintf("00-%016x%016x-%016x-00", rand.Uint64(), rand.Uint64(), rand.Uint64()|1)
}

// Links returns a link to each place in a trace that is given as a traceparent. Those that are none
// are left out.
func Links(traceparents ...string) []trace.Link {
	var links []trace.Link
	for _, tp := range traceparents {
		carrier := propagation.MapCarrier{"traceparent": tp}
		ctx := propagation.TraceContext{}.Extract(context.Background(), carrier)
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

// Resume starts a span for work that was begun earlier, by what the traceparents name. It is the
// first of a trace of its own, linked to theirs. If none of them was sampled it is none, so that
// routine work of the background has no spans.
func Resume(
	ctx context.Context, name string, begunBy []string, opts ...trace.SpanStartOption,
) (context.Context, func(error)) {
	links := Links(begunBy...)
	for _, link := range links {
		if link.SpanContext.IsSampled() {
			opts = append(opts, trace.WithNewRoot(), trace.WithLinks(links...))
			ctx, span := Tracer().Start(ctx, name, opts...)
			return ctx, func(err error) { End(span, err) }
		}
	}
	return ctx, func(error) {}
}
