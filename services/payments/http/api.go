// Package http is payments' API: what customers and operators see by way of the gateway, and what
// other services ask.
package http

import (
	"context"
	"net/http"
	"regexp"

	"github.com/gorilla/mux"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/money"
	"sidecart.dev/kit/text"
	"sidecart.dev/kit/web"
	"sidecart.dev/payments"
)

type api struct {
	service *payments.Service
}

// Routes adds the routes of the service.
func Routes(access web.Access, s *payments.Service) {
	a := &api{service: s}
	user := access.User()
	web.Route(user, http.MethodGet, "/api/v1/payments", a.list)
	web.Route(user, http.MethodGet, "/api/v1/payments/{id}", a.get)

	operator := access.User(auth.Operator)
	web.Route(operator, http.MethodPost, "/api/v1/payments/{id}/refunds", a.refund)
	web.Route(operator, http.MethodGet, "/api/v1/admin/ledger", a.ledger)
	web.Route(operator, http.MethodGet, "/api/v1/admin/provider/charges", a.charges)

	orders := access.Service("orders")
	web.Route(orders, http.MethodPost, "/internal/payments/lookup", a.lookup)
	services := access.Service("orders", "users", "notifications", "payments")
	web.Route(services, http.MethodGet, "/internal/provider/charges", a.charges)
}

// visible reports whether the caller may see the payment.
func visible(ctx context.Context, p payments.Payment) bool {
	caller := auth.From(ctx)
	return caller.Role == auth.Operator || caller.UserID == p.UserID
}

func (a *api) list(w http.ResponseWriter, r *http.Request) error {
	orderID, err := one(r, "order_id")
	if err != nil {
		return err
	}
	found, err := a.service.Lookup(r.Context(), []string{orderID})
	if err != nil {
		return err
	}
	var items []paymentJSON
	if p, ok := found[orderID]; ok && visible(r.Context(), p) {
		items = append(items, paymentOf(p))
	}
	return web.WriteList(w, items, "")
}

func (a *api) get(w http.ResponseWriter, r *http.Request) error {
	p, err := a.service.Find(r.Context(), mux.Vars(r)["id"])
	if err != nil {
		return err
	}
	if !visible(r.Context(), p) {
		return fault.New(fault.NotFound, "not_found", "There is no such payment.")
	}
	w.Header().Set("Cache-Control", "private, no-cache")
	if web.NotModified(w, r, web.VersionTag(p.Version)) {
		return nil
	}
	return web.WriteJSON(w, http.StatusOK, paymentOf(p))
}

type refundBody struct {
	Amount *money.Money `json:"amount"`
	Reason string       `json:"reason"`
}

const maxReason = 200

func (b refundBody) check() error {
	var wrong fault.Fields
	if err := text.Line(b.Reason, 1, maxReason); err != nil {
		wrong.Add("reason", err.Error())
	}
	if b.Amount != nil && b.Amount.Amount < 1 {
		wrong.Add("amount.amount", "must be at least 1")
	}
	if b.Amount != nil && !money.ValidCurrency(b.Amount.Currency) {
		wrong.Add("amount.currency", "must be an ISO 4217 code such as EUR")
	}
	return wrong.Err()
}

func (a *api) refund(w http.ResponseWriter, r *http.Request) error {
	key, err := idempotencyKey(r)
	if err != nil {
		return err
	}
	var body refundBody
	if err := web.Decode(r, &body); err != nil {
		return err
	}
	if err := body.check(); err != nil {
		return err
	}
	precondition := web.Precondition(r)
	allowed := func(p payments.Payment) error { return precondition(web.VersionTag(p.Version)) }
	req := payments.RefundRequest{Key: key, Reason: body.Reason, Allowed: allowed}
	if body.Amount != nil {
		req.Amount = *body.Amount
	}
	id := mux.Vars(r)["id"]
	refund, replayed, err := a.service.Refund(r.Context(), id, req)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/payments/"+id)
	if replayed {
		w.Header().Set("Idempotency-Replayed", "true")
	}
	return web.WriteJSON(w, http.StatusCreated, refundOf(refund))
}

var keyPattern = regexp.MustCompile(`^[\x21-\x7e]{1,128}$`)

func idempotencyKey(r *http.Request) (string, error) {
	values := r.Header.Values("Idempotency-Key")
	if len(values) != 1 || !keyPattern.MatchString(values[0]) {
		return "", fault.New(fault.Invalid, "idempotency_key_required",
			"Send one Idempotency-Key header of 1 to 128 visible ASCII characters; "+
				"send the same one to repeat the same request.")
	}
	return values[0], nil
}

// one returns a query parameter that must be there once.
func one(r *http.Request, name string) (string, error) {
	values := r.URL.Query()[name]
	if len(values) != 1 || values[0] == "" || len(values[0]) > 64 {
		return "", fault.InvalidField(name, "must be given once, with 1 to 64 characters")
	}
	return values[0], nil
}
