package daprclient

import (
	"context"
	"errors"
	"net/http"
	"testing"

	runtime "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/tracing"
	"sidecart.dev/kit/tracing/tracingtest"
)

func TestACallOfTheSidecarIsASpanAndNamesItsComponent(t *testing.T) {
	spans := tracingtest.Record(t)
	ctx, root := tracing.Tracer().Start(t.Context(), "request")
	for _, c := range []struct {
		req       any
		component string
	}{
		{&runtime.GetStateRequest{StoreName: "orders-store", Key: "order/1"}, "orders-store"},
		{&runtime.PublishEventRequest{PubsubName: "bus", Topic: "orders"}, "bus"},
		{&runtime.InvokeBindingRequest{
			Name: "email", Metadata: map[string]string{"emailTo": "jane@example.com"},
		}, "email"},
	} {
		var carried string
		invoke := func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn,
			_ ...grpc.CallOption,
		) error {
			md, _ := metadata.FromOutgoingContext(ctx)
			carried = md.Get("traceparent")[0]
			return status.Error(codes.Unavailable, "jane@example.com")
		}
		cfg, method := Config{Timeout: 1 << 40}, "/dapr.proto.runtime.v1.Dapr/Call"
		require.Error(t, cfg.intercept(ctx, method, c.req, nil, nil, invoke))
		span := last(t, spans.Ended())
		assert.Equal(t, "dapr.proto.runtime.v1.Dapr/Call", span.Name())
		assert.Equal(t, root.SpanContext().SpanID(), span.Parent().SpanID())
		assert.Contains(t, carried, span.SpanContext().SpanID().String(),
			"the sidecar continues below the call")
		assert.Contains(t, span.Attributes(), attribute.String("sidecart.component", c.component))
		assert.Contains(t, span.Attributes(), attribute.String("error.type", "Unavailable"))
		for _, a := range span.Attributes() {
			assert.NotContains(t, a.Value.String(), "jane")
		}
		assert.Empty(t, span.Status().Description)
	}
}

func TestACallForSeveralIsBelowOneOfThemAndLinkedToTheOthers(t *testing.T) {
	spans := tracingtest.Record(t)
	first, a := tracing.Tracer().Start(t.Context(), "first")
	second, b := tracing.Tracer().Start(t.Context(), "second")
	_, end := shared("read together", []context.Context{t.Context(), first, second})
	end(nil)
	span := last(t, spans.Ended())
	assert.Equal(t, a.SpanContext().SpanID(), span.Parent().SpanID())
	require.Len(t, span.Links(), 1)
	assert.Equal(t, b.SpanContext().SpanID(), span.Links()[0].SpanContext.SpanID())

	_, end = shared("read together", []context.Context{first})
	end(nil)
	assert.Len(t, spans.Ended(), 1, "a call for one needs no span besides its own")
}

func TestARequestToAnotherAppIsASpanThatNamesTheApp(t *testing.T) {
	spans := tracingtest.Record(t)
	ctx, _ := tracing.Tracer().Start(t.Context(), "request")
	var carried http.Header
	rt := &transport{base: roundTrip(func(r *http.Request) (*http.Response, error) {
		if carried = r.Header; r.URL.Path == "/broken" {
			return nil, errors.New("broken")
		}
		return &http.Response{StatusCode: http.StatusNotFound}, nil
	})}
	for path, kind := range map[string]string{"/users/me?email=jane": "404", "/broken": "_OTHER"} {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1"+path, nil)
		require.NoError(t, err)
		req.Header.Set(sidecar.AppIDHeader, "users")
		_, _ = rt.RoundTrip(req)
		span := last(t, spans.Ended())
		assert.Contains(t, carried.Get("traceparent"), span.SpanContext().SpanID().String())
		assert.Contains(t, span.Attributes(), attribute.String("service.peer.name", "users"))
		assert.Contains(t, span.Attributes(), attribute.String("error.type", kind))
	}
}

func TestACallOutsideATraceBeginsNone(t *testing.T) {
	spans := tracingtest.Record(t)
	err := Config{Timeout: 1 << 40}.intercept(t.Context(), "/x/Y", nil, nil, nil,
		func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
			md, _ := metadata.FromOutgoingContext(ctx)
			assert.Regexp(t, "-00$", md.Get("traceparent")[0])
			return nil
		})
	require.NoError(t, err)
	assert.Empty(t, spans.Ended())
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func last(t *testing.T, spans []sdktrace.ReadOnlySpan) sdktrace.ReadOnlySpan {
	t.Helper()
	require.NotEmpty(t, spans)
	return spans[len(spans)-1]
}
