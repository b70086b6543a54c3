package daprclient

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/status"

	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/tracing"
)

// component is the attribute of a span with the name of the component that a sidecar is asked to
// use.
const component = attribute.Key("sidecart.component")

// startCall starts the span of one call of the sidecar's gRPC API, inside a recorded trace, and
// returns what ends it.
func startCall(ctx context.Context, method string, req any) (context.Context, func(error)) {
	if !tracing.Recording(ctx) {
		return ctx, func(error) {}
	}
	method = strings.TrimPrefix(method, "/")
	attrs := []attribute.KeyValue{semconv.RPCSystemNameGRPC, semconv.RPCMethod(method)}
	switch r := req.(type) {
	case interface{ GetStoreName() string }:
		attrs = append(attrs, component.String(r.GetStoreName()))
	case interface {
		GetPubsubName() string
		GetTopic() string
	}:
		attrs = append(attrs, component.String(r.GetPubsubName()),
			semconv.MessagingDestinationName(r.GetTopic()))
	case interface{ GetName() string }:
		attrs = append(attrs, component.String(r.GetName()))
	}
	ctx, span := startClient(ctx, method, attrs...)
	return ctx, func(err error) {
		span.SetAttributes(semconv.RPCResponseStatusCode(grpcStatus(err)))
		if err != nil {
			span.SetAttributes(semconv.ErrorTypeKey.String(grpcStatus(err)))
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

func startClient(ctx context.Context, name string, attrs ...attribute.KeyValue,
) (context.Context, trace.Span) {
	return tracing.Tracer().Start(ctx, name,
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attrs...))
}

// grpcStatus is the name of the status in a span. A context that has ended counts as the status
// that gRPC has for it.
func grpcStatus(err error) string {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		err = status.FromContextError(err).Err()
	}
	return status.Code(err).String()
}

// shared starts the span of a call that is made for several who wait for it. It is a child of the
// first of them whose trace is recorded, and linked to the others. A call for one has the span of
// its own call alone.
func shared(name string, waiting []context.Context) (context.Context, func(error)) {
	first := 0
	for i, ctx := range waiting {
		if tracing.Recording(ctx) {
			first = i
			break
		}
	}
	ctx := waiting[first]
	if len(waiting) == 1 {
		return ctx, func(error) {}
	}
	return tracing.Start(ctx, name, trace.WithLinks(tracing.LinkTo(waiting[first+1:]...)...),
		trace.WithAttributes(attribute.Int("sidecart.shared_by", len(waiting))))
}

// startRequest starts the span of a request to another app, inside a recorded trace, and returns
// what ends it.
func startRequest(req *http.Request) (context.Context, func(*http.Response, error)) {
	ctx := req.Context()
	if !tracing.Recording(ctx) {
		return ctx, func(*http.Response, error) {}
	}
	app := req.Header.Get(sidecar.AppIDHeader)
	ctx, span := startClient(ctx, req.Method,
		semconv.HTTPRequestMethodKey.String(req.Method), semconv.ServicePeerName(app))
	return ctx, func(resp *http.Response, err error) {
		switch {
		case err != nil:
			span.SetAttributes(semconv.ErrorTypeOther)
			span.SetStatus(codes.Error, "")
		case resp.StatusCode >= http.StatusBadRequest:
			span.SetAttributes(semconv.HTTPResponseStatusCode(resp.StatusCode),
				semconv.ErrorTypeKey.String(strconv.Itoa(resp.StatusCode)))
			span.SetStatus(codes.Error, "")
		default:
			span.SetAttributes(semconv.HTTPResponseStatusCode(resp.StatusCode))
		}
		span.End()
	}
}

func contexts[R interface{ context() context.Context }](requests []R) []context.Context {
	all := make([]context.Context, len(requests))
	for i, r := range requests {
		all[i] = r.context()
	}
	return all
}
