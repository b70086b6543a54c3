package stripe

import (
	"context"
	"net/url"

	"sidecart.dev/payments"
)

// refund is what is read of a Refund.
type refund struct {
	Status   string            `json:"status"`
	Metadata map[string]string `json:"metadata"`
}

// gone reports whether the money is, or surely will be, with the customer.
func (r refund) gone() bool { return r.Status == "succeeded" || r.Status == "pending" }

// Refund implements [payments.Provider].
func (p *Provider) Refund(ctx context.Context, o payments.RefundOrder) (bool, error) {
	if p.forgotten(o.CreatedAt) {
		if r, found, err := p.refundOf(ctx, o); err != nil || found {
			return r.gone(), err
		}
	}
	var r refund
	units, ok := amount(o.Amount)
	if !ok {
		return false, nil
	}
	refusal, err := p.api.post(ctx, "/v1/refunds", o.Key, url.Values{
		"payment_intent": {o.ChargeID}, "amount": {units}, "metadata[refund_id]": {o.Key},
	}, &r)
	if err != nil {
		return false, err
	}
	if refusal == nil {
		return r.gone(), nil
	}
	if refusal.answer().refund == final {
		return false, nil
	}
	return false, refusal.fault()
}

// refundOf looks a refund up among those of the charge: unlike the search, this list is always up
// to date.
func (p *Provider) refundOf(ctx context.Context, o payments.RefundOrder) (refund, bool, error) {
	var page struct {
		Data []refund `json:"data"`
	}
	query := url.Values{"payment_intent": {o.ChargeID}, "limit": {"100"}}
	refusal, err := p.api.get(ctx, "/v1/refunds", query, &page)
	if err != nil {
		return refund{}, false, err
	}
	if refusal != nil {
		return refund{}, false, refusal.fault()
	}
	for _, r := range page.Data {
		if r.Metadata["refund_id"] == o.Key {
			return r, true, nil
		}
	}
	return refund{}, false, nil
}
