// Package simulated is a payment provider that takes no money. It behaves by the token alone, keeps
// its own record of what it did, apart from the payments' documents, and is as idempotent by key as
// a provider has to be.
//
//	tok_visa                captured
//	tok_declined            declined: card_declined
//	tok_insufficient_funds  declined: insufficient_funds
//	tok_slow                captured, after [Config].SlowDelay
//	tok_flaky               fails once or twice per key and process, then captured. Half of the
//	                        keys have a second failure, in which the money is taken and the answer
//	                        is lost
//	tok_unanswered          never decided, until the payment is given up and voided
//	anything else           declined: invalid_payment_method
package simulated

import (
	"cmp"
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"sidecart.dev/kit/document"
	"sidecart.dev/kit/money"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/payments"
)

// Config makes a [Provider]. State is required.
type Config struct {
	State     sidecar.State    // where the provider keeps its record
	SlowDelay time.Duration    // of tok_slow; default 2.5 s, negative: none
	Now       func() time.Time // default time.Now
}

// Provider implements [payments.Provider]. It is safe for concurrent use.
type Provider struct {
	cfg     Config
	records *document.Documents[record] // by the charge's key

	mu       sync.Mutex
	failures map[string]int // by key; bounded
}

// New makes a provider.
func New(cfg Config) *Provider {
	cfg.SlowDelay = cmp.Or(cfg.SlowDelay, 2500*time.Millisecond)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Provider{
		cfg: cfg, records: document.New[record](cfg.State, "simprovider"), failures: map[string]int{},
	}
}

// record is what the provider keeps of a charge. It is written when the charge is captured or
// voided. Until then the provider has promised nothing that it would have to remember, because the
// token alone decides what it declines.
type record struct {
	Key     string               `json:"key"`
	OrderID string               `json:"order_id"`
	State   payments.ChargeState `json:"state"`
	Amount  money.Money          `json:"amount"`
	Code    string               `json:"decline_code,omitempty"` // only an earlier version wrote it
	At      time.Time            `json:"at"`
	Refunds []refund             `json:"refunds,omitempty"`
}

type refund struct {
	Key    string    `json:"key"`
	Amount int64     `json:"amount"`
	At     time.Time `json:"at"`
}

var reasons = map[string]string{
	"card_declined":          "The card was declined.",
	"insufficient_funds":     "The card has insufficient funds.",
	"invalid_payment_method": "The payment method is not valid.",
}

func (r record) result() payments.Result {
	result := payments.Result{
		State: r.State, ChargeID: chargeID(r.Key), DeclineCode: r.Code, DeclineReason: reasons[r.Code],
	}
	for _, refund := range r.Refunds {
		result.Refunded += refund.Amount
	}
	return result
}

func declined(key, code string) payments.Result {
	return payments.Result{
		State: payments.ChargeDeclined, ChargeID: chargeID(key),
		DeclineCode: code, DeclineReason: reasons[code],
	}
}

func chargeID(key string) string { return "sim_" + key }

// Authorize implements [payments.Provider]. It decides by the token alone, and so it always answers
// the same without a record: neither a hold nor a refusal leaves a trace.
func (p *Provider) Authorize(ctx context.Context, c payments.Charge) (payments.Result, error) {
	switch c.Method {
	case "tok_slow":
		if err := payments.Wait(ctx, p.cfg.SlowDelay); err != nil {
			return payments.Result{}, payments.Unanswered(err)
		}
	case "tok_flaky":
		if p.fails(c.Key, 1) {
			return payments.Result{}, payments.Unanswered(nil)
		}
	case "tok_unanswered":
		return payments.Result{}, payments.Unanswered(nil)
	case "tok_visa":
	case "tok_declined":
		return declined(c.Key, "card_declined"), nil
	case "tok_insufficient_funds":
		return declined(c.Key, "insufficient_funds"), nil
	default:
		return declined(c.Key, "invalid_payment_method"), nil
	}
	return payments.Result{State: payments.ChargeAuthorized, ChargeID: chargeID(c.Key)}, nil
}

// Capture implements [payments.Provider].
func (p *Provider) Capture(ctx context.Context, c payments.Charge) (payments.Result, error) {
	result, err := p.end(ctx, c, payments.ChargeCaptured)
	if err == nil && c.Method == "tok_flaky" && failuresOf(c.Key) > 1 && p.fails(c.Key, 2) {
		return payments.Result{}, payments.Unanswered(nil)
	}
	return result, err
}

// Void implements [payments.Provider].
func (p *Provider) Void(ctx context.Context, c payments.Charge) (payments.Result, error) {
	return p.end(ctx, c, payments.ChargeVoided)
}

// end captures or voids a charge, unless that has been done before, and returns how it has ended.
func (p *Provider) end(
	ctx context.Context, c payments.Charge, state payments.ChargeState,
) (payments.Result, error) {
	r := record{
		Key: c.Key, OrderID: c.OrderID, State: state, Amount: c.Amount, At: p.cfg.Now().UTC(),
	}
	err := p.records.Insert(ctx, c.Key, r)
	if sidecar.IsExists(err) {
		var read document.Read[record]
		read, err = p.records.Read(ctx, c.Key)
		r = read.Doc
	}
	if err != nil {
		return payments.Result{}, payments.Unanswered(err)
	}
	return r.result(), nil
}

// Refund implements [payments.Provider]. It refuses to give back more than was taken.
func (p *Provider) Refund(ctx context.Context, o payments.RefundOrder) (bool, error) {
	given := false
	_, err := p.records.Change(ctx, o.ChargeKey, func(r record, exists bool) (record, error) {
		given = false
		sum := o.Amount.Amount
		for _, known := range r.Refunds {
			if known.Key == o.Key {
				given = true
				return r, document.ErrUnchanged
			}
			sum += known.Amount
		}
		fits := sum <= r.Amount.Amount && o.Amount.Currency == r.Amount.Currency
		if !exists || r.State != payments.ChargeCaptured || !fits {
			return r, document.ErrUnchanged
		}
		given = true
		r.Refunds = append(r.Refunds, refund{Key: o.Key, Amount: o.Amount.Amount, At: p.cfg.Now().UTC()})
		return r, nil
	})
	if err != nil {
		return false, payments.Unanswered(err)
	}
	return given, nil
}

// Lookup implements [payments.Provider]. It never lags behind.
func (p *Provider) Lookup(ctx context.Context, key string) (payments.Result, error) {
	read, err := p.records.Read(ctx, key)
	if err == nil && !read.Exists {
		return payments.Result{State: payments.ChargeUnknown}, nil
	}
	return read.Doc.result(), err
}

// maxFailures bounds what is remembered of flaky keys; forgetting one makes it fail again.
const maxFailures = 10_000

// fails reports whether a flaky key has failed less than n times, and counts the failure.
func (p *Provider) fails(key string, n int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failures[key] >= n {
		return false
	}
	if len(p.failures) >= maxFailures {
		clear(p.failures)
	}
	p.failures[key]++
	return true
}

// failuresOf is how often a flaky key fails: once or twice.
func failuresOf(key string) int { return 1 + int(sha256.Sum256([]byte(key))[0]&1) }
