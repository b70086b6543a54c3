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

// API answers requests. It is safe for concurrent use.
type API struct {
	service *payments.Service
}

// Guards are the middleware that say who is calling.
type Guards struct {
	User     mux.MiddlewareFunc // any user
	Operator mux.MiddlewareFunc
	Orders   mux.MiddlewareFunc // the orders service
	Services mux.MiddlewareFunc // any service
}

// Routes adds all of payments' routes. through answers this app's sidecar alone.
func Routes(through func() *mux.Router, g Guards, s *payments.Service) {
	a := &API{service: s}
	guarded := func(guard mux.MiddlewareFunc) *mux.Router {
		r := through()
		r.Use(guard)
		return r
	}
	user := guarded(g.User)
	user.Handle("/api/v1/payments", web.Handler(a.list)).Methods(http.MethodGet)
	user.Handle("/api/v1/payments/{id}", web.Handler(a.get)).Methods(http.MethodGet)

	operator := guarded(g.Operator)
	operator.Handle("/api/v1/payments/{id}/refunds", web.Handler(a.refund)).Methods(http.MethodPost)
	operator.Handle("/api/v1/admin/ledger", web.Handler(a.ledger)).Methods(http.MethodGet)
	operator.Handle("/api/v1/admin/provider/charges", web.Handler(a.charges)).Methods(http.MethodGet)

	guarded(g.Orders).Handle("/internal/payments/lookup", web.Handler(a.lookup)).Methods(http.MethodPost)
	guarded(g.Services).Handle("/internal/provider/charges", web.Handler(a.charges)).Methods(http.MethodGet)
}

// visible reports whether the caller may see the payment.
func visible(ctx context.Context, p payments.Payment) bool {
	caller := auth.From(ctx)
	return caller.Role == auth.Operator || caller.UserID == p.UserID
}

func (a *API) list(w http.ResponseWriter, r *http.Request) error {
	orderID, err := one(r, "order_id")
	if err != nil {
		return err
	}
	found, err := a.service.Lookup(r.Context(), []string{orderID})
	if err != nil {
		return err
	}
	page := list[paymentJSON]{Items: []paymentJSON{}}
	if p, ok := found[orderID]; ok && visible(r.Context(), p) {
		page.Items = append(page.Items, paymentOf(p))
	}
	return web.WriteJSON(w, http.StatusOK, page)
}

func (a *API) get(w http.ResponseWriter, r *http.Request) error {
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
	var fields []fault.Field
	if err := text.Line(b.Reason, 1, maxReason); err != nil {
		fields = append(fields, fault.Field{Field: "reason", Message: err.Error()})
	}
	if b.Amount != nil && b.Amount.Amount < 1 {
		fields = append(fields, fault.Field{Field: "amount.amount", Message: "must be at least 1"})
	}
	if b.Amount != nil && !money.ValidCurrency(b.Amount.Currency) {
		fields = append(fields, fault.Field{Field: "amount.currency", Message: "must be an ISO 4217 code such as EUR"})
	}
	if len(fields) > 0 {
		return fault.InvalidFields(fields...)
	}
	return nil
}

func (a *API) refund(w http.ResponseWriter, r *http.Request) error {
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
	req := payments.RefundRequest{Key: key, Reason: body.Reason, Allowed: func(p payments.Payment) error {
		return precondition(web.VersionTag(p.Version))
	}}
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
			"Send one Idempotency-Key header of 1 to 128 visible ASCII characters; send the same one to repeat the same request.")
	}
	return values[0], nil
}

// one returns a query parameter that must be there once.
func one(r *http.Request, name string) (string, error) {
	values := r.URL.Query()[name]
	if len(values) != 1 || values[0] == "" || len(values[0]) > 64 {
		return "", fault.InvalidFields(fault.Field{Field: name, Message: "must be given once, with 1 to 64 characters"})
	}
	return values[0], nil
}
