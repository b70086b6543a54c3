package aggregate_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/kit/tracing"
	"sidecart.dev/kit/tracing/tracingtest"
)

// The process that packed a parcel dies. Whoever ships it, and all who hear of that, are led back
// to the request to pack it.
func TestWorkThatIsResumedLeadsBackToTheTraceThatBeganIt(t *testing.T) {
	spans := tracingtest.Record(t)
	w := newWorld(t)
	ctx, request := tracing.Tracer().Start(t.Context(), "request")
	first := &sidecartest.Process{}
	parcels := w.parcels(first)
	_, _, err := parcels.Create(ctx, "p1", pack("p1"))
	require.NoError(t, err)
	parcels.Drain(ctx)
	request.End()
	w.hear()

	next := &sidecartest.Process{}
	require.NoError(t, w.journal.Settle(t.Context(), next, kinds(w.parcels(next)), time.Hour))
	settle := named(t, spans.Ended(), "settle parcel")
	assert.NotEqual(t, request.SpanContext().TraceID(), settle.SpanContext().TraceID())
	require.Len(t, settle.Links(), 1)
	assert.Equal(t, request.SpanContext().TraceID(), settle.Links()[0].SpanContext.TraceID())

	e, err := event.Parse(w.bus.Take(0).Body)
	require.NoError(t, err)
	links := tracing.Links(e.TraceParent)
	require.Len(t, links, 1)
	assert.Equal(t, settle.SpanContext().TraceID(), links[0].SpanContext.TraceID(),
		"what follows belongs to the resumed work")

	w.settle()
	w.check("p1", "packed", "shipped")
	item, err := w.state.Get(t.Context(), "parcel/p1")
	require.NoError(t, err)
	var stored struct {
		Trace string `json:"traceparent"`
	}
	require.NoError(t, json.Unmarshal(item.Value, &stored))
	assert.Contains(t, stored.Trace, request.SpanContext().TraceID().String())

	// What begins new business of the same document is what its work leads back to from then on.
	ctx, second := tracing.Tracer().Start(t.Context(), "second request")
	_, err = w.parcels(&sidecartest.Process{}).Change(ctx, "p1", takeBack)
	require.NoError(t, err)
	item, err = w.state.Get(t.Context(), "parcel/p1")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(item.Value, &stored))
	assert.Contains(t, stored.Trace, second.SpanContext().TraceID().String())
}

func TestADocumentThatIsNotTracedIsStoredAsItIs(t *testing.T) {
	w := newWorld(t)
	_, _, err := w.parcels(&sidecartest.Process{}).Create(t.Context(), "p1", pack("p1"))
	require.NoError(t, err)
	item, err := w.state.Get(t.Context(), "parcel/p1")
	require.NoError(t, err)
	assert.NotContains(t, string(item.Value), "traceparent")
}

func named(t *testing.T, spans []sdktrace.ReadOnlySpan, name string) sdktrace.ReadOnlySpan {
	t.Helper()
	for _, span := range spans {
		if span.Name() == name {
			return span
		}
	}
	require.Fail(t, "no span "+name)
	return nil
}
