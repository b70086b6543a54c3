package payments

import (
	"fmt"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/id"
	"sidecart.dev/kit/money"
)

// RefundStatus is where a refund stands.
type RefundStatus string

// The statuses of a refund.
const (
	RefundPending   RefundStatus = "pending"   // accepted: the amount is reserved
	RefundSucceeded RefundStatus = "succeeded" // the provider gave the money back
	RefundRefused   RefundStatus = "failed"    // the provider refused for good: it is free again
)

// Refund gives a part or all of a captured payment back.
type Refund struct {
	ID        string       `json:"id"`      // from the payment and the idempotency key
	Request   string       `json:"request"` // a digest, to tell a repetition from another request
	Amount    money.Money  `json:"amount"`
	Reason    string       `json:"reason"`
	Status    RefundStatus `json:"status"`
	CreatedAt time.Time    `json:"created_at"`
	DecidedAt time.Time    `json:"settled_at,omitzero"`  // when it succeeded or failed
	DecidedIn int64        `json:"settled_in,omitempty"` // the payment's version in which it did
	// TotalRefunded is what was given back of the payment when this refund succeeded, itself included.
	TotalRefunded money.Money `json:"total_refunded"`
}

// RefundID returns the id of the refund with that idempotency key. The same key always means the
// same refund of a payment.
func RefundID(paymentID, key string) string { return id.Of("rfd_", paymentID+"\x00"+key) }

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
	// Allowed says, by its error, that a new refund may not be added to the payment as it is. Nil: any
	// may. It is not asked about a repeated request.
	Allowed func(Payment) error
}

func (r RefundRequest) digest() string {
	return id.Of("", fmt.Sprintf("%d\x00%s\x00%s", r.Amount.Amount, r.Amount.Currency, r.Reason))
}

// AcceptRefund reserves the amount: the refund is pending, and the ledger owes it to the customer.
// The same key again changes nothing and returns the refund that is there; added is false then.
//
// It fails with an Unprocessable fault if the key was used for another request, if there is not as
// much left, if the currency is another one, or if there are more than [MaxRefunds]. It fails with
// a Conflict fault if the payment was not captured.
func (p *Payment) AcceptRefund(
	req RefundRequest, now time.Time,
) (refund Refund, added bool, err error) {
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
		message = fmt.Sprintf("must be all that is left, %s: a payment has at most %d partial refunds",
			rest, MaxRefunds)
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
// derived from the number of refunds: if the provider refuses this one, it is followed by another
// when the payment is driven on again.
func (p *Payment) AcceptRest(now time.Time) error {
	reason := "order cancelled"
	if p.Cancellation != nil && p.Cancellation.Reason != "" {
		reason = p.Cancellation.Reason
	}
	key := fmt.Sprintf("\x00cancelled/%d", len(p.Refunds))
	_, _, err := p.AcceptRefund(RefundRequest{Key: key, Reason: reason}, now)
	return err
}

// DecideRefund decides a pending refund by what the provider did: ok says whether it gave the money
// back. A refund that is decided already is left as it is.
func (p *Payment) DecideRefund(id string, ok bool, now time.Time) error {
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
	r.DecidedAt, r.DecidedIn = now, p.Version
	if !ok {
		r.Status = RefundRefused
		return p.post(EntryRefundReversed, id, now, r.Amount, CustomerPayable, Refunds)
	}
	r.Status, r.TotalRefunded = RefundSucceeded, money.New(total, p.Amount.Currency)
	return p.post(EntryRefundPaid, id, now, r.Amount, CustomerPayable, ProviderClearing)
}
