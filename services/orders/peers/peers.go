// Package peers asks other services about orders.
package peers

import (
	"context"
	"net/http"

	"sidecart.dev/kit/money"
	"sidecart.dev/kit/peers"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/orders"
)

// Payments asks the payments service. It implements [orders.Payments].
type Payments struct{ Caller sidecar.Caller }

var _ orders.Payments = Payments{}

// Lookup implements [orders.Payments].
func (p Payments) Lookup(
	ctx context.Context, orderIDs []string,
) (map[string]orders.Payment, error) {
	var answer struct {
		Payments []struct {
			OrderID     string      `json:"order_id"`
			Status      string      `json:"status"`
			Refunded    money.Money `json:"refunded_amount"`
			DeclineCode string      `json:"decline_code"`
		} `json:"payments"`
	}
	asked := map[string][]string{"order_ids": orderIDs}
	const path = "/internal/payments/lookup"
	if err := p.Caller.Call(ctx, "payments", http.MethodPost, path, asked, &answer); err != nil {
		return nil, err
	}
	known := make(map[string]orders.Payment, len(answer.Payments))
	for _, a := range answer.Payments {
		known[a.OrderID] = orders.Payment{
			OrderID: a.OrderID, Status: a.Status,
			Refunded: a.Refunded.Amount, DeclineCode: a.DeclineCode,
		}
	}
	return known, nil
}

// Notifications asks the notifications service. It implements [orders.Notifications].
type Notifications struct{ Caller sidecar.Caller }

var _ orders.Notifications = Notifications{}

// Accepted implements [orders.Notifications].
func (n Notifications) Accepted(ctx context.Context, eventIDs []string) (map[string]bool, error) {
	return peers.Accepted(ctx, n.Caller, eventIDs)
}
