// Package peers is what payments asks other services, by way of its sidecar.
package peers

import (
	"context"
	"net/http"

	"sidecart.dev/kit/money"
	"sidecart.dev/kit/peers"
	"sidecart.dev/kit/sidecar"
)

// Peers are the other services. It implements [payments.Peers].
type Peers struct {
	Caller sidecar.Caller
}

// Accepted implements [payments.Peers].
func (p Peers) Accepted(ctx context.Context, eventIDs []string) (map[string]bool, error) {
	return peers.Accepted(ctx, p.Caller, eventIDs)
}

// Refunded implements [payments.Peers]. The settler asks for at most one batch of the journal at a
// time.
func (p Peers) Refunded(ctx context.Context, orderIDs []string) (map[string]int64, error) {
	in := struct {
		OrderIDs []string `json:"order_ids"`
	}{orderIDs}
	var out struct {
		Orders []struct {
			OrderID  string      `json:"order_id"`
			Refunded money.Money `json:"refunded_amount"`
		} `json:"orders"`
	}
	err := p.Caller.Call(ctx, "orders", http.MethodPost, "/internal/orders/lookup", in, &out)
	if err != nil {
		return nil, err
	}
	refunded := make(map[string]int64, len(out.Orders))
	for _, order := range out.Orders {
		refunded[order.OrderID] = order.Refunded.Amount
	}
	return refunded, nil
}
