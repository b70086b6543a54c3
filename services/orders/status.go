package orders

import (
	"slices"

	"sidecart.dev/kit/fault"
)

// Status is where an order stands, as its customer sees it.
type Status string

// The statuses. Every way from one to the next is in the table in machine.go.
const (
	Pending       Status = "pending"        // placed; its payment is not decided
	Paid          Status = "paid"           // the payment was captured
	PaymentFailed Status = "payment_failed" // the payment was declined
	Cancelled     Status = "cancelled"      // given up before it was paid
	Refunding     Status = "refunding"      // paid and then cancelled; the money is on its way back
	Refunded      Status = "refunded"       // all of the money is back
)

// Statuses are all of them, in the order of an order's life.
var Statuses = []Status{Pending, Paid, PaymentFailed, Cancelled, Refunding, Refunded}

// ParseStatus reads a status from a client's input.
func ParseStatus(s string) (Status, error) {
	if slices.Contains(Statuses, Status(s)) {
		return Status(s), nil
	}
	return "", fault.InvalidField("status",
		"must be one of pending, paid, payment_failed, cancelled, refunding, refunded")
}

// Terminal reports whether the customer of an order in this status has nothing more to wait for. A
// paid order can still be refunded.
func (s Status) Terminal() bool { return s != Pending && s != Refunding }

// Closing says how payments has closed the payment of an order that is not to be charged.
type Closing string

// The closings.
const (
	NotClosed Closing = "none"     // payments has not said
	ByVoid    Closing = "voided"   // nothing was captured, and nothing will be
	ByRefund  Closing = "refunded" // what was captured is back
	ByDecline Closing = "declined" // the provider declined
)

var closings = []Closing{NotClosed, ByVoid, ByRefund, ByDecline}
