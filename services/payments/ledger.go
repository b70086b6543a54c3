package payments

import (
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/money"
)

// Account is an account of the ledger. The chart is small; see the package documentation for how it
// is used.
type Account string

// The chart of accounts.
const (
	// ProviderClearing is an asset: what the provider has taken for us and not given back.
	ProviderClearing Account = "provider:clearing"
	// Revenue is income: what customers have paid for orders.
	Revenue Account = "revenue:orders"
	// Refunds is contra-income: what customers are given back.
	Refunds Account = "refunds"
	// CustomerPayable is a liability: refunds that are accepted and not yet carried out. It is zero
	// when nothing is under way.
	CustomerPayable Account = "customer:payable"
)

// EntryKind says of which business event a ledger entry is.
type EntryKind string

// The kinds of entries.
const (
	EntryCapture        EntryKind = "capture"
	EntryRefundAccepted EntryKind = "refund_accepted"
	EntryRefundPaid     EntryKind = "refund_paid"
	EntryRefundReversed EntryKind = "refund_reversed"
)

// Posting moves an amount on an account: positive is a debit, negative a credit.
type Posting struct {
	Account Account     `json:"account"`
	Amount  money.Money `json:"amount"`
}

// Entry is one ledger transaction. Its postings sum to zero in each currency. Entries are only ever
// appended.
type Entry struct {
	Seq       int       `json:"seq"` // from 1, rising by one within a payment
	Kind      EntryKind `json:"kind"`
	Reference string    `json:"reference"` // the provider's charge id, or the refund id
	At        time.Time `json:"at"`
	Postings  []Posting `json:"postings"`
}

// Balanced reports whether the postings sum to zero in each currency.
func (e Entry) Balanced() bool {
	sums := map[string]int64{}
	for _, p := range e.Postings {
		sums[p.Amount.Currency] += p.Amount.Amount
	}
	for _, sum := range sums {
		if sum != 0 {
			return false
		}
	}
	return len(e.Postings) > 1
}

// post appends an entry that debits one account and credits another with the amount, which must be
// positive. An entry made here cannot be out of balance.
func (p *Payment) post(
	kind EntryKind, reference string, at time.Time, amount money.Money, debit, credit Account,
) error {
	if amount.Amount <= 0 || amount.Currency != p.Amount.Currency {
		return fault.Newf(fault.Internal, "internal",
			"ledger: %s of %s on a payment of %s", kind, amount, p.Amount)
	}
	p.Entries = append(p.Entries, Entry{
		Seq: len(p.Entries) + 1, Kind: kind, Reference: reference, At: at,
		Postings: []Posting{{Account: debit, Amount: amount}, {Account: credit, Amount: amount.Neg()}},
	})
	return nil
}

// Balance returns the sum of the payment's postings on an account, in the payment's currency.
func (p *Payment) Balance(account Account) money.Money {
	sum := money.New(0, p.Amount.Currency)
	for _, e := range p.Entries {
		for _, posting := range e.Postings {
			if posting.Account == account {
				sum.Amount += posting.Amount.Amount
			}
		}
	}
	return sum
}
