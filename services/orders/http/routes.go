// Package http is the orders service's HTTP API.
package http

import (
	"net/http"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/web"
	"sidecart.dev/orders"
)

type api struct {
	service *orders.Service
}

// Routes adds the routes of the service.
func Routes(access web.Access, service *orders.Service) {
	a := &api{service: service}
	anyone := access.Anyone()
	web.Route(anyone, http.MethodGet, "/api/v1/products", a.listProducts)
	web.Route(anyone, http.MethodGet, "/api/v1/products/{product_id}", a.getProduct)

	user := access.User()
	web.Route(user, http.MethodPost, "/api/v1/orders", a.place)
	web.Route(user, http.MethodGet, "/api/v1/orders", a.list)
	web.Route(user, http.MethodGet, "/api/v1/orders/{order_id}", a.get)
	web.Route(user, http.MethodPost, "/api/v1/orders/{order_id}/cancel", a.cancel)

	operator := access.User(auth.Operator)
	web.Route(operator, http.MethodPut, "/api/v1/admin/products/{product_id}", a.putProduct)
	web.Route(operator, http.MethodDelete, "/api/v1/admin/products/{product_id}", a.deleteProduct)

	internal := access.Service("payments", "notifications")
	web.Route(internal, http.MethodPost, "/internal/orders/lookup", a.lookup)
}
