package orders

import "time"

// Payment is what payments knows about an order's payment.
type Payment struct {
	OrderID     string
	PaymentID   string
	Status      PaymentStatus
	Refunded    int64  // minor units given back so far
	DeclineCode string // why it was declined
}

// PaymentStatus is where a payment stands.
type PaymentStatus string

// The statuses of a payment.
const (
	PaymentPending    PaymentStatus = "pending"
	PaymentCaptured   PaymentStatus = "captured"
	PaymentIsDeclined PaymentStatus = "declined"
	PaymentIsVoided   PaymentStatus = "voided"
	PaymentPartly     PaymentStatus = "partially_refunded"
	PaymentGivenBack  PaymentStatus = "refunded"
)

// Change returns the trigger that the payment's status stands for, and false for one that is not
// decided yet: the same as the events would have said that may have been lost.
func (p Payment) Change(at time.Time) (Change, bool) {
	c := Change{At: at}
	switch p.Status {
	case PaymentCaptured:
		c.Trigger = PaymentConfirmed
	case PaymentIsDeclined:
		c.Trigger, c.Reason = PaymentDeclined, p.DeclineCode
	case PaymentIsVoided:
		c.Trigger = PaymentVoided
	case PaymentPartly:
		c.Trigger, c.Refunded = PaymentPartlyRefunded, p.Refunded
	case PaymentGivenBack:
		c.Trigger, c.Refunded = PaymentRefunded, p.Refunded
	default:
		return c, false
	}
	return c, true
}
