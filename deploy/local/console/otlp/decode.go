package otlp

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"sidecart.dev/local/console/traces"
)

// Bounds of one span. What is longer is cut, what is more is left out.
const (
	maxText       = 2 << 10
	maxAttributes = 64
	maxEvents     = 32
)

func decode(req *collector.ExportTraceServiceRequest) (spans []*traces.Span, rejected int) {
	for _, resource := range req.GetResourceSpans() {
		attributes := attributesOf(resource.GetResource().GetAttributes())
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				if len(span.GetTraceId()) != 16 || len(span.GetSpanId()) != 8 {
					rejected++
					continue
				}
				service, name := attributes["service.name"], scope.GetScope().GetName()
				spans = append(spans, decodeSpan(span, service, name))
			}
		}
	}
	return spans, rejected
}

func decodeSpan(from *trace.Span, service, scope string) *traces.Span {
	span := &traces.Span{
		TraceID: hex.EncodeToString(from.GetTraceId()), ID: hex.EncodeToString(from.GetSpanId()),
		Parent:     hex.EncodeToString(from.GetParentSpanId()),
		Service:    cut(service),
		Name:       cut(from.GetName()),
		Kind:       kind(from.GetKind()),
		Start:      micros(from.GetStartTimeUnixNano()),
		Attributes: attributesOf(from.GetAttributes()),
		Error:      from.GetStatus().GetCode() == trace.Status_STATUS_CODE_ERROR,
		Message:    cut(from.GetStatus().GetMessage()),
	}
	span.Sidecar = isSidecar(scope, span)
	if span.Sidecar && strings.Contains(span.Message, "etag mismatch") {
		span.Error = false // somebody else was faster with the document, and it is read again
	}
	span.Duration = max(0, micros(from.GetEndTimeUnixNano())-span.Start)
	for i, event := range from.GetEvents() {
		if i == maxEvents {
			break
		}
		span.Events = append(span.Events, traces.Event{
			Name: cut(event.GetName()), At: micros(event.GetTimeUnixNano()),
			Attributes: attributesOf(event.GetAttributes()),
		})
	}
	for i, link := range from.GetLinks() {
		if i == maxEvents {
			break
		}
		span.Links = append(span.Links, traces.Link{
			TraceID: hex.EncodeToString(link.GetTraceId()),
			SpanID:  hex.EncodeToString(link.GetSpanId()),
		})
	}
	return span
}

// isSidecar tells a sidecar's spans from its app's: both go by the app's id.
func isSidecar(scope string, span *traces.Span) bool {
	if strings.Contains(scope, "dapr") && !strings.Contains(scope, "sidecart") {
		return true
	}
	for key := range span.Attributes {
		if strings.HasPrefix(key, "dapr.") {
			return true
		}
	}
	return false
}

func micros(nanos uint64) int64 {
	return int64(nanos / 1000) //nolint:gosec // fits for 290,000 years
}

func kind(k trace.Span_SpanKind) string {
	switch k {
	case trace.Span_SPAN_KIND_SERVER:
		return "server"
	case trace.Span_SPAN_KIND_CLIENT:
		return "client"
	case trace.Span_SPAN_KIND_PRODUCER:
		return "producer"
	case trace.Span_SPAN_KIND_CONSUMER:
		return "consumer"
	default:
		return "internal"
	}
}

func attributesOf(list []*common.KeyValue) map[string]string {
	if len(list) == 0 {
		return nil
	}
	m := make(map[string]string, min(len(list), maxAttributes))
	for _, kv := range list {
		if len(m) == maxAttributes {
			break
		}
		m[cut(kv.GetKey())] = cut(text(kv.GetValue()))
	}
	return m
}

func text(value *common.AnyValue) string {
	switch v := value.GetValue().(type) {
	case nil:
		return ""
	case *common.AnyValue_StringValue:
		return v.StringValue
	case *common.AnyValue_IntValue:
		return strconv.FormatInt(v.IntValue, 10)
	case *common.AnyValue_BoolValue:
		return strconv.FormatBool(v.BoolValue)
	case *common.AnyValue_DoubleValue:
		return strconv.FormatFloat(v.DoubleValue, 'g', -1, 64)
	case *common.AnyValue_BytesValue:
		return base64.StdEncoding.EncodeToString(v.BytesValue[:min(len(v.BytesValue), maxText)])
	default:
		return protojson.Format(value)
	}
}

// cut shortens a text to maxText bytes of valid UTF-8. It copies what it keeps of a long one, so
// that the rest of the request is not kept in memory.
func cut(s string) string {
	if len(s) > maxText {
		s = strings.Clone(s[:maxText]) + "…"
	}
	return strings.ToValidUTF8(s, "?")
}

// unmarshalJSON reads the protocol's JSON, in which ids are hexadecimal where protobuf's own JSON
// has base64.
func unmarshalJSON(body []byte, into *collector.ExportTraceServiceRequest) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return err
	}
	if err := idsToBase64(tree); err != nil {
		return err
	}
	body, err := json.Marshal(tree)
	if err != nil {
		return err
	}
	return protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(body, into)
}

func idsToBase64(node any) error {
	switch node := node.(type) {
	case []any:
		for _, item := range node {
			if err := idsToBase64(item); err != nil {
				return err
			}
		}
	case map[string]any:
		for key, value := range node {
			id, isText := value.(string)
			if isText && (key == "traceId" || key == "spanId" || key == "parentSpanId") {
				raw, err := hex.DecodeString(id)
				if err != nil {
					return fmt.Errorf("%s %q is not hexadecimal", key, id)
				}
				node[key] = base64.StdEncoding.EncodeToString(raw)
			} else if err := idsToBase64(value); err != nil {
				return err
			}
		}
	}
	return nil
}
