package tracing

import (
	"context"
	"encoding/hex"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
)

// receiver keeps every span that services and sidecars export. It is safe for concurrent use.
type receiver struct {
	collector.UnimplementedTraceServiceServer

	mu    sync.Mutex
	spans []*span
}

// span is one that was received, with who made it.
type span struct {
	*otlp.Span
	resource *resource.Resource
	scope    *common.InstrumentationScope
	app      string
	sidecar  bool // the app's sidecar made it
	trace    string
}

// startReceiver starts a receiver on a free port until the test ends, and returns its address.
func startReceiver(t *testing.T) (*receiver, string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &receiver{}
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, r)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return r, listener.Addr().String()
}

// Export implements the trace service.
func (r *receiver) Export(
	_ context.Context, req *collector.ExportTraceServiceRequest,
) (*collector.ExportTraceServiceResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, from := range req.GetResourceSpans() {
		app := attribute(from.GetResource().GetAttributes(), "service.name")
		for _, scope := range from.GetScopeSpans() {
			sidecar := !strings.HasPrefix(scope.GetScope().GetName(), "sidecart.dev/")
			for _, s := range scope.GetSpans() {
				r.spans = append(r.spans, &span{
					Span: s, resource: from.GetResource(), scope: scope.GetScope(), app: app, sidecar: sidecar,
					trace: hex.EncodeToString(s.GetTraceId()),
				})
			}
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// all returns what was received so far.
func (r *receiver) all() []*span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*span(nil), r.spans...)
}

// of returns the spans of a trace so far.
func (r *receiver) of(trace string) tree {
	found := tree{}
	for _, s := range r.all() {
		if s.trace == trace {
			found[string(s.GetSpanId())] = s
		}
	}
	return found
}

// attribute returns a text among attributes, or nothing.
func attribute(attributes []*common.KeyValue, key string) string {
	for _, a := range attributes {
		if a.GetKey() == key {
			return a.GetValue().GetStringValue()
		}
	}
	return ""
}

// who is the app that made the span, or its sidecar.
func (s *span) who() string {
	if s.sidecar {
		return s.app + "'s sidecar"
	}
	return s.app
}

// awaitSteps waits until the trace has a path of those steps, and reports whether it came to that
// before ctx ended.
func (r *receiver) awaitSteps(ctx context.Context, trace string, steps []step) bool {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for r.of(trace).path(steps) < len(steps) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}
