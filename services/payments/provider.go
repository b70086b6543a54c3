package payments

import (
	"context"
	"errors"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/money"
)

// ChargeState is what the provider did with a charge.
type ChargeState string

// The states of a charge at the provider. All but ChargeAuthorized and ChargeUnknown are final.
const (
	ChargeUnknown    ChargeState = "unknown"    // the provider has never heard of it
	ChargeAuthorized ChargeState = "authorized" // the amount is held
	ChargeCaptured   ChargeState = "captured"   // the amount was taken
	ChargeDeclined   ChargeState = "declined"   // refused for good
	ChargeVoided     ChargeState = "voided"     // can never be captured
)

// Charge is what a provider has to know to charge a customer. The same key always goes with the
// same charge.
type Charge struct {
	Key       string // the idempotency key: the payment's id
	ChargeID  string // the provider's name for the charge, where Authorize has told it
	OrderID   string
	Amount    money.Money
	Method    string    // the provider's token
	CreatedAt time.Time // when the payment was made; providers forget keys after a while
}

// Result is a provider's answer about a charge.
type Result struct {
	State         ChargeState
	ChargeID      string // the provider's name for it
	DeclineCode   string // if declined: card_declined, insufficient_funds, invalid_payment_method, …
	DeclineReason string // if declined: for the customer
	Refunded      int64  // minor units given back so far; only [Provider.Lookup] has to fill it in
}

// RefundOrder asks a provider to give a part of a captured charge back.
type RefundOrder struct {
	Key       string // the idempotency key: the refund's id
	ChargeKey string // the key of the charge
	ChargeID  string // the provider's name for the charge
	Amount    money.Money
	CreatedAt time.Time
}

// Provider takes and gives back money. Implementations are safe for concurrent use.
//
// Every operation is idempotent by its key, at any distance in time. An error means that the
// outcome is unknown, and never that nothing happened: the caller asks again with the same key
// until there is an answer. Refusals are answers, not errors. See [Unanswered].
type Provider interface {
	// Authorize holds the amount. The answer is Authorized or Declined, or Captured or Voided if that
	// has happened to the key already.
	Authorize(ctx context.Context, c Charge) (Result, error)
	// Capture takes an authorised amount, once. The answer is Captured, or Voided or Declined if that
	// has happened to the key before.
	Capture(ctx context.Context, c Charge) (Result, error)
	// Void makes a capture impossible from now on, also one by a request that is still on its way,
	// whether or not the charge was ever authorised. The answer is Voided or Declined, or Captured if
	// it is too late.
	Void(ctx context.Context, c Charge) (Result, error)
	// Refund gives money back, once, and reports whether the provider did (false: refused for good).
	Refund(ctx context.Context, r RefundOrder) (ok bool, err error)
	// Lookup returns what the provider has on record for a key, or ChargeUnknown. It is for operators
	// and tests: its answer may lag behind.
	Lookup(ctx context.Context, key string) (Result, error)
}

// Unanswered is the error of a [Provider] whose answer did not come. err is the cause, or nil.
func Unanswered(err error) error {
	kind, code := fault.Unavailable, "unavailable"
	if errors.Is(err, context.DeadlineExceeded) {
		kind, code = fault.Timeout, "timeout"
	}
	return &fault.Error{
		Kind: kind, Code: code, Message: "The payment provider did not answer.",
		RetryAfter: time.Second, Err: err,
	}
}
