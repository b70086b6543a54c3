package http

import (
	"fmt"
	"net/http"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/money"
	"sidecart.dev/kit/web"
	"sidecart.dev/payments"
)

// lookup answers the orders service: what has become of these orders' payments? Unknown orders are
// left out.
func (a *api) lookup(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		OrderIDs []string `json:"order_ids"`
	}
	if err := web.Decode(r, &body); err != nil {
		return err
	}
	if len(body.OrderIDs) > payments.MaxLookup {
		return fault.InvalidField("order_ids",
			fmt.Sprintf("must have at most %d ids", payments.MaxLookup))
	}
	found, err := a.service.Lookup(r.Context(), body.OrderIDs)
	if err != nil {
		return err
	}
	answer := struct {
		Payments []lookupJSON `json:"payments"`
	}{Payments: make([]lookupJSON, 0, len(found))}
	for _, p := range found {
		answer.Payments = append(answer.Payments, lookupOf(p))
	}
	return web.WriteJSON(w, http.StatusOK, answer)
}

// ledger answers operators: the ledger's balances.
func (a *api) ledger(w http.ResponseWriter, r *http.Request) error {
	currency := r.URL.Query().Get("currency")
	if r.URL.Query().Has("currency") && !money.ValidCurrency(currency) {
		return fault.InvalidField("currency", "must be an ISO 4217 code such as EUR")
	}
	report, err := a.service.Report(r.Context())
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, ledgerOf(report, currency))
}

// charges answers operators and tests: what the provider itself has on record for the orders named
// by order_id, up to 100.
func (a *api) charges(w http.ResponseWriter, r *http.Request) error {
	orderIDs := r.URL.Query()["order_id"]
	if len(orderIDs) == 0 || len(orderIDs) > 100 {
		return fault.InvalidField("order_id", "must be given 1 to 100 times")
	}
	found, err := a.service.ProviderCharges(r.Context(), orderIDs)
	if err != nil {
		return err
	}
	items := make([]chargeJSON, len(found))
	for i, c := range found {
		items[i] = chargeJSON{
			OrderID: c.OrderID, PaymentID: c.Key, Status: c.State, ChargeID: c.ChargeID,
			DeclineCode: c.DeclineCode, RefundedAmount: c.Refunded,
		}
	}
	return web.WriteList(w, items, "")
}
