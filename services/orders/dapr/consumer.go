package dapr

import (
	"context"
	"time"

	"sidecart.dev/kit/consumer"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/money"
	"sidecart.dev/orders"
)

// The topics this service listens to.
const (
	paymentsTopic = "payments"
	usersTopic    = "users"
)

// consume registers the handlers of the events this service listens to. Each is what the state machine makes of it, so they
// may come late, twice and in any order.
func consume(c *consumer.Consumer, s *orders.Service, now func() time.Time) {
	apply := func(toChange func(event.Event) (string, orders.Change, error)) event.Handler {
		return func(ctx context.Context, e event.Event) error {
			id, change, err := toChange(e)
			if err != nil {
				return err
			}
			change.At = now()
			_, _, err = s.Apply(ctx, id, change)
			return err // an order that does not exist is poison: it was written before anyone could hear of it
		}
	}
	c.On(paymentsTopic, "payment.confirmed.v1", apply(simple(orders.PaymentConfirmed)))
	c.On(paymentsTopic, "payment.declined.v1", apply(declined))
	c.On(paymentsTopic, "payment.voided.v1", apply(simple(orders.PaymentVoided)))
	c.On(paymentsTopic, "payment.refunded.v1", apply(refunded))
	c.On(usersTopic, "user.deleted.v1", func(ctx context.Context, e event.Event) error {
		data, err := event.Decode[struct {
			UserID string `json:"user_id"`
		}](e)
		if err != nil {
			return err
		}
		if data.UserID == "" {
			return fault.New(fault.Invalid, "invalid_event", "The event names no user.")
		}
		return s.UserDeleted(ctx, data.UserID)
	})
}

type paymentData struct {
	OrderID string `json:"order_id"`
}

func simple(t orders.Trigger) func(event.Event) (string, orders.Change, error) {
	return func(e event.Event) (string, orders.Change, error) {
		data, err := event.Decode[paymentData](e)
		return data.OrderID, orders.Change{Trigger: t}, incomplete(err, data.OrderID)
	}
}

func declined(e event.Event) (string, orders.Change, error) {
	data, err := event.Decode[struct {
		paymentData
		Code string `json:"code"`
	}](e)
	return data.OrderID, orders.Change{Trigger: orders.PaymentDeclined, Reason: data.Code}, incomplete(err, data.OrderID)
}

func refunded(e event.Event) (string, orders.Change, error) {
	data, err := event.Decode[struct {
		paymentData
		TotalRefunded money.Money `json:"total_refunded"`
		Full          bool        `json:"fully_refunded"`
		Reason        string      `json:"reason"`
	}](e)
	change := orders.Change{Trigger: orders.PaymentPartlyRefunded, Refunded: data.TotalRefunded.Amount, Reason: data.Reason}
	if data.Full {
		change.Trigger = orders.PaymentRefunded
	}
	return data.OrderID, change, incomplete(err, data.OrderID)
}

func incomplete(err error, orderID string) error {
	if err == nil && orderID == "" {
		return fault.New(fault.Invalid, "invalid_event", "The event names no order.")
	}
	return err
}
