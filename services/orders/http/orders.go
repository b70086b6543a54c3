package http

import (
	"bytes"
	"io"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/money"
	"sidecart.dev/kit/text"
	"sidecart.dev/kit/web"
	"sidecart.dev/orders"
)

// order is an order as clients see it.
type order struct {
	ID            string        `json:"id"`
	UserID        string        `json:"user_id"`
	Status        orders.Status `json:"status"`
	Items         []orders.Item `json:"items"`
	Total         money.Money   `json:"total"`
	PaymentMethod string        `json:"payment_method"`
	CreatedAt     time.Time     `json:"created_at"`
	UpdatedAt     time.Time     `json:"updated_at"`
	Version       int64         `json:"version"`
	History       []orders.Step `json:"history"`
}

func present(o orders.Order) order {
	return order{
		ID: o.ID(), UserID: o.UserID(), Status: o.Status(),
		Items: o.Items(), Total: o.Total(), PaymentMethod: o.PaymentMethod(),
		CreatedAt: o.CreatedAt(), UpdatedAt: o.UpdatedAt(), Version: o.Version(), History: o.History(),
	}
}

func (a *api) place(w http.ResponseWriter, r *http.Request) error {
	key := r.Header.Get("Idempotency-Key")
	if err := orders.ValidateKey(key); err != nil {
		return err
	}
	var req orders.Request
	if err := web.Decode(r, &req); err != nil {
		return err
	}
	o, replayed, err := a.service.Place(r.Context(), auth.From(r.Context()).UserID, key, req)
	if err != nil {
		return err
	}
	if replayed {
		w.Header().Set("Idempotency-Replayed", "true")
	}
	w.Header().Set("Location", "/api/v1/orders/"+o.ID())
	w.Header().Set("ETag", web.VersionTag(o.Version()))
	return web.WriteJSON(w, http.StatusCreated, present(o))
}

func (a *api) list(w http.ResponseWriter, r *http.Request) error {
	limit, err := web.Limit(r)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	q := orders.Query{UserID: auth.From(r.Context()).UserID, Limit: limit, Cursor: query.Get("cursor")}
	if query.Has("status") {
		if q.Status, err = orders.ParseStatus(query.Get("status")); err != nil {
			return err
		}
	}
	page, err := a.service.List(r.Context(), q)
	if err != nil {
		return err
	}
	items := make([]order, len(page.Orders))
	for i, o := range page.Orders {
		items[i] = present(o)
	}
	return web.WriteList(w, items, page.Next)
}

func (a *api) get(w http.ResponseWriter, r *http.Request) error {
	user := auth.From(r.Context())
	operator := user.Role == auth.Operator
	o, err := a.service.Get(r.Context(), mux.Vars(r)["order_id"], user.UserID, operator)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "private, no-cache") // kept, and asked about before each use
	if web.NotModified(w, r, web.VersionTag(o.Version())) {
		return nil
	}
	return web.WriteJSON(w, http.StatusOK, present(o))
}

// maxReason bounds the reason of a cancellation, in characters.
const maxReason = 200

func (a *api) cancel(w http.ResponseWriter, r *http.Request) error {
	reason, err := cancelReason(r)
	if err != nil {
		return err
	}
	precondition := web.Precondition(r)
	allowed := func(o orders.Order) error { return precondition(web.VersionTag(o.Version())) }
	id, userID := mux.Vars(r)["order_id"], auth.From(r.Context()).UserID
	o, err := a.service.Cancel(r.Context(), id, userID, reason, allowed)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if o.Status() == orders.Refunding {
		status = http.StatusAccepted
	}
	w.Header().Set("ETag", web.VersionTag(o.Version()))
	return web.WriteJSON(w, status, present(o))
}

// cancelReason reads the optional body. A request that announces a body and has none is taken to
// have none, because proxies make such requests.
func cancelReason(r *http.Request) (string, error) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, web.MaxBody+1))
	if err != nil {
		return "", fault.Wrap(err, fault.Invalid, "invalid_request", "The body could not be read.")
	}
	if len(raw) == 0 {
		return "", nil
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	var req struct {
		Reason *string `json:"reason"`
	}
	if err := web.Decode(r, &req); err != nil {
		return "", err
	}
	if req.Reason == nil {
		return "", nil
	}
	if err := text.Line(*req.Reason, 1, maxReason); err != nil {
		return "", fault.InvalidField("reason", err.Error())
	}
	return *req.Reason, nil
}
