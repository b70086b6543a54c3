package stripe_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"sidecart.dev/kit/money"
	"sidecart.dev/payments"
	"sidecart.dev/payments/stripe"
)

// refusal is how the API refuses: its documentation's examples.
type refusal struct {
	Type        string `json:"type,omitempty"`
	Code        string `json:"code,omitempty"`
	DeclineCode string `json:"decline_code,omitempty"`
	Param       string `json:"param,omitempty"`
}

// answering is an API that answers everything in the same way.
func answering(t *testing.T, status int, body any) (*stripe.Provider, *url.Values) {
	t.Helper()
	var sent url.Values
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		if r.Method == http.MethodPost {
			sent = r.PostForm
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}))
	t.Cleanup(server.Close)
	return stripe.New(stripe.Config{BaseURL: server.URL}), &sent
}

func TestEveryRefusalIsFinalOrDecidesNothing(t *testing.T) {
	const invalid, card = "invalid_request_error", "card_error"
	cases := []struct {
		name     string
		status   int
		refusal  refusal
		declined string // the code of the decline; empty: nothing is decided
		refund   bool   // whether a refund is refused for good
	}{
		{"a card's refusal", 402, refusal{card, "card_declined", "generic_decline", ""}, "card_declined", true},
		{"no funds", 402, refusal{card, "card_declined", "insufficient_funds", ""}, "insufficient_funds", true},
		{"a stolen card, which the customer is not told", 402, refusal{card, "card_declined", "stolen_card", ""}, "card_declined", true},
		{"an expired card", 402, refusal{card, "expired_card", "", ""}, "expired_card", true},
		{"a currency the card does not take", 402, refusal{card, "card_declined", "currency_not_supported", ""}, "currency_not_supported", true},
		{"an amount too small", 400, refusal{invalid, "amount_too_small", "", "amount"}, "amount_too_small", true},
		{"an amount too large", 400, refusal{invalid, "amount_too_large", "", "amount"}, "amount_too_large", true},
		{"a currency the API does not know", 400, refusal{invalid, "", "", "currency"}, "currency_not_supported", true},
		{"a closed account", 400, refusal{invalid, "account_closed", "", ""}, "account_closed", true},
		{"a method that does not exist", 400, refusal{invalid, "resource_missing", "", "payment_method"}, "invalid_payment_method", true},
		{"a method that is none", 404, refusal{invalid, "", "", ""}, "invalid_payment_method", true},
		{"a code nobody has heard of", 400, refusal{invalid, "some_new_code", "", ""}, "invalid_payment_method", true},
		{"the merchant's balance", 400, refusal{invalid, "balance_insufficient", "", ""}, "card_declined", false},
		{"a wrong secret key", 401, refusal{invalid, "", "", ""}, "", false},
		{"a key without the right", 403, refusal{invalid, "", "", ""}, "", false},
		{"an expired secret key", 400, refusal{invalid, "api_key_expired", "", ""}, "", false},
		{"an account for tests alone", 400, refusal{invalid, "testmode_charges_only", "", ""}, "", false},
		{"a key that came with another request", 400, refusal{"idempotency_error", "", "", ""}, "", false},
		{"a key in use", 409, refusal{invalid, "idempotency_key_in_use", "", ""}, "", false},
		{"a lock", 429, refusal{invalid, "lock_timeout", "", ""}, "", false},
		{"too many requests", 429, refusal{invalid, "rate_limit", "", ""}, "", false},
		{"a failure of the API", 500, refusal{"api_error", "", "", ""}, "", false},
		{"a type nobody has heard of", 400, refusal{"some_new_error", "", "", ""}, "", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p, _ := answering(t, c.status, map[string]any{"error": c.refusal})
			r, err := p.Authorize(t.Context(), charge("pm_card"))
			switch {
			case c.declined == "" && err == nil:
				t.Errorf("a charge: %+v, want an unknown outcome", r)
			case c.declined != "" && (err != nil || r.State != payments.ChargeDeclined || r.DeclineCode != c.declined || r.DeclineReason == ""):
				t.Errorf("a charge: %+v, %v; want it declined as %s", r, err, c.declined)
			}
			ok, err := p.Refund(t.Context(), payments.RefundOrder{Key: "rfd_1", ChargeID: "pi_1", Amount: money.New(100, "EUR"), CreatedAt: time.Now()})
			if ok || (err == nil) != c.refund {
				t.Errorf("a refund: %v, %v; want it refused for good: %v", ok, err, c.refund)
			}
		})
	}
}

func TestAmountsAreWrittenAsTheAPIWantsThem(t *testing.T) {
	for currency, c := range map[string]struct {
		minor int64
		sent  string // empty: the API cannot express it
	}{
		"EUR": {1999, "1999"},
		"JPY": {500, "500"},
		"RWF": {1500, "1500"},
		"ISK": {5, "500"},
		"UGX": {5, "500"},
		"HUF": {1005, "1005"},
		"MGA": {500, "5"},
		"KWD": {5120, "5120"},
		"IQD": {5121, "5121"},
		"TND": {5124, ""},
	} {
		order := charge("pm_card")
		order.Amount = money.New(c.minor, currency)
		p, sent := answering(t, 200, map[string]any{"id": "pi_1", "status": "requires_capture"})
		r, err := p.Authorize(t.Context(), order)
		if err != nil {
			t.Errorf("%s: %v", order.Amount, err)
			continue
		}
		if c.sent == "" {
			if r.State != payments.ChargeDeclined || r.DeclineCode != "amount_not_supported" || *sent != nil {
				t.Errorf("%s: %+v after %v was sent, want a decline and nothing sent", order.Amount, r, *sent)
			}
			continue
		}
		if got := sent.Get("amount"); got != c.sent || r.State != payments.ChargeAuthorized {
			t.Errorf("%s was sent as %q, %s; want %q", order.Amount, got, r.State, c.sent)
		}
	}
}

func TestWhatWasGivenBackIsReadInMinorUnits(t *testing.T) {
	p, _ := answering(t, 200, map[string]any{"data": []any{map[string]any{
		"id": "pi_1", "status": "succeeded", "currency": "isk", "latest_charge": map[string]any{"amount_refunded": 700},
	}}})
	r, err := p.Lookup(t.Context(), "pay_1")
	if err != nil || r.Refunded != 7 {
		t.Fatalf("%+v, %v; want 7 krónur", r, err)
	}
}
