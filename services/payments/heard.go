package payments

import (
	"context"
	"time"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/money"
)

// orderPlaced is what payments reads of the event order.placed.v1.
type orderPlaced struct {
	OrderID       string      `json:"order_id"`
	UserID        string      `json:"user_id"`
	Items         []Item      `json:"items"`
	Total         money.Money `json:"total"`
	PaymentMethod string      `json:"payment_method"`
}

// orderCancelled is what payments reads of the event order.cancelled.v1.
type orderCancelled struct {
	OrderID       string      `json:"order_id"`
	UserID        string      `json:"user_id"`
	Total         money.Money `json:"total"`
	PaymentMethod string      `json:"payment_method"`
	Reason        string      `json:"reason"`
	CancelledAt   time.Time   `json:"cancelled_at"`
}

// TypeUserDeleted is the event of which users is told that it was accepted.
const TypeUserDeleted = "user.deleted.v1"

// userDeleted is what payments reads of the event user.deleted.v1.
type userDeleted struct {
	UserID string `json:"user_id"`
}

// Hears registers what payments does about the events of other services.
func (s *Service) Hears(r event.Registrar) {
	event.On(r, "orders", "order.placed.v1", s.orderPlaced)
	event.On(r, "orders", "order.cancelled.v1", s.orderCancelled)
	event.On(r, "users", TypeUserDeleted, s.userDeleted)
}

func (s *Service) orderPlaced(ctx context.Context, _ event.Event, d orderPlaced) error {
	return s.Placed(ctx, Order{
		ID: d.OrderID, UserID: d.UserID, Amount: d.Total, Method: d.PaymentMethod, Items: d.Items,
	})
}

func (s *Service) orderCancelled(ctx context.Context, _ event.Event, d orderCancelled) error {
	return s.Cancelled(ctx,
		Order{ID: d.OrderID, UserID: d.UserID, Amount: d.Total, Method: d.PaymentMethod},
		Cancellation{Reason: d.Reason, At: d.CancelledAt})
}

func (s *Service) userDeleted(ctx context.Context, _ event.Event, d userDeleted) error {
	return s.UserDeleted(ctx, d.UserID)
}
