package orders

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/money"
)

// Request is what a customer orders. Prices are the server's.
type Request struct {
	Items         []RequestItem `json:"items"`
	PaymentMethod string        `json:"payment_method"` // a provider's token, never a card number
	// ExpectedTotal is what the customer was shown; the order costs this or is not placed. Nil:
	// whatever it costs.
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
	orderID       = regexp.MustCompile(`^ord_[0-9a-z-]{1,36}$`)
	visibleASCII  = regexp.MustCompile(`^[!-~]{1,128}$`)
)

// ValidID reports whether an id has the form of an order's. What has not is the id of no order.
func ValidID(id string) bool { return orderID.MatchString(id) }

// Validate returns an Invalid fault that names every field that can never be accepted.
func (r Request) Validate() error {
	var fields []fault.Field
	wrong := func(field, message string) { fields = append(fields, fault.Field{Field: field, Message: message}) }
	if n := len(r.Items); n < 1 || n > MaxItems {
		wrong("items", fmt.Sprintf("must have 1 to %d entries", MaxItems))
	} else {
		for i, item := range r.Items {
			if !productID.MatchString(item.ProductID) {
				wrong(fmt.Sprintf("items[%d].product_id", i), "must be the id of a product")
			}
			if item.Quantity < 1 || item.Quantity > MaxQuantity {
				wrong(fmt.Sprintf("items[%d].quantity", i), fmt.Sprintf("must be from 1 to %d", MaxQuantity))
			}
		}
	}
	if len(r.PaymentMethod) > 128 || !paymentMethod.MatchString(r.PaymentMethod) {
		wrong("payment_method", "must be a token of the payment provider, such as tok_visa")
	}
	if r.ExpectedTotal != nil {
		fields = append(fields, checkAmount("expected_total", *r.ExpectedTotal, maxTotal)...)
	}
	if len(fields) > 0 {
		return fault.InvalidFields(fields...)
	}
	return nil
}

// maxTotal is the largest number of minor units that any JSON reader keeps.
const maxTotal = 1<<53 - 1

// checkAmount returns what is wrong with an amount that must be from 1 to max minor units of a
// currency.
func checkAmount(field string, m money.Money, max int64) (wrong []fault.Field) {
	if m.Amount < 1 || m.Amount > max {
		wrong = append(wrong, fault.Field{Field: field + ".amount", Message: fmt.Sprintf("must be from 1 to %d minor units", max)})
	}
	if !money.ValidCurrency(m.Currency) {
		wrong = append(wrong, fault.Field{Field: field + ".currency", Message: "must be an ISO 4217 code such as EUR"})
	}
	return wrong
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
	return fault.New(fault.Invalid, "idempotency_key_required", "Send an Idempotency-Key of 1 to 128 visible ASCII characters.")
}

var lowerBase32 = base32.StdEncoding.WithPadding(base32.NoPadding)

// IDFor returns the id of the order a customer places under an idempotency key. Doing it again
// gives the same id, so a repeated request needs no record of its own: it finds the order. The id
// tells neither customer nor key.
func IDFor(userID, key string) string {
	digest := sha256.Sum256([]byte(userID + "|" + key))
	return "ord_" + strings.ToLower(lowerBase32.EncodeToString(digest[:])[:26])
}

// Quote is a request with the server's names and prices. It is valid: only [Catalogue.Quote] makes
// one.
type Quote struct {
	items         []Item
	total         money.Money
	paymentMethod string
}

// Total returns the sum of the items' prices.
func (q Quote) Total() money.Money { return q.total }

// expect fails with a Conflict fault of code total_changed, which carries the quote, unless the
// quote is for the expected total or nothing is expected.
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
