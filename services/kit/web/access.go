package web

import (
	"net/http"

	"github.com/gorilla/mux"

	"sidecart.dev/kit/auth"
)

// Access makes the routers of a service, by who may call what is on them. All of them answer only
// the app's own sidecar, and each is a router of its own.
type Access struct {
	Through func() *mux.Router // makes a router that answers only the app's own sidecar
	Users   *auth.Verifier
	Key     *auth.ServiceKey
}

// Anyone returns a router for who shows no token.
func (a Access) Anyone() *mux.Router { return a.Through() }

// User returns a router for users with one of the roles; no role named means any user. Its handlers
// find the user with [auth.From].
func (a Access) User(roles ...auth.Role) *mux.Router {
	return a.admitting(func(r *http.Request) (*http.Request, error) {
		p, err := a.Users.Authenticate(r, roles...)
		return r.WithContext(auth.With(r.Context(), p)), err
	})
}

// Service returns a router for the named services.
func (a Access) Service(callers ...string) *mux.Router {
	return a.admitting(func(r *http.Request) (*http.Request, error) {
		_, err := a.Key.Authenticate(r, callers...)
		return r, err
	})
}

// Route adds a route to a router.
func Route(r *mux.Router, method, path string, h Handler) {
	r.Handle(path, h).Methods(method)
}

func (a Access) admitting(admit func(*http.Request) (*http.Request, error)) *mux.Router {
	router := a.Through()
	router.Use(func(next http.Handler) http.Handler {
		return Handler(func(w http.ResponseWriter, r *http.Request) error {
			r, err := admit(r)
			if err == nil {
				next.ServeHTTP(w, r)
			}
			return err
		})
	})
	return router
}
