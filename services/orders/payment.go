package orders

import "time"

// Payment is what payments knows about an order's payment.
type Payment struct {
	OrderID     string
	Status      string // as payments says it
	Refunded    int64  // minor units given back so far
	DeclineCode string // why it was declined; empty unless it was
}

// decisions are the statuses of a payment that is decided, with the trigger that each stands for:
// that of the event which may have been lost.
var decisions = map[string]Trigger{
	"captured":           PaymentConfirmed,
	"declined":           PaymentDeclined,
	"voided":             PaymentVoided,
	"partially_refunded": PaymentPartlyRefunded,
	"refunded":           PaymentRefunded,
}

// Change returns what the payment's status does to its order, and false if it is not decided yet.
func (p Payment) Change(at time.Time) (Change, bool) {
	trigger, decided := decisions[p.Status]
	return Change{Trigger: trigger, At: at, Reason: p.DeclineCode, Refunded: p.Refunded}, decided
}
