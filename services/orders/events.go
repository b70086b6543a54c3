package orders

import (
	"time"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/money"
)

// Topic is where this service publishes.
const Topic = "orders"

// The events this service publishes.
const (
	PlacedEvent    = "order.placed.v1"
	DelayedEvent   = "order.delayed.v1"
	CancelledEvent = "order.cancelled.v1"
)

// PlacedData is the data of order.placed.v1.
type PlacedData struct {
	OrderID       string      `json:"order_id"`
	UserID        string      `json:"user_id"`
	Version       int64       `json:"version"`
	Items         []Item      `json:"items"`
	Total         money.Money `json:"total"`
	PaymentMethod string      `json:"payment_method"`
	PlacedAt      time.Time   `json:"placed_at"`
}

// DelayedData is the data of order.delayed.v1.
type DelayedData struct {
	OrderID  string      `json:"order_id"`
	UserID   string      `json:"user_id"`
	Version  int64       `json:"version"`
	Items    []Item      `json:"items"`
	Total    money.Money `json:"total"`
	PlacedAt time.Time   `json:"placed_at"`
}

// CancelledData is the data of order.cancelled.v1. It says enough for payments to close the payment
// of an order it never heard of.
type CancelledData struct {
	OrderID       string      `json:"order_id"`
	UserID        string      `json:"user_id"`
	Version       int64       `json:"version"`
	Total         money.Money `json:"total"`
	PaymentMethod string      `json:"payment_method"`
	Reason        string      `json:"reason"`
	CancelledAt   time.Time   `json:"cancelled_at"`
}

// noReason stands in order.cancelled.v1 where the customer gave none.
const noReason = "cancelled by customer"

// PlacedEvent returns order.placed.v1, which every order owes.
func (o Order) PlacedEvent() (event.Event, error) {
	return event.New("orders", PlacedEvent, o.id, 1, o.createdAt, PlacedData{
		OrderID: o.id, UserID: o.userID, Version: 1, Items: o.items, Total: o.total,
		PaymentMethod: o.paymentMethod, PlacedAt: o.createdAt,
	})
}

// DelayedEvent returns order.delayed.v1 of an order whose payment is not decided after that time.
// It says nothing that the state does not say, so the order does not owe it: it is of use only
// while the order waits, and may never be published.
func (o Order) DelayedEvent(after time.Duration) (event.Event, error) {
	return event.New("orders", DelayedEvent, o.id, 1, o.createdAt.Add(after), DelayedData{
		OrderID: o.id, UserID: o.userID, Version: 1, Items: o.items, Total: o.total,
		PlacedAt: o.createdAt,
	})
}

// CancelledEvent returns order.cancelled.v1, and whether the order owes it.
func (o Order) CancelledEvent() (event.Event, bool, error) {
	c := o.cancellation
	if c.Version == 0 {
		return event.Event{}, false, nil
	}
	if c.Reason == "" {
		c.Reason = noReason
	}
	e, err := event.New("orders", CancelledEvent, o.id, c.Version, c.At, CancelledData{
		OrderID: o.id, UserID: o.userID, Version: c.Version, Total: o.total,
		PaymentMethod: o.paymentMethod, Reason: c.Reason, CancelledAt: c.At,
	})
	return e, true, err
}

// Events returns the events the order's state implies, oldest first. They are the same whenever
// they are asked for, so publishing them again repeats a fact and makes none.
func (o Order) Events() ([]event.Event, error) {
	placed, err := o.PlacedEvent()
	if err != nil {
		return nil, err
	}
	cancelled, owed, err := o.CancelledEvent()
	if err != nil || !owed {
		return []event.Event{placed}, err
	}
	return []event.Event{placed, cancelled}, nil
}
