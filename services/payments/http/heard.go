package http

import (
	"net/http"

	"github.com/gorilla/mux"

	"sidecart.dev/kit/heard"
)

// HeardRoutes lets users ask which deletions of accounts it need not tell again. users lets that
// service alone through.
func HeardRoutes(through func() *mux.Router, users mux.MiddlewareFunc, events *heard.Events) {
	r := through()
	r.Use(users)
	r.Handle("/internal/payments/accepted", heard.Answer(events.Accepted)).Methods(http.MethodPost)
}
