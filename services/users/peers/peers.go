// Package peers asks other services what they have heard of accounts.
package peers

import (
	"context"

	"sidecart.dev/kit/peers"
	"sidecart.dev/kit/sidecar"
)

// Peers implements users.Peers by asking the services. It is safe for concurrent use.
type Peers struct{ Caller sidecar.Caller }

// Accepted implements users.Peers.
func (p Peers) Accepted(ctx context.Context, service string,
	eventIDs []string,
) (map[string]bool, error) {
	return peers.AcceptedBy(ctx, p.Caller, service, eventIDs)
}
