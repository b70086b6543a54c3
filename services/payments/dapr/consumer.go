package dapr

import (
	"context"
	"time"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/money"
	"sidecart.dev/payments"
)

type orderPlaced struct {
	OrderID       string          `json:"order_id"`
	UserID        string          `json:"user_id"`
	Items         []payments.Item `json:"items"`
	Total         money.Money     `json:"total"`
	PaymentMethod string          `json:"payment_method"`
}

type orderCancelled struct {
	OrderID       string      `json:"order_id"`
	UserID        string      `json:"user_id"`
	Total         money.Money `json:"total"`
	PaymentMethod string      `json:"payment_method"`
	Reason        string      `json:"reason"`
	CancelledAt   time.Time   `json:"cancelled_at"`
}

type userDeleted struct {
	UserID string `json:"user_id"`
}

// UserDeleted is the event of which users is told that it was accepted.
const UserDeleted = "user.deleted.v1"

// Subscribe registers what payments does about the events of other services.
func Subscribe(c event.Registrar, s *payments.Service) {
	c.On("orders", "order.placed.v1", func(ctx context.Context, e event.Event) error {
		d, err := event.Decode[orderPlaced](e)
		if err != nil {
			return err
		}
		return s.Placed(ctx, payments.Order{ID: d.OrderID, UserID: d.UserID, Amount: d.Total, Method: d.PaymentMethod, Items: d.Items})
	})
	c.On("orders", "order.cancelled.v1", func(ctx context.Context, e event.Event) error {
		d, err := event.Decode[orderCancelled](e)
		if err != nil {
			return err
		}
		return s.Cancelled(ctx,
			payments.Order{ID: d.OrderID, UserID: d.UserID, Amount: d.Total, Method: d.PaymentMethod},
			payments.Cancellation{Reason: d.Reason, At: d.CancelledAt})
	})
	c.On("users", UserDeleted, func(ctx context.Context, e event.Event) error {
		d, err := event.Decode[userDeleted](e)
		if err != nil {
			return err
		}
		return s.UserDeleted(ctx, d.UserID)
	})
}
