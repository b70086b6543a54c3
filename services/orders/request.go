package orders

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/id"
	"sidecart.dev/kit/money"
)

// Request is what a customer orders. Prices are the server's.
type Request struct {
	Items         []RequestItem `json:"items"`
	PaymentMethod string        `json:"payment_method"` // a provider's token, never a card number
	// ExpectedTotal is what the customer was shown: the order costs this, or it is not placed. Without
	// it the order costs what it costs now.
	ExpectedTotal *money.Money `json:"expected_total,omitempty"`
}

// RequestItem is one product of a request.
type RequestItem struct {
	ProductID string `json:"product_id"`
	Quantity  int    `json:"quantity"`
}

var (
	productID     = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)
	paymentMethod = regexp.MustCompile(`^[a-z]{2,8}_[A-Za-z0-9_]+$`)
	visibleASCII  = regexp.MustCompile(`^[!-~]{1,128}$`)
)

const idPrefix = "ord_"

// ValidID reports whether an id has the form of an order's. If it has not, there is no such order.
func ValidID(orderID string) bool { return id.Valid(idPrefix, orderID) }

// Validate returns an Invalid fault that names every field that can never be accepted.
func (r Request) Validate() error {
	var wrong fault.Fields
	if n := len(r.Items); n < 1 || n > MaxItems {
		wrong.Add("items", fmt.Sprintf("must have 1 to %d entries", MaxItems))
	} else {
		for i, item := range r.Items {
			item.check(&wrong, fmt.Sprintf("items[%d]", i))
		}
	}
	if len(r.PaymentMethod) > 128 || !paymentMethod.MatchString(r.PaymentMethod) {
		wrong.Add("payment_method", "must be a token of the payment provider, such as tok_visa")
	}
	if r.ExpectedTotal != nil {
		checkAmount(&wrong, "expected_total", *r.ExpectedTotal, maxTotal)
	}
	return wrong.Err()
}

func (i RequestItem) check(wrong *fault.Fields, field string) {
	if !productID.MatchString(i.ProductID) {
		wrong.Add(field+".product_id", "must be the id of a product")
	}
	if i.Quantity < 1 || i.Quantity > MaxQuantity {
		wrong.Add(field+".quantity", fmt.Sprintf("must be from 1 to %d", MaxQuantity))
	}
}

// maxTotal is the largest number of minor units that any JSON reader keeps.
const maxTotal = 1<<53 - 1

// checkAmount notes what is wrong with an amount that must be from 1 to max minor units of a
// currency.
func checkAmount(wrong *fault.Fields, field string, m money.Money, max int64) {
	if m.Amount < 1 || m.Amount > max {
		wrong.Add(field+".amount", fmt.Sprintf("must be from 1 to %d minor units", max))
	}
	if !money.ValidCurrency(m.Currency) {
		wrong.Add(field+".currency", "must be an ISO 4217 code such as EUR")
	}
}

// Fingerprint tells requests apart: the same key with another fingerprint is a key that is used
// twice.
func (r Request) Fingerprint() string {
	raw, _ := json.Marshal(r) //nolint:errchkjson // strings and integers only
	digest := sha256.Sum256(raw)
	return hex.EncodeToString(digest[:16])
}

// ValidateKey returns an Invalid fault unless the idempotency key is 1 to 128 visible ASCII
// characters.
func ValidateKey(key string) error {
	if visibleASCII.MatchString(key) {
		return nil
	}
	return fault.New(fault.Invalid, "idempotency_key_required",
		"Send an Idempotency-Key of 1 to 128 visible ASCII characters.")
}

// IDFor returns the id of the order a customer places under an idempotency key. Doing it again
// gives the same id, so a repeated request needs no record of its own: it finds the order. The id
// tells neither customer nor key.
func IDFor(userID, key string) string { return id.Of(idPrefix, userID+"|"+key) }

// Quote is a request with the server's names and prices. It is valid: only [Catalogue.Quote] makes
// one.
type Quote struct {
	items         []Item
	total         money.Money
	paymentMethod string
}

// Total returns the sum of the items' prices.
func (q Quote) Total() money.Money { return q.total }

// expect returns nil if the quote is for the expected total, or if nothing is expected. Otherwise
// it returns a Conflict fault with code total_changed, which carries the quote.
func (q Quote) expect(total *money.Money) error {
	if total == nil || *total == q.total {
		return nil
	}
	return &fault.Error{
		Kind: fault.Conflict, Code: "total_changed",
		Message: fmt.Sprintf("The order would cost %s now, not %s.", q.total, *total),
		Extensions: map[string]any{"quote": struct {
			Items []Item      `json:"items"`
			Total money.Money `json:"total"`
		}{q.items, q.total}},
	}
}
