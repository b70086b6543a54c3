package http

import (
	"fmt"
	"net/http"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/money"
	"sidecart.dev/kit/web"
	"sidecart.dev/orders"
)

// maxLookup bounds the orders of one question.
const maxLookup = 1000

// found is an order as other services see it.
type found struct {
	OrderID  string        `json:"order_id"`
	Status   orders.Status `json:"status"`
	Refunded money.Money   `json:"refunded_amount"` // as far as payments has told
}

// lookup tells other services which of the orders exist and where they stand.
func (a *api) lookup(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		OrderIDs []string `json:"order_ids"`
	}
	if err := web.Decode(r, &req); err != nil {
		return err
	}
	if len(req.OrderIDs) > maxLookup {
		return fault.InvalidField("order_ids", fmt.Sprintf("must have at most %d entries", maxLookup))
	}
	known, err := a.service.Lookup(r.Context(), req.OrderIDs)
	if err != nil {
		return err
	}
	answer := struct {
		Orders []found `json:"orders"`
	}{Orders: make([]found, len(known))}
	for i, o := range known {
		answer.Orders[i] = found{
			OrderID: o.ID(), Status: o.Status(), Refunded: o.RefundedAmount(),
		}
	}
	return web.WriteJSON(w, http.StatusOK, answer)
}
