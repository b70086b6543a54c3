package dapr

import (
	"context"
	"net/http"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/money"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/orders"
)

// bus publishes events. It implements [orders.Bus].
type bus struct{ publisher sidecar.Publisher }

// Publish implements [orders.Bus].
func (b bus) Publish(ctx context.Context, topic string, e event.Event) error {
	return event.Publish(ctx, b.publisher, topic, e)
}

// intents is a journal as the domain sees it. It implements [orders.Journal].
type intents struct{ *journal.Journal }

// Begin implements [orders.Journal].
func (i intents) Begin(ctx context.Context, id string) (orders.Ticket, error) {
	ticket, err := i.Journal.Begin(ctx, id)
	if err != nil {
		return nil, err // not a nil *Ticket in a non-nil interface
	}
	return ticket, nil
}

// payments asks the payments service. It implements [orders.Payments].
type payments struct{ caller sidecar.Caller }

// Lookup implements [orders.Payments].
func (p payments) Lookup(ctx context.Context, orderIDs []string) (map[string]orders.Payment, error) {
	var answer struct {
		Payments []struct {
			OrderID     string               `json:"order_id"`
			PaymentID   string               `json:"payment_id"`
			Status      orders.PaymentStatus `json:"status"`
			Refunded    money.Money          `json:"refunded_amount"`
			DeclineCode string               `json:"decline_code"`
		} `json:"payments"`
	}
	in := map[string][]string{"order_ids": orderIDs}
	if err := p.caller.Call(ctx, "payments", http.MethodPost, "/internal/payments/lookup", in, &answer); err != nil {
		return nil, err
	}
	known := make(map[string]orders.Payment, len(answer.Payments))
	for _, a := range answer.Payments {
		known[a.OrderID] = orders.Payment{
			OrderID: a.OrderID, PaymentID: a.PaymentID, Status: a.Status, Refunded: a.Refunded.Amount, DeclineCode: a.DeclineCode,
		}
	}
	return known, nil
}

// notifications asks the notifications service. It implements [orders.Notifications].
type notifications struct{ caller sidecar.Caller }

// Accepted implements [orders.Notifications].
func (n notifications) Accepted(ctx context.Context, eventIDs []string) (map[string]bool, error) {
	var answer struct {
		Accepted []string `json:"accepted"`
	}
	in := map[string][]string{"event_ids": eventIDs}
	if err := n.caller.Call(ctx, "notifications", http.MethodPost, "/internal/notifications/accepted", in, &answer); err != nil {
		return nil, err
	}
	accepted := make(map[string]bool, len(answer.Accepted))
	for _, id := range answer.Accepted {
		accepted[id] = true
	}
	return accepted, nil
}
