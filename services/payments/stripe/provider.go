// Package stripe speaks to a Stripe-compatible HTTP API by way of the sidecar: a Dapr HTTPEndpoint
// holds its address and secret key, so that neither is known here.
//
// A charge is a PaymentIntent that is confirmed at once and captured by hand. Each request carries
// an Idempotency-Key derived from the payment or refund, so repeating it does nothing anew. Stripe
// forgets keys after 24 hours; what is older is looked up before it is repeated.
package stripe

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/payments"
)

// Config makes a [Provider]. BaseURL is required.
type Config struct {
	BaseURL   string            // up to but not including /v1/…, no slash at the end
	Transport http.RoundTripper // default http.DefaultTransport
	KeyLife   time.Duration     // how long the API remembers a key, with a margin; default 20 h
	Now       func() time.Time  // default time.Now
}

// Provider implements [payments.Provider]. It is safe for concurrent use.
type Provider struct {
	api     api
	keyLife time.Duration
	now     func() time.Time
}

// New makes a provider.
func New(cfg Config) *Provider {
	p := &Provider{
		api:     api{base: cfg.BaseURL, client: &http.Client{Transport: cfg.Transport}},
		keyLife: cmp.Or(cfg.KeyLife, 20*time.Hour), now: cfg.Now,
	}
	if p.now == nil {
		p.now = time.Now
	}
	return p
}

// intent is what is read of a PaymentIntent.
type intent struct {
	ID             string    `json:"id"`
	Currency       string    `json:"currency"`
	Status         string    `json:"status"`
	AmountReceived int64     `json:"amount_received"`
	LastError      *apiError `json:"last_payment_error"`
	LatestCharge   struct {
		AmountRefunded int64 `json:"amount_refunded"`
	} `json:"latest_charge"`
}

// statuses maps a PaymentIntent's status. The card has refused in requires_payment_method;
// requires_action would need the customer at the screen, which is refused here.
var statuses = map[string]payments.ChargeState{
	"requires_capture":        payments.ChargeAuthorized,
	"succeeded":               payments.ChargeCaptured,
	"canceled":                payments.ChargeVoided,
	"requires_payment_method": payments.ChargeDeclined,
	"requires_action":         payments.ChargeDeclined,
	"requires_confirmation":   payments.ChargeDeclined,
}

func (i intent) result() (payments.Result, error) {
	state, ok := statuses[i.Status]
	if !ok { // processing, or something new
		return payments.Result{}, fault.Newf(fault.Unavailable, "unavailable",
			"The charge is %q at the payment provider.", i.Status)
	}
	refunded := minor(i.LatestCharge.AmountRefunded, strings.ToUpper(i.Currency))
	r := payments.Result{State: state, ChargeID: i.ID, Refunded: refunded}
	if state == payments.ChargeDeclined {
		e := apiError{Type: "card_error", Code: "card_declined"}
		if i.LastError != nil {
			e = *i.LastError
		} else if i.Status == "requires_action" {
			e.Code = "authentication_required"
		}
		r.DeclineCode, r.DeclineReason = e.decline()
	}
	return r, nil
}

// Authorize implements [payments.Provider].
func (p *Provider) Authorize(ctx context.Context, c payments.Charge) (payments.Result, error) {
	i, refusal, err := p.create(ctx, c)
	if err != nil {
		return payments.Result{}, err
	}
	if refusal != nil {
		return declined(i, refusal), nil
	}
	return i.result()
}

func declined(i intent, refusal *apiError) payments.Result {
	code, reason := refusal.decline()
	return payments.Result{
		State: payments.ChargeDeclined, ChargeID: i.ID, DeclineCode: code, DeclineReason: reason,
	}
}

// create makes the PaymentIntent, or finds the one there is. A refusal for good is not an error.
func (p *Provider) create(ctx context.Context, c payments.Charge) (intent, *apiError, error) {
	if p.forgotten(c.CreatedAt) {
		if i, found, err := p.search(ctx, c.Key); err != nil || found {
			return i, nil, err
		}
	}
	var i intent
	units, ok := amount(c.Amount)
	if !ok {
		return i, &apiError{Code: "invalid_charge_amount"}, nil
	}
	refusal, err := p.api.post(ctx, "/v1/payment_intents", c.Key, url.Values{
		"amount": {units}, "currency": {strings.ToLower(c.Amount.Currency)},
		"payment_method": {c.Method}, "confirm": {"true"}, "capture_method": {"manual"},
		"automatic_payment_methods[enabled]":         {"true"},
		"automatic_payment_methods[allow_redirects]": {"never"},
		"metadata[payment_id]":                       {c.Key},
		"metadata[order_id]":                         {c.OrderID},
	}, &i)
	if err != nil || refusal == nil {
		return i, nil, err
	}
	if refusal.Intent != nil {
		i = *refusal.Intent
	}
	if refusal.answer().charge == final {
		return i, refusal, nil
	}
	return i, nil, refusal.fault()
}

// Capture implements [payments.Provider].
func (p *Provider) Capture(ctx context.Context, c payments.Charge) (payments.Result, error) {
	return p.end(ctx, c, "capture")
}

// Void implements [payments.Provider]. A charge that was never authorised is authorised first, with
// the key that a request still on its way has too, so that cancelling it stops that one as well.
func (p *Provider) Void(ctx context.Context, c payments.Charge) (payments.Result, error) {
	return p.end(ctx, c, "cancel")
}

// end captures or cancels a PaymentIntent. If its state does not allow that, the state is the
// answer.
func (p *Provider) end(
	ctx context.Context, c payments.Charge, action string,
) (payments.Result, error) {
	i := intent{ID: c.ChargeID}
	if i.ID == "" {
		made, refusal, err := p.create(ctx, c)
		if err != nil {
			return payments.Result{}, err
		}
		if i = made; refusal != nil && (i.ID == "" || action == "capture") {
			return declined(i, refusal), nil
		}
	}
	path := "/v1/payment_intents/" + url.PathEscape(i.ID)
	refusal, err := p.api.post(ctx, path+"/"+action, c.Key+":"+action, url.Values{}, &i)
	if err != nil {
		return payments.Result{}, err
	}
	if refusal != nil {
		if refusal, err = p.api.get(ctx, path, nil, &i); err != nil {
			return payments.Result{}, err
		}
		if refusal != nil {
			return payments.Result{}, refusal.fault()
		}
	}
	return i.result()
}

// Lookup implements [payments.Provider]. It searches by metadata, which Stripe brings up to date
// within a minute.
func (p *Provider) Lookup(ctx context.Context, key string) (payments.Result, error) {
	i, found, err := p.search(ctx, key)
	if err != nil {
		return payments.Result{}, err
	}
	if !found {
		return payments.Result{State: payments.ChargeUnknown}, nil
	}
	return i.result()
}

func (p *Provider) search(ctx context.Context, key string) (intent, bool, error) {
	var found struct {
		Data []intent `json:"data"`
	}
	query := url.Values{
		"query": {"metadata['payment_id']:'" + key + "'"}, "expand[]": {"data.latest_charge"},
	}
	refusal, err := p.api.get(ctx, "/v1/payment_intents/search", query, &found)
	if err != nil {
		return intent{}, false, err
	}
	if refusal != nil {
		return intent{}, false, refusal.fault()
	}
	if len(found.Data) == 0 {
		return intent{}, false, nil
	}
	return found.Data[0], true, nil
}

func (p *Provider) forgotten(created time.Time) bool {
	return !created.IsZero() && p.now().Sub(created) > p.keyLife
}
