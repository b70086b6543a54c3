package dapr

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/money"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/payments"
)

// Intents is the journal as payments sees it. It implements [payments.Intents].
type Intents struct {
	Journal *journal.Journal
}

// Begin implements [payments.Intents].
func (i Intents) Begin(ctx context.Context, id string) (payments.Ticket, error) {
	ticket, err := i.Journal.Begin(ctx, id)
	if err != nil {
		return nil, err
	}
	return ticket, nil
}

// Bus publishes payments' events. It implements [payments.Announcer].
type Bus struct {
	Publisher sidecar.Publisher
}

// Announce implements [payments.Announcer].
func (b Bus) Announce(ctx context.Context, events []event.Event) error {
	var errs []error
	for _, e := range events {
		errs = append(errs, event.Publish(ctx, b.Publisher, payments.Topic, e))
	}
	return errors.Join(errs...)
}

// Notifier asks the notifications service. It implements [payments.Notifier].
type Notifier struct {
	Caller sidecar.Caller
}

// acceptedBatch is the number of events asked about in one call, and acceptedParallel the number of calls at a time.
const (
	acceptedBatch    = 200
	acceptedParallel = 4
)

// Accepted implements [payments.Notifier].
func (n Notifier) Accepted(ctx context.Context, eventIDs []string) (map[string]bool, error) {
	var (
		mu       sync.Mutex
		errs     []error
		accepted = make(map[string]bool, len(eventIDs))
		slots    = make(chan struct{}, acceptedParallel)
		calls    sync.WaitGroup
	)
	for len(eventIDs) > 0 {
		size := min(len(eventIDs), acceptedBatch)
		batch := eventIDs[:size]
		eventIDs = eventIDs[size:]
		slots <- struct{}{}
		calls.Go(func() {
			defer func() { <-slots }()
			var ids []string
			err := fault.Guard(ctx, func() (err error) {
				ids, err = n.ask(ctx, batch)
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			for _, id := range ids {
				accepted[id] = true
			}
			errs = append(errs, err)
		})
	}
	calls.Wait()
	return accepted, errors.Join(errs...)
}

func (n Notifier) ask(ctx context.Context, eventIDs []string) ([]string, error) {
	in := struct {
		EventIDs []string `json:"event_ids"`
	}{eventIDs}
	var out struct {
		Accepted []string `json:"accepted"`
	}
	err := n.Caller.Call(ctx, "notifications", http.MethodPost, "/internal/notifications/accepted", in, &out)
	return out.Accepted, err
}

// Orders asks the orders service. It implements [payments.Orders].
type Orders struct {
	Caller sidecar.Caller
}

// Refunded implements [payments.Orders]. The settler asks for at most one batch of the journal at a time.
func (o Orders) Refunded(ctx context.Context, orderIDs []string) (map[string]int64, error) {
	in := struct {
		OrderIDs []string `json:"order_ids"`
	}{orderIDs}
	var out struct {
		Orders []struct {
			OrderID  string      `json:"order_id"`
			Refunded money.Money `json:"refunded_amount"`
		} `json:"orders"`
	}
	if err := o.Caller.Call(ctx, "orders", http.MethodPost, "/internal/orders/lookup", in, &out); err != nil {
		return nil, err
	}
	refunded := make(map[string]int64, len(out.Orders))
	for _, order := range out.Orders {
		refunded[order.OrderID] = order.Refunded.Amount
	}
	return refunded, nil
}
