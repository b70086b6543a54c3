package payments

import (
	"time"

	"sidecart.dev/kit/id"
	"sidecart.dev/kit/money"
)

// Item is a line of the order, kept for the receipt.
type Item struct {
	ProductID string      `json:"product_id"`
	Name      string      `json:"name"`
	Quantity  int         `json:"quantity"`
	UnitPrice money.Money `json:"unit_price"`
}

// Cancellation says that the order was cancelled.
type Cancellation struct {
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// Decline is why the provider refused.
type Decline struct {
	Code   string `json:"code"`   // card_declined, insufficient_funds, invalid_payment_method, …
	Reason string `json:"reason"` // for the customer
}

// Payment is everything about the money of one order: the aggregate, stored as one document. Its
// ledger entries stand inside it, so that one write moves both. A Payment is a plain value, not
// safe for concurrent use; change it only by its methods.
type Payment struct {
	ID           string        `json:"id"`
	OrderID      string        `json:"order_id"`
	UserID       string        `json:"user_id"`
	Status       Status        `json:"status"`
	Amount       money.Money   `json:"amount"`
	Method       string        `json:"payment_method"` // the provider's token
	Items        []Item        `json:"items,omitempty"`
	Version      int64         `json:"version"` // rises by one with each change
	CreatedAt    time.Time     `json:"created_at"`
	UpdatedAt    time.Time     `json:"updated_at"`
	Cancellation *Cancellation `json:"cancellation,omitempty"`
	ChargeID     string        `json:"charge_id,omitempty"` // the provider's name for the charge
	// DecidedAt is when the charge was captured, declined or voided, and DecidedIn is the version in
	// which it was.
	DecidedAt  time.Time `json:"decided_at,omitzero"`
	DecidedIn  int64     `json:"decided_in,omitempty"`
	Decline    *Decline  `json:"decline,omitempty"`
	Unresolved bool      `json:"unresolved,omitempty"` // see [Payment.GiveUp]
	Refunds    []Refund  `json:"refunds,omitempty"`
	Entries    []Entry   `json:"entries,omitempty"`
	ListSeq    uint64    `json:"list_seq,omitempty"` // its position in the [Index], from DecidedIn on
}

// IDOf returns the id of the payment of an order. The same order always has the same payment.
func IDOf(orderID string) string { return id.Of(idPrefix, orderID) }

const idPrefix = "pay_"

func validID(paymentID string) bool { return id.Valid(idPrefix, paymentID) }

// Exists reports whether there is a payment at all.
func (p *Payment) Exists() bool { return p.Status != Absent }

// Place makes the pending payment of an order, or leaves an existing one as it is. It reports
// whether anything changed.
func (p *Payment) Place(o Order, now time.Time) (bool, error) {
	next, err := p.Status.After(OrderPlaced)
	if err != nil || p.Exists() {
		return false, err
	}
	*p = newPayment(o, next, now)
	return true, nil
}

// Cancel says that the order was cancelled. It reports whether anything changed. What has to happen
// then is up to [Payment.Next].
func (p *Payment) Cancel(o Order, c Cancellation, now time.Time) (bool, error) {
	next, err := p.Status.After(OrderCancelled)
	if err != nil {
		return false, err
	}
	if !p.Exists() {
		*p = newPayment(o, next, now)
		p.Cancellation = &c
		return true, nil
	}
	if p.Status.Terminal() || p.Cancellation != nil {
		return false, nil
	}
	p.touch(next, now)
	p.Cancellation = &Cancellation{Reason: p.typed(c.Reason), At: c.At}
	return true, nil
}

func newPayment(o Order, status Status, now time.Time) Payment {
	return Payment{
		ID: IDOf(o.ID), OrderID: o.ID, UserID: o.UserID, Status: status,
		Amount: o.Amount, Method: o.Method, Items: o.Items,
		Version: 1, CreatedAt: now, UpdatedAt: now,
	}
}

func (p *Payment) touch(status Status, now time.Time) {
	p.Status, p.UpdatedAt = status, now
	p.Version++
}

// What a decline says that is unresolved.
const (
	unresolvedCode   = "provider_unresolved"
	unresolvedReason = "The payment provider did not say whether it took the payment, " +
		"so it counts as failed. Should the amount have been taken, it is given back."
)

// GiveUp ends the wait for a provider that never says what it did: the payment is declined, so that
// the order ends and its customer is told. It stays unresolved until the provider has said that
// nothing was or will be taken, and if it turns out that something was, that is given back (see
// [Payment.Resolve]).
func (p *Payment) GiveUp(now time.Time) error {
	next, err := p.Status.After(ProviderSilent)
	if err != nil {
		return err
	}
	p.touch(next, now)
	p.Unresolved, p.DecidedAt, p.DecidedIn = true, now, p.Version
	p.Decline = &Decline{Code: unresolvedCode, Reason: unresolvedReason}
	return nil
}

// unasked reports whether the payment was voided before the provider was asked for anything, as an
// earlier version did with an order whose cancellation came first. Another process may have been
// charging it at that moment, so the provider is asked once, if the journal still has it.
func (p *Payment) unasked() bool { return p.Status == Voided && p.DecidedIn == 1 }

// Resolve decides a charge that was given up, or was voided unasked, by what the provider did with
// it. The result must be final. A capture enters the ledger, and is to be refunded like that of a
// cancelled order.
func (p *Payment) Resolve(r Result, now time.Time) error {
	in := NothingAfterAll
	if r.State == ChargeCaptured {
		in = CapturedAfterAll
	}
	next, err := p.Status.After(in)
	if err != nil {
		return err
	}
	p.touch(next, now)
	p.Unresolved, p.ChargeID = false, r.ChargeID
	if next == Voided {
		p.DecidedIn = p.Version
	}
	if next != Captured {
		return nil
	}
	p.DecidedAt, p.DecidedIn, p.Decline = now, p.Version, nil
	if p.Cancellation == nil {
		p.Cancellation = &Cancellation{Reason: "payment confirmed too late", At: now}
	}
	return p.post(EntryCapture, r.ChargeID, now, p.Amount, ProviderClearing, Revenue)
}

// Decide decides the charge by what the provider did with it. The result must be final. A capture
// enters the ledger.
func (p *Payment) Decide(r Result, now time.Time) error {
	var in Input
	switch {
	case r.State == ChargeCaptured:
		in = ProviderCaptured
	case r.State == ChargeDeclined && p.Cancellation == nil:
		in = ProviderDeclined
	default: // voided, or declined after the order was cancelled, when nobody needs to hear of that
		in = ProviderVoided
	}
	next, err := p.Status.After(in)
	if err != nil {
		return err
	}
	p.touch(next, now)
	p.ChargeID, p.DecidedAt, p.DecidedIn = r.ChargeID, now, p.Version
	switch next {
	case Captured:
		return p.post(EntryCapture, r.ChargeID, now, p.Amount, ProviderClearing, Revenue)
	case Declined:
		p.Decline = &Decline{Code: r.DeclineCode, Reason: r.DeclineReason}
	}
	return nil
}

// Step is what has to be done next for a payment.
type Step int

// The steps.
const (
	StepNone         Step = iota // nothing: only telling what is so is left
	StepCharge                   // authorise and capture
	StepVoid                     // make sure that nothing is captured, or learn that it was
	StepRefund                   // carry out a pending refund
	StepRefundOfRest             // the order is cancelled: accept a refund of what is left
)

// done reports whether only telling what is so is left.
func (p Payment) done() bool {
	step, _ := p.Next()
	return step == StepNone
}

// Next returns what has to be done next, and for StepRefund the refund to carry out. It is decided
// by the document alone, so any process can carry on where another one stopped.
func (p *Payment) Next() (Step, *Refund) {
	switch p.Status {
	case Pending:
		if p.Cancellation != nil {
			return StepVoid, nil
		}
		return StepCharge, nil
	case Declined, Voided:
		if p.Unresolved || p.unasked() {
			return StepVoid, nil
		}
	case Captured, PartiallyRefunded:
		for i := range p.Refunds {
			if p.Refunds[i].Status == RefundPending {
				return StepRefund, &p.Refunds[i]
			}
		}
		if p.Cancellation != nil && p.Refundable().Amount > 0 && len(p.Refunds) < 2*MaxRefunds {
			return StepRefundOfRest, nil
		}
	}
	return StepNone, nil
}
