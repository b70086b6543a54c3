// Package http is the API of the users service: what the gateway lets clients reach, and what other
// services ask.
package http

import (
	"net/http"

	"github.com/gorilla/mux"

	"sidecart.dev/kit/auth"
	"sidecart.dev/users"
)

// API answers HTTP requests. It is safe for concurrent use.
type API struct {
	Service  *users.Service
	Keys     *users.KeyRing
	Verifier *auth.Verifier
	Services *auth.ServiceKey // verifies which service is calling
}

// Routes adds every route of the service. The router must refuse what does not come through the
// sidecar.
func (a *API) Routes(r *mux.Router) {
	post, get := http.MethodPost, http.MethodGet

	r.Handle("/.well-known/jwks.json", handler(a.jwks)).Methods(get)
	r.Handle("/api/v1/users", handler(a.register)).Methods(post)
	r.Handle("/api/v1/users/verify", handler(a.verify)).Methods(post)
	r.Handle("/api/v1/sessions", handler(a.login)).Methods(post)
	r.Handle("/api/v1/sessions/refresh", handler(a.refresh)).Methods(post)
	r.Handle("/api/v1/password-resets", handler(a.askReset)).Methods(post)
	r.Handle("/api/v1/password-resets/confirm", handler(a.confirmReset)).Methods(post)

	user := a.Verifier.Require()
	change := func(h handler) http.Handler { return user(a.alive(h)) }
	r.Handle("/api/v1/users/me", user(handler(a.me))).Methods(get)
	r.Handle("/api/v1/users/me", change(a.updateMe)).Methods(http.MethodPatch)
	r.Handle("/api/v1/users/me", change(a.deleteMe)).Methods(http.MethodDelete)
	r.Handle("/api/v1/users/me/password", change(a.changePassword)).Methods(http.MethodPut)
	r.Handle("/api/v1/users/me/verification", change(a.askVerification)).Methods(post)
	r.Handle("/api/v1/users/me/phone/code", change(a.askPhoneCode)).Methods(post)
	r.Handle("/api/v1/users/me/phone/confirm", change(a.confirmPhone)).Methods(post)
	r.Handle("/api/v1/sessions", user(handler(a.logout))).Methods(http.MethodDelete)

	r.Handle("/internal/ended", handler(a.ended)).Methods(get)
	notifications := a.Services.RequireService("notifications")
	r.Handle("/internal/contacts", notifications(handler(a.contacts))).Methods(post)
	r.Handle("/internal/mail-tokens", notifications(handler(a.mintToken))).Methods(post)
}

// alive refuses what is asked for by a session that has ended, although its access token has not
// expired yet.
func (a *API) alive(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := a.Service.Alive(r.Context(), auth.From(r.Context())); err != nil {
			return err
		}
		return next(w, r)
	}
}
