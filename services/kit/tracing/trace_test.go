package tracing_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"sidecart.dev/kit/tracing"
	"sidecart.dev/kit/tracing/tracingtest"
)

const (
	traceID   = "4bf92f3577b34da6a3ce929d0e0e4736"
	sampled   = "00-" + traceID + "-00f067aa0ba902b7-01"
	unsampled = "00-" + traceID + "-00f067aa0ba902b7-00"
)

func TestAStrangerKeepsItsTraceAndDecidesNothing(t *testing.T) {
	tracingtest.Record(t)
	for _, sent := range []string{sampled, unsampled} {
		for share, want := range map[float64]bool{0: false, 1: true} {
			tracing.SampleShare(share)
			ctx := tracing.FromStranger(t.Context(), propagation.MapCarrier{"traceparent": sent, "tracestate": "name=jane"})
			sc := trace.SpanContextFromContext(ctx)
			assert.Equal(t, traceID, sc.TraceID().String())
			assert.Equal(t, want, sc.IsSampled(), "share %v, sent %s", share, sent)
			assert.Empty(t, sc.TraceState().String())
		}
	}
	tracing.SampleShare(0.5)
	seen := map[bool]bool{}
	for range 200 { // by chance, although the trace is the same
		ctx := tracing.FromStranger(t.Context(), propagation.MapCarrier{"traceparent": sampled})
		seen[trace.SpanContextFromContext(ctx).IsSampled()] = true
	}
	assert.Len(t, seen, 2)
}

func TestASidecarIsBelieved(t *testing.T) {
	tracingtest.Record(t)
	for sent, want := range map[string]bool{sampled: true, unsampled: false} {
		ctx := tracing.From(t.Context(), propagation.MapCarrier{"traceparent": sent})
		assert.Equal(t, want, trace.SpanContextFromContext(ctx).IsSampled())
	}
}

func TestWorkOutsideATraceHasNoSpan(t *testing.T) {
	spans := tracingtest.Record(t)
	ctx, end := tracing.Start(t.Context(), "routine")
	end(nil)
	assert.False(t, tracing.Recording(ctx))
	assert.Empty(t, spans.Ended())
	assert.Regexp(t, `^00-[0-9a-f]{32}-[0-9a-f]{16}-00$`, tracing.Outgoing(ctx), "a sidecar is not to begin a trace either")
}

func TestResumedWorkIsATraceOfItsOwnThatIsLinkedToWhatBeganIt(t *testing.T) {
	spans := tracingtest.Record(t)
	ctx, end := tracing.Resume(t.Context(), "settle order", []string{"", unsampled})
	end(nil)
	assert.False(t, tracing.Recording(ctx), "nothing of it was sampled")

	_, end = tracing.Resume(t.Context(), "settle order", []string{"", "nonsense", sampled})
	end(errors.New("jane@example.com does not answer"))
	require.Len(t, spans.Ended(), 1)
	span := spans.Ended()[0]
	assert.NotEqual(t, traceID, span.SpanContext().TraceID().String())
	assert.False(t, span.Parent().IsValid())
	require.Len(t, span.Links(), 1)
	assert.Equal(t, traceID, span.Links()[0].SpanContext.TraceID().String())
	assert.Empty(t, span.Status().Description, "an error's text may say whom it is about")
	assert.Empty(t, span.Events())
}

func TestWorkThatOutlivesItsRequestStaysInTheTrace(t *testing.T) {
	spans := tracingtest.Record(t)
	ctx, request := tracing.Tracer().Start(t.Context(), "request")
	request.End()
	_, end := tracing.Start(ctx, "afterwards")
	end(nil)
	require.Len(t, spans.Ended(), 2)
	assert.Equal(t, request.SpanContext().SpanID(), spans.Ended()[1].Parent().SpanID())
}

func TestLinksAreOnlyMadeToWhatIsRecorded(t *testing.T) {
	tracingtest.Record(t)
	links := tracing.LinkTo(t.Context(),
		tracing.From(context.Background(), propagation.MapCarrier{"traceparent": unsampled}),
		tracing.From(context.Background(), propagation.MapCarrier{"traceparent": sampled}))
	assert.Len(t, links, 1)
}

func TestASpanNamesOnlyIdsOfThisSystem(t *testing.T) {
	spans := tracingtest.Record(t)
	for id, want := range map[string]bool{
		"ord_abcdefghijklmnopqrstuvwxyz": true, "pay_0d9b3cc8-08a5-5a0e-8f3a-27cbe5b1d1f5": true,
		"0d9b3cc8-08a5-4a0e-8f3a-27cbe5b1d1f5": true,
		"":                                     false, "jane@example.com": false, "ord_Jane Doe": false, "4111111111111111": false, "tok_visa": false,
	} {
		ctx, span := tracing.Tracer().Start(t.Context(), "request", tracing.About(id))
		tracing.Mention(ctx, id)
		span.End()
		ended := spans.Ended()
		assert.Equal(t, want, len(ended[len(ended)-1].Attributes()) == 1, id)
	}
}
