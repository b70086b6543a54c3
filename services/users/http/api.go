// Package http is the API of the users service: what the gateway lets clients reach, and what other
// services ask.
package http

import (
	"net/http"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/web"
	"sidecart.dev/users"
)

// api answers HTTP requests. It is safe for concurrent use.
type api struct {
	service *users.Service
	keys    *users.KeyRing
	users   *auth.Verifier
}

// Routes adds the routes of the service.
func Routes(access web.Access, service *users.Service, keys *users.KeyRing) {
	a := &api{service: service, keys: keys, users: access.Users}

	anyone := access.Anyone()
	web.Route(anyone, http.MethodGet, "/.well-known/jwks.json", a.jwks)
	web.Route(anyone, http.MethodPost, "/api/v1/users", a.register)
	web.Route(anyone, http.MethodPost, "/api/v1/users/verify", a.verify)
	web.Route(anyone, http.MethodPost, "/api/v1/sessions", a.login)
	web.Route(anyone, http.MethodPost, "/api/v1/sessions/refresh", a.refresh)
	web.Route(anyone, http.MethodPost, "/api/v1/password-resets", a.askReset)
	web.Route(anyone, http.MethodPost, "/api/v1/password-resets/confirm", a.confirmReset)
	web.Route(anyone, http.MethodGet, "/internal/ended", a.ended)

	user := access.User()
	web.Route(user, http.MethodGet, "/api/v1/users/me", a.me)
	web.Route(user, http.MethodDelete, "/api/v1/sessions", a.logout)

	alive := access.User()
	alive.Use(a.alive)
	web.Route(alive, http.MethodPatch, "/api/v1/users/me", a.updateMe)
	web.Route(alive, http.MethodDelete, "/api/v1/users/me", a.deleteMe)
	web.Route(alive, http.MethodPut, "/api/v1/users/me/password", a.changePassword)
	web.Route(alive, http.MethodPost, "/api/v1/users/me/verification", a.askVerification)
	web.Route(alive, http.MethodPost, "/api/v1/users/me/phone/code", a.askPhoneCode)
	web.Route(alive, http.MethodPost, "/api/v1/users/me/phone/confirm", a.confirmPhone)

	notifications := access.Service("notifications")
	web.Route(notifications, http.MethodPost, "/internal/contacts", a.contacts)
	web.Route(notifications, http.MethodPost, "/internal/mail-tokens", a.mintToken)
}

// alive refuses what is asked for by a session that has ended, although its access token has not
// expired yet.
func (a *api) alive(next http.Handler) http.Handler {
	return web.Handler(func(w http.ResponseWriter, r *http.Request) error {
		if err := a.service.Alive(r.Context(), auth.From(r.Context())); err != nil {
			return err
		}
		next.ServeHTTP(w, r)
		return nil
	})
}
