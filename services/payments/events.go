package payments

import (
	"time"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/money"
)

// App is this service's app id, and the last part of its events' source.
const App = "payments"

// Topic is where this service's events are published.
const Topic = "payments"

// The types of events this service publishes.
const (
	TypeConfirmed = "payment.confirmed.v1"
	TypeDeclined  = "payment.declined.v1"
	TypeVoided    = "payment.voided.v1"
	TypeRefunded  = "payment.refunded.v1"
)

type eventHead struct {
	PaymentID string      `json:"payment_id"`
	OrderID   string      `json:"order_id"`
	UserID    string      `json:"user_id"`
	Version   int64       `json:"version"`
	Amount    money.Money `json:"amount"`
}

type confirmed struct {
	eventHead
	Items      []Item    `json:"items"`
	CapturedAt time.Time `json:"captured_at"`
}

type declined struct {
	eventHead
	Code       string    `json:"code"`
	Reason     string    `json:"reason"`
	DeclinedAt time.Time `json:"declined_at"`
}

type voided struct {
	eventHead
	VoidedAt time.Time `json:"voided_at"`
}

type refunded struct {
	eventHead
	RefundID      string      `json:"refund_id"`
	TotalRefunded money.Money `json:"total_refunded"`
	FullyRefunded bool        `json:"fully_refunded"`
	Reason        string      `json:"reason"`
	RefundedAt    time.Time   `json:"refunded_at"`
}

// Events returns the events that the payment's state implies and that came after version since,
// oldest first; since 0 it is all of them. They are derived, not stored: the same state always
// gives the same events with the same ids, so they can be published again at any time.
func (p *Payment) Events(since int64) ([]event.Event, error) {
	var events []event.Event
	add := func(eventType string, version int64, at time.Time, data any) error {
		if version <= since {
			return nil
		}
		e, err := event.New(App, eventType, p.ID, version, at, data)
		events = append(events, e)
		return err
	}
	if p.DecidedIn > 0 {
		if err := add(p.decision()); err != nil {
			return nil, err
		}
	}
	for _, r := range p.Refunds {
		if r.Status != RefundSucceeded {
			continue
		}
		err := add(TypeRefunded, r.DecidedIn, r.DecidedAt, refunded{
			eventHead: p.head(r.DecidedIn, r.Amount), RefundID: r.ID, TotalRefunded: r.TotalRefunded,
			FullyRefunded: r.TotalRefunded == p.Amount, Reason: r.Reason, RefundedAt: r.DecidedAt,
		})
		if err != nil {
			return nil, err
		}
	}
	return events, nil
}

// decision is the event about how the charge ended.
func (p *Payment) decision() (eventType string, version int64, at time.Time, data any) {
	head := p.head(p.DecidedIn, p.Amount)
	switch p.Status {
	case Declined:
		return TypeDeclined, p.DecidedIn, p.DecidedAt, declined{
			eventHead: head, Code: p.Decline.Code, Reason: p.Decline.Reason, DeclinedAt: p.DecidedAt,
		}
	case Voided:
		return TypeVoided, p.DecidedIn, p.DecidedAt, voided{eventHead: head, VoidedAt: p.DecidedAt}
	default:
		return TypeConfirmed, p.DecidedIn, p.DecidedAt, confirmed{
			eventHead: head, Items: p.Items, CapturedAt: p.DecidedAt,
		}
	}
}

func (p *Payment) head(version int64, amount money.Money) eventHead {
	return eventHead{
		PaymentID: p.ID, OrderID: p.OrderID, UserID: p.UserID, Version: version, Amount: amount,
	}
}
