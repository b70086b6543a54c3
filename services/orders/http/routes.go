// Package http is the orders service's HTTP API.
package http

import (
	"net/http"

	"github.com/gorilla/mux"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/heard"
	"sidecart.dev/kit/web"
	"sidecart.dev/orders"
)

// Users tells which user a request is from; *auth.Verifier does.
type Users interface {
	Require(roles ...auth.Role) mux.MiddlewareFunc
}

// Services tells which service a request is from; *auth.ServiceKey does.
type Services interface {
	RequireService(callers ...string) mux.MiddlewareFunc
}

type api struct {
	service *orders.Service
}

// Routes adds the routes of the service. The router must answer only the app's own sidecar. events
// are those of which users is told that they were accepted: which deletions of accounts it need not
// tell again.
func Routes(
	r *mux.Router, service *orders.Service, users Users, services Services, events *heard.Events,
) {
	a := &api{service: service}
	handle := func(r *mux.Router, method, path string, h web.Handler) {
		r.Handle(path, h).Methods(method)
	}
	get := func(r *mux.Router, path string, h web.Handler) { handle(r, http.MethodGet, path, h) }

	get(r, "/api/v1/products", a.listProducts)
	get(r, "/api/v1/products/{product_id}", a.getProduct)

	user := r.NewRoute().Subrouter()
	user.Use(users.Require())
	handle(user, http.MethodPost, "/api/v1/orders", a.place)
	get(user, "/api/v1/orders", a.list)
	get(user, "/api/v1/orders/{order_id}", a.get)
	handle(user, http.MethodPost, "/api/v1/orders/{order_id}/cancel", a.cancel)

	operator := r.NewRoute().Subrouter()
	operator.Use(users.Require(auth.Operator))
	handle(operator, http.MethodPut, "/api/v1/admin/products/{product_id}", a.putProduct)
	handle(operator, http.MethodDelete, "/api/v1/admin/products/{product_id}", a.deleteProduct)

	internal := r.NewRoute().Subrouter()
	internal.Use(services.RequireService("payments", "notifications"))
	handle(internal, http.MethodPost, "/internal/orders/lookup", a.lookup)

	accepted := r.NewRoute().Subrouter()
	accepted.Use(services.RequireService("users"))
	handle(accepted, http.MethodPost, "/internal/orders/accepted", heard.Answer(events.Accepted))
}
