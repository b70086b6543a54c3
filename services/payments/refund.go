package payments

import (
	"fmt"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/money"
)

// RefundStatus is where a refund stands.
type RefundStatus string

// The statuses of a refund.
const (
	RefundPending   RefundStatus = "pending"   // accepted: the amount is reserved, the provider has not answered
	RefundSucceeded RefundStatus = "succeeded" // the provider gave the money back
	RefundRefused   RefundStatus = "failed"    // the provider refused for good; the amount is free again
)

// Refund gives a part or all of a captured payment back.
type Refund struct {
	ID            string       `json:"id"`      // from the payment and the idempotency key
	Request       string       `json:"request"` // digest of what was asked for, to tell a repetition from another request
	Amount        money.Money  `json:"amount"`
	Reason        string       `json:"reason"`
	Status        RefundStatus `json:"status"`
	CreatedAt     time.Time    `json:"created_at"`
	SettledAt     time.Time    `json:"settled_at,omitzero"`  // when it succeeded or failed
	SettledIn     int64        `json:"settled_in,omitempty"` // the payment's version in which it did
	TotalRefunded money.Money  `json:"total_refunded"`       // of the payment, this one included, when it succeeded
}

// RefundID returns the id of the refund with that idempotency key. The same key always means the
// same refund of a payment.
func RefundID(paymentID, key string) string { return deriveID("rfd_", paymentID+"\x00"+key) }

// Refund returns the refund with that id.
func (p *Payment) Refund(id string) (*Refund, bool) {
	for i := range p.Refunds {
		if p.Refunds[i].ID == id {
			return &p.Refunds[i], true
		}
	}
	return nil, false
}

// RefundedAmount is what the provider has given back.
func (p *Payment) RefundedAmount() money.Money { return p.sumRefunds(RefundSucceeded) }

// Refundable is what may still be given back: what was captured less all refunds that succeeded or
// are pending.
func (p *Payment) Refundable() money.Money {
	if _, err := p.Status.After(RefundRequested); err != nil {
		return money.New(0, p.Amount.Currency)
	}
	taken := p.sumRefunds(RefundSucceeded).Amount + p.sumRefunds(RefundPending).Amount
	return money.New(p.Amount.Amount-taken, p.Amount.Currency)
}

func (p *Payment) sumRefunds(status RefundStatus) money.Money {
	sum := money.New(0, p.Amount.Currency)
	for _, r := range p.Refunds {
		if r.Status == status {
			sum.Amount += r.Amount.Amount
		}
	}
	return sum
}

// MaxRefunds bounds the refunds of one payment, and thereby its document.
const MaxRefunds = 100

// RefundRequest is an operator's wish. A zero amount means all that is left.
type RefundRequest struct {
	Key    string // the idempotency key
	Amount money.Money
	Reason string
	// Allowed decides, by the payment as it is, whether a refund that is not there yet may be added.
	// Nil: it may. A repeated request is answered whatever it would say.
	Allowed func(Payment) error
}

func (r RefundRequest) digest() string {
	return deriveID("", fmt.Sprintf("%d\x00%s\x00%s", r.Amount.Amount, r.Amount.Currency, r.Reason))
}

// AcceptRefund reserves the amount: the refund is pending, and the ledger owes it to the customer.
// The same key again returns the refund that is there and changes nothing (added is false); with
// another request it is an Unprocessable fault. Too much, another currency, or more than
// [MaxRefunds] is Unprocessable; a payment that was not captured, Conflict.
func (p *Payment) AcceptRefund(req RefundRequest, now time.Time) (refund Refund, added bool, err error) {
	id := RefundID(p.ID, req.Key)
	if r, ok := p.Refund(id); ok {
		if r.Request != req.digest() {
			return Refund{}, false, fault.New(fault.Unprocessable, "idempotency_key_reused",
				"This Idempotency-Key was used for another refund of the payment; use a new one.")
		}
		return *r, false, nil
	}
	if req.Allowed != nil {
		if err := req.Allowed(*p); err != nil {
			return Refund{}, false, err
		}
	}
	next, err := p.Status.After(RefundRequested)
	if err != nil {
		return Refund{}, false, err
	}
	amount, err := p.refundAmount(req.Amount)
	if err != nil {
		return Refund{}, false, err
	}
	p.touch(next, now)
	refund = Refund{
		ID: id, Request: req.digest(), Amount: amount, Reason: p.typed(req.Reason), Status: RefundPending,
		CreatedAt: now, TotalRefunded: money.New(0, amount.Currency),
	}
	p.Refunds = append(p.Refunds, refund)
	return refund, true, p.post(EntryRefundAccepted, id, now, amount, Refunds, CustomerPayable)
}

func (p *Payment) refundAmount(asked money.Money) (money.Money, error) {
	rest := p.Refundable()
	var message string
	switch {
	case len(p.Refunds) >= MaxRefunds && asked != rest && asked != money.Money{}:
		message = fmt.Sprintf("must be all that is left, %s: a payment has at most %d partial refunds", rest, MaxRefunds)
	case rest.Amount <= 0:
		message = "must not exceed what is left to refund, which is nothing"
	case asked == money.Money{}:
		return rest, nil
	case asked.Currency != rest.Currency:
		message = "must be in the payment's currency, " + rest.Currency
	case asked.Amount > rest.Amount:
		message = fmt.Sprintf("must not exceed what is left to refund, %s", rest)
	default:
		return asked, nil
	}
	return money.Money{}, &fault.Error{
		Kind: fault.Unprocessable, Code: "unprocessable", Message: "This amount cannot be refunded.",
		Fields: []fault.Field{{Field: "amount", Message: message}},
	}
}

// AcceptRest accepts the refund of what is left, because the order was cancelled. Its key is
// derived from how often that was tried: a refund that the provider refused is followed by another
// one when the payment is driven again.
func (p *Payment) AcceptRest(now time.Time) error {
	reason := "order cancelled"
	if p.Cancellation != nil && p.Cancellation.Reason != "" {
		reason = p.Cancellation.Reason
	}
	_, _, err := p.AcceptRefund(RefundRequest{Key: fmt.Sprintf("\x00cancelled/%d", len(p.Refunds)), Reason: reason}, now)
	return err
}

// SettleRefund records what the provider did with a pending refund. One that is settled already is
// left as it is.
func (p *Payment) SettleRefund(id string, ok bool, now time.Time) error {
	r, found := p.Refund(id)
	if !found {
		return fault.Newf(fault.Internal, "internal", "payment %s has no refund %s", p.ID, id)
	}
	if r.Status != RefundPending {
		return nil
	}
	total := p.RefundedAmount().Amount + r.Amount.Amount
	in := RefundFailed
	switch {
	case ok && total == p.Amount.Amount:
		in = RefundedInFull
	case ok:
		in = RefundedInPart
	}
	next, err := p.Status.After(in)
	if err != nil {
		return err
	}
	p.touch(next, now)
	r.SettledAt, r.SettledIn = now, p.Version
	if !ok {
		r.Status = RefundRefused
		return p.post(EntryRefundReversed, id, now, r.Amount, CustomerPayable, Refunds)
	}
	r.Status, r.TotalRefunded = RefundSucceeded, money.New(total, p.Amount.Currency)
	return p.post(EntryRefundPaid, id, now, r.Amount, CustomerPayable, ProviderClearing)
}
