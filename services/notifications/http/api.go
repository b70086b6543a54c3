// Package http is the API of notifications: the list customers read.
package http

import (
	"context"
	"net/http"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/web"
	"sidecart.dev/notifications"
)

// Delivered returns a page of what was sent to a user, newest first, and the next page's cursor,
// empty at the end.
type Delivered func(
	ctx context.Context, userID, cursor string, limit int,
) ([]notifications.Delivered, string, error)

// Routes adds the routes of the service.
func Routes(access web.Access, delivered Delivered) {
	web.Route(access.User(), http.MethodGet, "/api/v1/notifications", delivered.list)
}

func (d Delivered) list(w http.ResponseWriter, r *http.Request) error {
	limit, err := web.Limit(r)
	if err != nil {
		return err
	}
	user, cursor := auth.From(r.Context()).UserID, r.URL.Query().Get("cursor")
	items, next, err := d(r.Context(), user, cursor, limit)
	if err != nil {
		return err
	}
	return web.WriteList(w, items, next)
}
