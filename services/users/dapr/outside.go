package dapr

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/propagation"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/users"
)

// Announcer implements users.Announcer. It is safe for concurrent use.
type Announcer struct{ Bus sidecar.Publisher }

// Announce implements users.Announcer. However late it is, the message belongs to the trace of what caused it.
func (a Announcer) Announce(ctx context.Context, e event.Event) error {
	if e.TraceParent != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": e.TraceParent})
	}
	return event.Publish(ctx, a.Bus, users.Topic, e)
}

// Notifications implements users.Acceptor by asking the notifications service. It is safe for concurrent use.
type Notifications struct{ Caller sidecar.Caller }

// Accepted implements users.Acceptor.
func (n Notifications) Accepted(ctx context.Context, eventIDs []string) ([]string, error) {
	in := struct {
		EventIDs []string `json:"event_ids"`
	}{eventIDs}
	var out struct {
		Accepted []string `json:"accepted"`
	}
	err := n.Caller.Call(ctx, "notifications", http.MethodPost, "/internal/notifications/accepted", in, &out)
	return out.Accepted, err
}

// Journal implements users.Journal. It is safe for concurrent use.
type Journal struct{ *journal.Journal }

// Begin implements users.Journal.
func (j Journal) Begin(ctx context.Context, id string) (users.Ticket, error) {
	t, err := j.Journal.Begin(ctx, id)
	if err != nil {
		return nil, err
	}
	return t, nil
}
