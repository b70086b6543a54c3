// Package event has the events services tell each other: CloudEvents 1.0 in structured JSON.
// Package consumer receives them.
package event

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/tracing"
)

// Event is a CloudEvent (https://github.com/cloudevents/spec, v1.0). Its id is derived from what
// happened, so the same fact always has the same id, however often it is told.
type Event struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Subject         string          `json:"subject,omitempty"`
	Time            time.Time       `json:"time"`
	DataContentType string          `json:"datacontenttype"`
	Data            json.RawMessage `json:"data"`
	TraceParent     string          `json:"traceparent,omitempty"`
	// TraceID is the same again, under the name that Dapr had for it before. A sidecar leaves the
	// TraceParent of an event alone only if this is there, and otherwise puts its own call in its
	// place: that of whoever else's event was published in the same call.
	TraceID string `json:"traceid,omitempty"`
}

// New makes an event of the given service about one version of an aggregate. Its id is
// "<subject>:<version>:<type>".
func New(service, eventType, subject string, version int64, at time.Time, data any) (Event, error) {
	raw, err := json.Marshal(data)
	if err != nil {
		return Event{}, fmt.Errorf("data of %s: %w", eventType, err)
	}
	return Event{
		SpecVersion: "1.0", ID: ID(subject, version, eventType),
		Source: "/sidecart/" + service, Type: eventType,
		Subject: subject, Time: at.UTC(), DataContentType: "application/json", Data: raw,
	}, nil
}

// ID returns the id of the event of that type about that version of an aggregate.
func ID(subject string, version int64, eventType string) string {
	return fmt.Sprintf("%s:%d:%s", subject, version, eventType)
}

// Encode returns the event in structured JSON.
func (e Event) Encode() ([]byte, error) { return json.Marshal(e) }

// Publish encodes the event with the trace context of ctx and hands it to the bus. An event that
// has a trace of its own stays in it: however late it is told, it belongs to what caused it.
func Publish(ctx context.Context, bus sidecar.Publisher, topic string, e Event) error {
	if e.TraceParent != "" {
		ctx = tracing.From(ctx, propagation.MapCarrier{"traceparent": e.TraceParent})
	}
	ctx, span := tracing.Tracer().Start(ctx, "send "+topic, trace.WithSpanKind(trace.SpanKindProducer))
	if span.IsRecording() {
		span.SetAttributes(Attributes(topic, e)...)
		span.SetAttributes(semconv.MessagingOperationName("send"), semconv.MessagingOperationTypeSend)
	}
	e.TraceParent = tracing.TraceParent(ctx)
	e.TraceID = e.TraceParent
	raw, err := e.Encode()
	if err == nil {
		err = bus.Publish(ctx, topic, raw)
	}
	tracing.End(span, err)
	return err
}

// Attributes describe an event on a topic in a span. Its data is not among them: it may say whom it
// is about.
func Attributes(topic string, e Event) []attribute.KeyValue {
	return []attribute.KeyValue{
		semconv.MessagingSystemKey.String("dapr"), semconv.MessagingDestinationName(topic),
		semconv.MessagingMessageID(e.ID), semconv.CloudEventsEventType(e.Type),
		semconv.CloudEventsEventSource(e.Source), semconv.CloudEventsEventSubject(e.Subject),
	}
}

// Parse reads an event in structured JSON. What is not a CloudEvent 1.0 with id, source and type is
// an Invalid fault.
func Parse(raw []byte) (Event, error) {
	var e Event
	if err := json.Unmarshal(raw, &e); err != nil {
		return Event{}, fault.Wrap(err, fault.Invalid, "invalid_event",
			"The message is not a CloudEvent in JSON.")
	}
	var missing []string
	for name, value := range map[string]string{"id": e.ID, "source": e.Source, "type": e.Type} {
		if value == "" {
			missing = append(missing, name)
		}
	}
	if e.SpecVersion != "1.0" || len(missing) > 0 {
		return Event{}, fault.Newf(fault.Invalid, "invalid_event",
			"The message is not a CloudEvent 1.0 (specversion %q, missing: %s).",
			e.SpecVersion, strings.Join(missing, ", "))
	}
	return e, nil
}

// Decode reads an event's data. Fields T does not know are ignored; data that does not fit is an
// Invalid fault.
func Decode[T any](e Event) (T, error) {
	var data T
	if err := json.Unmarshal(e.Data, &data); err != nil {
		return data, fault.Wrap(err, fault.Invalid, "invalid_event",
			"The data of "+e.Type+" does not fit its schema.")
	}
	return data, nil
}

// Handler applies an event. It must be idempotent: the same event may come again at any time, and
// in any order.
//
// Nil acknowledges. A transient fault asks for redelivery, which the sidecar bounds; every other
// fault is poison and goes to the dead letters at once.
type Handler func(ctx context.Context, e Event) error

// Registrar is where handlers of events are registered: a consumer.
type Registrar interface {
	// On registers the handler of an event type on a topic.
	On(topic, eventType string, h Handler)
}

// On registers a handler that is given the event's data in its own type. Data that does not fit is
// an Invalid fault, so that the event becomes a dead letter without the handler having seen it.
func On[T any](
	r Registrar, topic, eventType string, h func(ctx context.Context, e Event, data T) error,
) {
	r.On(topic, eventType, func(ctx context.Context, e Event) error {
		data, err := Decode[T](e)
		if err != nil {
			return err
		}
		return h(ctx, e, data)
	})
}
