// Package orders has the products and the orders of the shop: what an order is, what may happen to
// it, and how it is driven to its end. It stands on the kit's aggregates, which see to it that what
// is acknowledged is finished; the products' store and the other services stand behind interfaces.
package orders

import (
	"fmt"
	"slices"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/money"
)

// Limits of one order.
const (
	MaxItems    = 50
	MaxQuantity = 99
	// maxHistory bounds an order's history. What a customer can cause is far below it. A step beyond
	// it is left out, unless it brings another status.
	maxHistory = 100
)

// Item is one product of an order, as it was when the order was placed.
type Item struct {
	ProductID string      `json:"product_id"`
	Name      string      `json:"name"`
	Quantity  int         `json:"quantity"`
	UnitPrice money.Money `json:"unit_price"`
}

// Step is one entry of an order's history.
type Step struct {
	Status Status    `json:"status"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
}

// Cancellation is what order.cancelled.v1 says. An order that has one owes that event.
type Cancellation struct {
	Version int64     `json:"version"` // of the order, when it happened
	At      time.Time `json:"at"`
	Reason  string    `json:"reason,omitempty"` // in the customer's words; may be empty
}

// Order is one order. Its fields always make a valid one, because [Place] or [Document.Order] makes
// it, and only [Order.Apply] and [Order.Erase] change it. It is a value, and each change returns a
// new one, so an Order may be shared between goroutines.
//
// An order survives its customer's deletion as a financial record. It holds two personal things.
// One is the customer's id, which means nothing to anyone once users has erased the account. The
// other is the words that people typed as the reason of a cancellation or a refund; they are in it
// until [Order.Erase].
type Order struct {
	id, userID    string
	seq           uint64 // position in the customer's list
	fingerprint   string // of the request that placed it
	items         []Item
	total         money.Money
	paymentMethod string
	status        Status
	closing       Closing
	refunded      int64 // minor units given back so far, as payments said
	cancellation  Cancellation
	history       []Step
	erased        bool // what people typed is gone, and what they still type is not kept
	createdAt     time.Time
	updatedAt     time.Time
	version       int64
}

// Placement is what an order is made of.
type Placement struct {
	ID, UserID  string
	Seq         uint64 // position in the customer's list
	Fingerprint string // of the request; see [Request.Fingerprint]
	Quote       Quote
	At          time.Time
}

// Place makes a pending order. It fails only on a placement that no caller should have made.
func Place(p Placement) (Order, error) {
	at := p.At.UTC().Truncate(time.Microsecond)
	o := Order{
		id: p.ID, userID: p.UserID, seq: p.Seq, fingerprint: p.Fingerprint,
		items: slices.Clone(p.Quote.items), total: p.Quote.total, paymentMethod: p.Quote.paymentMethod,
		closing: NotClosed, createdAt: at, updatedAt: at,
	}
	next, verdict := o.Apply(Change{Trigger: Placed, At: at})
	if verdict != Applied {
		return Order{}, fmt.Errorf("placing an order: %s", verdict)
	}
	return next, next.check()
}

// Change is a trigger with what is known about it.
type Change struct {
	Trigger  Trigger
	At       time.Time
	Reason   string // for the history; may be empty
	Refunded int64  // refunds: minor units given back in all, including earlier refunds
}

// Apply returns the order after the change, and what the table says about the change. Unless that
// is Applied, the order is unchanged. The same change is never Applied twice.
func (o Order) Apply(c Change) (Order, Verdict) {
	r, ok := table[o.status][c.Trigger]
	if !ok {
		return o, Contradict
	}
	next, changed := o, false
	next.history = slices.Clip(o.history) // appending must not write into the old order's history
	next.updatedAt = latest(o.updatedAt, c.At.UTC().Truncate(time.Microsecond))
	next.version++
	if r.closing != "" && o.closing == NotClosed {
		next.closing, changed = r.closing, true
	}
	if r.reopen && o.closing == ByDecline && o.refunded < o.total.Amount {
		next.closing, changed = NotClosed, true
		next.owe(reasonReopened)
		next.note(o.status, reasonReopened)
	}
	for i, status := range r.to {
		next.status, changed = status, true
		reason := ""
		if i == len(r.to)-1 && c.Trigger != PaymentPartlyRefunded { // which is noted by itself
			reason = o.kept(status, c.Reason)
		}
		next.note(status, reason)
	}
	if r.tell && len(r.to) > 0 {
		next.owe(o.kept(Cancelled, c.Reason))
	}
	if next.noteRefund(c) {
		changed = true
	}
	if !changed {
		return o, r.otherwise
	}
	return next, Applied
}

const reasonReopened = "a charge came after the decline and is given back"

// noteRefund notes how much has been given back, if that is news.
func (o *Order) noteRefund(c Change) bool {
	given := c.Refunded
	switch {
	case c.Trigger != PaymentRefunded && c.Trigger != PaymentPartlyRefunded:
		return false
	case c.Trigger == PaymentRefunded || given > o.total.Amount:
		given = o.total.Amount
	}
	if given <= o.refunded {
		return false
	}
	o.refunded = given
	if c.Trigger == PaymentPartlyRefunded {
		o.note(o.status, "refunded so far: "+money.New(given, o.total.Currency).String())
	}
	return true
}

// owe makes the order owe order.cancelled.v1.
func (o *Order) owe(reason string) {
	o.cancellation = Cancellation{Version: o.version, At: o.updatedAt, Reason: reason}
}

func (o *Order) note(status Status, reason string) {
	if len(o.history) < maxHistory || o.history[len(o.history)-1].Status != status {
		o.history = append(o.history, Step{Status: status, At: o.updatedAt, Reason: reason})
	}
}

// Done reports whether nothing can happen to the order any more unless somebody asks for it. Such
// an order rests in a terminal status, and if it is not to be charged, payments has closed its
// payment.
func (o Order) Done() bool {
	switch o.status {
	case Paid, Refunded:
		return true
	case PaymentFailed, Cancelled:
		return o.closing != NotClosed
	default:
		return false
	}
}

// ID returns the order's id.
func (o Order) ID() string { return o.id }

// UserID returns the customer's id.
func (o Order) UserID() string { return o.userID }

// Seq returns the order's position in its customer's list.
func (o Order) Seq() uint64 { return o.seq }

// Fingerprint returns the fingerprint of the request that placed the order.
func (o Order) Fingerprint() string { return o.fingerprint }

// Items returns what was ordered. The caller owns the slice.
func (o Order) Items() []Item { return slices.Clone(o.items) }

// Total returns the sum of the items' prices.
func (o Order) Total() money.Money { return o.total }

// PaymentMethod returns the payment provider's token.
func (o Order) PaymentMethod() string { return o.paymentMethod }

// Status returns where the order stands.
func (o Order) Status() Status { return o.status }

// Closing returns how payments has closed the payment of an order that is not to be charged.
func (o Order) Closing() Closing { return o.closing }

// RefundedAmount returns how much payments has said to have given back.
func (o Order) RefundedAmount() money.Money { return money.New(o.refunded, o.total.Currency) }

// History returns every status the order has had, oldest first. The caller owns the slice.
func (o Order) History() []Step { return slices.Clone(o.history) }

// CreatedAt returns when the order was placed.
func (o Order) CreatedAt() time.Time { return o.createdAt }

// UpdatedAt returns when the order last changed. It never goes back, whatever the clocks say.
func (o Order) UpdatedAt() time.Time { return o.updatedAt }

// Version counts the order's changes, from 1.
func (o Order) Version() int64 { return o.version }

// check reports what is wrong with the order. It is nil for every order this package has made.
func (o Order) check() error {
	total, err := sum(o.items)
	switch {
	case !ValidID(o.id) || o.userID == "" || o.seq == 0,
		o.fingerprint == "" || o.paymentMethod == "":
		return o.broken("an id, the position, the fingerprint or the payment method is missing")
	case err != nil || total != o.total || total.Amount < 1:
		return o.broken("the total is not the sum of the items")
	case !slices.Contains(Statuses, o.status) || !slices.Contains(closings, o.closing):
		return o.broken("an unknown status or settlement")
	case o.version < 1 || o.createdAt.IsZero() || o.updatedAt.Before(o.createdAt):
		return o.broken("the version or a time is out of range")
	case len(o.history) == 0 || o.history[len(o.history)-1].Status != o.status:
		return o.broken("the history does not end in the status")
	case o.refunded < 0 || o.refunded > o.total.Amount || o.cancellation.Version > o.version:
		return o.broken("the refund or the cancellation is out of range")
	}
	return nil
}

func (o Order) broken(what string) error {
	return fault.Newf(fault.Internal, "internal", "order %q: %s", o.id, what)
}

// sum returns the total of valid items of one currency.
func sum(items []Item) (money.Money, error) {
	var total money.Money
	if len(items) < 1 || len(items) > MaxItems {
		return total, fault.New(fault.Internal, "internal", "an order has 1 to 50 items")
	}
	for _, item := range items {
		quantityFits := item.Quantity >= 1 && item.Quantity <= MaxQuantity
		if !quantityFits || item.UnitPrice.Amount < 1 || item.ProductID == "" {
			return total, fault.Newf(fault.Internal, "internal", "item %q is out of range", item.ProductID)
		}
		line, err := item.UnitPrice.Times(int64(item.Quantity))
		if err != nil {
			return total, err
		}
		if total, err = total.Add(line); err != nil {
			return total, err
		}
	}
	return total, nil
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
