package otlp

import (
	"bytes"
	"compress/gzip"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"sidecart.dev/local/console/traces"
)

const traceID = "01000000000000000000000000000000"

func textValue(s string) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: s}}
}

func request(change ...func(*trace.Span)) *collector.ExportTraceServiceRequest {
	span := &trace.Span{
		TraceId: append(
			[]byte{1},
			make([]byte, 15)...), SpanId: []byte{1, 2, 3, 4, 5, 6, 7, 8}, Name: "POST /orders",
		StartTimeUnixNano: 2_000, EndTimeUnixNano: 7_000, Kind: trace.Span_SPAN_KIND_SERVER,
		Attributes: []*common.KeyValue{{Key: "http.route", Value: textValue("/orders")}},
	}
	for _, f := range change {
		f(span)
	}
	service := []*common.KeyValue{{Key: "service.name", Value: textValue("orders")}}
	return &collector.ExportTraceServiceRequest{ResourceSpans: []*trace.ResourceSpans{{
		Resource: &resource.Resource{
			Attributes: service,
		}, ScopeSpans: []*trace.ScopeSpans{{Spans: []*trace.Span{span}}},
	}}}
}

func TestAConflictOfWritersIsNoFailure(t *testing.T) {
	for message, failed := range map[string]bool{
		"failed saving state: possible etag mismatch": false, "the store is gone": true,
	} {
		spans, _ := decode(request(func(s *trace.Span) {
			s.Attributes[0].Key = "dapr.api"
			s.Status = &trace.Status{Code: trace.Status_STATUS_CODE_ERROR, Message: message}
		}))
		if spans[0].Error != failed || spans[0].Message != message {
			t.Errorf("a sidecar's %q is a failure: %t", message, spans[0].Error)
		}
	}
}

func TestSpansAreReceivedByGRPC(t *testing.T) {
	store := traces.New(traces.Limits{})
	server := New(store).GRPC()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	conn, err := grpc.NewClient(
		listener.Addr().String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
	)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answer, err := collector.NewTraceServiceClient(conn).Export(t.Context(), request())
	if err != nil || answer.GetPartialSuccess() != nil {
		t.Fatalf("the answer is %v, %v", answer, err)
	}
	spans := store.Trace(traceID)
	if len(spans) != 1 || spans[0].Service != "orders" || spans[0].Start != 2 ||
		spans[0].Duration != 5 ||
		spans[0].Route() != "/orders" {
		t.Errorf("what is kept is %+v", spans)
	}
}

func TestASpanWithoutAValidIDIsCountedAndTheOthersAreKept(t *testing.T) {
	store := traces.New(traces.Limits{})
	req := request()
	req.ResourceSpans = append(
		req.ResourceSpans,
		request(func(s *trace.Span) { s.TraceId = []byte{1} }).ResourceSpans...)
	answer, err := New(store).Export(t.Context(), req)
	if err != nil || answer.GetPartialSuccess().GetRejectedSpans() != 1 ||
		store.Stats().Spans != 1 {
		t.Errorf("the answer is %v, %v and %d spans are kept", answer, err, store.Stats().Spans)
	}
}

func TestWhatASpanSaysIsBounded(t *testing.T) {
	store := traces.New(traces.Limits{})
	_, err := New(store).Export(t.Context(), request(func(s *trace.Span) {
		s.Name, s.EndTimeUnixNano = strings.Repeat("n", 100_000), 0
		for i := range 1_000 {
			s.Attributes = append(
				s.Attributes,
				&common.KeyValue{
					Key:   strings.Repeat("k", i),
					Value: textValue(strings.Repeat("v", 10_000)),
				},
			)
			s.Events = append(s.Events, &trace.Span_Event{Name: "e"})
			s.Links = append(s.Links, &trace.Span_Link{})
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	kept := store.Trace(traceID)[0]
	if len(kept.Name) > maxText+3 || len(kept.Attributes) > maxAttributes ||
		len(kept.Events) > maxEvents ||
		len(kept.Links) > maxEvents {
		t.Error("a span is kept that is larger than its bounds")
	}
	if kept.Duration != 0 {
		t.Errorf("a span that ends before it begins took %d, not 0", kept.Duration)
	}
}

func TestHTTPTakesProtobufAndJSONAndRefusesTheRest(t *testing.T) {
	body, err := proto.Marshal(request())
	if err != nil {
		t.Fatal(err)
	}
	json := `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"` + traceID +
		`","spanId":"0102030405060708","name":"x","startTimeUnixNano":"2000","endTimeUnixNano":"3000","kind":2}]}]}]}`
	const binary, js = "application/x-protobuf", "application/json"
	for name, c := range map[string]struct {
		kind, encoding, body string
		status, kept         int
	}{
		"protobuf":              {binary, "", string(body), 200, 1},
		"zipped protobuf":       {binary, "gzip", zipped(t, body), 200, 1},
		"JSON with hex ids":     {js, "", json, 200, 1},
		"nothing":               {binary, "", "", 200, 0},
		"no protobuf":           {binary, "", "\xff\xff\xff", 400, 0},
		"no JSON":               {js, "", "{", 400, 0},
		"ids that are no hex":   {js, "", strings.Replace(json, traceID, "zz", 1), 400, 0},
		"another media type":    {"text/plain", "", string(body), 415, 0},
		"another encoding":      {binary, "br", string(body), 400, 0},
		"no gzip":               {binary, "gzip", string(body), 400, 0},
		"too much":              {binary, "", strings.Repeat("x", MaxBytes+1), 413, 0},
		"a bomb of zipped text": {binary, "gzip", zipped(t, make([]byte, MaxBytes+1)), 413, 0},
	} {
		store := traces.New(traces.Limits{})
		req := httptest.NewRequest(http.MethodPost, "/v1/traces", strings.NewReader(c.body))
		req.Header.Set("Content-Type", c.kind)
		req.Header.Set("Content-Encoding", c.encoding)
		answer := httptest.NewRecorder()
		New(store).ServeHTTP(answer, req)
		if answer.Code != c.status || store.Stats().Spans != c.kept {
			t.Errorf(
				"%s: status %d and %d spans, not %d and %d: %s",
				name,
				answer.Code,
				store.Stats().Spans,
				c.status,
				c.kept,
				answer.Body,
			)
		}
	}
}

func zipped(t *testing.T, body []byte) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
