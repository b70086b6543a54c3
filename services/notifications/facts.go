package notifications

import (
	"regexp"
	"time"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/money"
)

// Item is one line of an order.
type Item struct {
	Name      string      `json:"name"`
	Quantity  int64       `json:"quantity"`
	UnitPrice money.Money `json:"unit_price"`
}

// Facts is what an event says that a message may tell. Fields an event does not have are zero.
type Facts struct {
	UserID  string `json:"user_id"`
	OrderID string `json:"order_id,omitempty"`
	Items   []Item `json:"items,omitempty"`
	// Amount is the total of the order, or what was paid, declined or refunded.
	Amount        money.Money `json:"amount,omitzero"`
	TotalRefunded money.Money `json:"total_refunded,omitzero"`
	FullyRefunded bool        `json:"fully_refunded,omitempty"`
	Code          string      `json:"code,omitempty"`
	Reason        string      `json:"reason,omitempty"`
	At            time.Time   `json:"at"` // when it happened
}

// data is the union of the data of all events.
type data struct {
	Facts
	Total        money.Money `json:"total"`
	PlacedAt     time.Time   `json:"placed_at"`
	CancelledAt  time.Time   `json:"cancelled_at"`
	CapturedAt   time.Time   `json:"captured_at"`
	DeclinedAt   time.Time   `json:"declined_at"`
	RefundedAt   time.Time   `json:"refunded_at"`
	RegisteredAt time.Time   `json:"registered_at"`
	RequestedAt  time.Time   `json:"requested_at"`
	ChangedAt    time.Time   `json:"changed_at"`
	DeletedAt    time.Time   `json:"deleted_at"`
}

var (
	userID  = regexp.MustCompile(`^usr_[0-9a-z-]{1,36}$`)
	orderID = regexp.MustCompile(`^ord_[0-9a-z-]{1,36}$`)
)

// FactsOf reads what the event says. An event that lacks what its message needs is an Invalid
// fault.
func FactsOf(m Message, e event.Event) (Facts, error) {
	d, err := event.Decode[data](e)
	if err != nil {
		return Facts{}, err
	}
	f := d.Facts
	if f.Amount == (money.Money{}) {
		f.Amount = d.Total
	}
	f.At = firstTime(d.PlacedAt, d.CancelledAt, d.CapturedAt, d.DeclinedAt, d.RefundedAt,
		d.RegisteredAt, d.RequestedAt, d.ChangedAt, d.DeletedAt, e.Time).UTC()
	switch {
	case !userID.MatchString(f.UserID):
		return Facts{}, invalid(m, "has no valid user_id")
	case m.Kind == Security:
		return f, nil
	case !orderID.MatchString(f.OrderID):
		return Facts{}, invalid(m, "has no valid order_id")
	case !money.ValidCurrency(f.Amount.Currency):
		return Facts{}, invalid(m, "has no valid amount")
	}
	return f, nil
}

func invalid(m Message, what string) error {
	return fault.Newf(fault.Invalid, "invalid_event", "The data of %s %s.", m.EventType, what)
}

func firstTime(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}
