package orders

import (
	"context"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/money"
)

// UserDeletedEvent is what users tells until this service has accepted it.
const UserDeletedEvent = "user.deleted.v1"

// Hears registers what the service does about the events of other services. Each is what the state
// machine makes of it, so they may come late, twice and in any order.
func (s *Service) Hears(events event.Registrar) {
	event.On(events, "payments", "payment.confirmed.v1", s.confirmed)
	event.On(events, "payments", "payment.declined.v1", s.declined)
	event.On(events, "payments", "payment.voided.v1", s.voided)
	event.On(events, "payments", "payment.refunded.v1", s.refunded)
	event.On(events, "users", UserDeletedEvent, s.userDeleted)
}

// paymentHeard is what this service wants to know of an event of payments.
type paymentHeard struct {
	OrderID       string      `json:"order_id"`
	Code          string      `json:"code"`
	TotalRefunded money.Money `json:"total_refunded"`
	Full          bool        `json:"fully_refunded"`
	Reason        string      `json:"reason"`
}

func (s *Service) confirmed(ctx context.Context, _ event.Event, p paymentHeard) error {
	return s.hear(ctx, p.OrderID, Change{Trigger: PaymentConfirmed})
}

func (s *Service) declined(ctx context.Context, _ event.Event, p paymentHeard) error {
	return s.hear(ctx, p.OrderID, Change{Trigger: PaymentDeclined, Reason: p.Code})
}

func (s *Service) voided(ctx context.Context, _ event.Event, p paymentHeard) error {
	return s.hear(ctx, p.OrderID, Change{Trigger: PaymentVoided})
}

func (s *Service) refunded(ctx context.Context, _ event.Event, p paymentHeard) error {
	trigger := PaymentPartlyRefunded
	if p.Full {
		trigger = PaymentRefunded
	}
	return s.hear(ctx, p.OrderID, Change{
		Trigger: trigger, Refunded: p.TotalRefunded.Amount, Reason: p.Reason,
	})
}

// hear applies a change that was heard of now. An event about an order that does not exist is
// poison, because every order was written before anyone could hear of it.
func (s *Service) hear(ctx context.Context, orderID string, c Change) error {
	if orderID == "" {
		return fault.New(fault.Invalid, "invalid_event", "The event names no order.")
	}
	c.At = s.cfg.Now()
	_, _, err := s.Apply(ctx, orderID, c)
	return err
}

// userHeard is what this service wants to know of an event of users.
type userHeard struct {
	UserID string `json:"user_id"`
}

func (s *Service) userDeleted(ctx context.Context, _ event.Event, d userHeard) error {
	if d.UserID == "" {
		return fault.New(fault.Invalid, "invalid_event", "The event names no user.")
	}
	return s.UserDeleted(ctx, d.UserID)
}
