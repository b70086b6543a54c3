// Package peers is how the users service tells other services, and asks what they have heard.
package peers

import (
	"context"

	"go.opentelemetry.io/otel/propagation"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/peers"
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

// Peers implements users.Peers by asking the services. It is safe for concurrent use.
type Peers struct{ Caller sidecar.Caller }

// Accepted implements users.Peers.
func (p Peers) Accepted(ctx context.Context, service string, eventIDs []string) (map[string]bool, error) {
	return peers.AcceptedBy(ctx, p.Caller, service, eventIDs)
}
