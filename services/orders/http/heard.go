package http

import (
	"net/http"

	"github.com/gorilla/mux"

	"sidecart.dev/kit/heard"
)

// HeardRoutes lets users ask which deletions of accounts it need not tell again. The router must
// answer only the app's own sidecar.
func HeardRoutes(r *mux.Router, services Services, events *heard.Events) {
	users := r.NewRoute().Subrouter()
	users.Use(services.RequireService("users"))
	users.Handle("/internal/orders/accepted", heard.Answer(events.Accepted)).Methods(http.MethodPost)
}
