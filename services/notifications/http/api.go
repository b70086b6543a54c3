// Package http is the API of notifications: the list customers read, and the questions other
// services ask.
package http

import (
	"context"
	"net/http"

	"github.com/gorilla/mux"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/heard"
	"sidecart.dev/kit/web"
	"sidecart.dev/notifications"
)

// Deps is what the API needs. All are required.
type Deps struct {
	// Accepted returns which of the events are accepted.
	Accepted func(ctx context.Context, eventIDs []string) ([]string, error)
	// Delivered returns a page of what was sent to a user, newest first, and the next page's
	// cursor, empty at the end.
	Delivered func(ctx context.Context, userID, cursor string, limit int) (
		[]notifications.Delivered, string, error)
	Verifier *auth.Verifier
	Services *auth.ServiceKey
}

// Routes adds every route of the API. through answers only the own sidecar; it makes a router of
// its own at each call.
func Routes(through func() *mux.Router, d Deps) {
	own := through()
	own.Use(d.Verifier.Require())
	own.Handle("/api/v1/notifications", web.Handler(d.list)).Methods(http.MethodGet)

	internal := through()
	internal.Use(d.Services.RequireService("users", "orders", "payments"))
	internal.Handle("/internal/notifications/accepted", heard.Answer(d.Accepted)).
		Methods(http.MethodPost)
}

func (d Deps) list(w http.ResponseWriter, r *http.Request) error {
	limit, err := web.Limit(r)
	if err != nil {
		return err
	}
	user, cursor := auth.From(r.Context()).UserID, r.URL.Query().Get("cursor")
	items, next, err := d.Delivered(r.Context(), user, cursor, limit)
	if err != nil {
		return err
	}
	return web.WriteList(w, items, next)
}
