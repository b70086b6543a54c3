// Package gateway is the policy of the only way in: which routes exist, which service answers them, who may call them
// and how often. Everything that is not named in [Routes] does not exist.
package gateway

import "net/http"

// Access is who may call a route.
type Access int

// The kinds of access.
const (
	Public   Access = iota // anyone
	User                   // any holder of a valid access token
	Operator               // an operator
)

// Limit is a class of rate limit.
type Limit int

// The classes.
const (
	Normal    Limit = iota // per address and per user
	Sensitive              // much tighter, per address: login, registration, reset; not refresh, which an office full of customers does from one address
)

// Own is the App of routes the gateway answers itself.
const Own = ""

// Route is one way in.
type Route struct {
	Method string
	Path   string // gorilla/mux template; variables have patterns, so an encoded slash or dot never passes
	App    string // the service that answers, or Own
	Access Access
	Limit  Limit
}

const (
	id     = `{id:[A-Za-z0-9_-]{1,64}}`
	letter = `/api/v1/admin/dead-letters/{service:orders|payments|notifications}.{id:[A-Za-z0-9_-]{1,64}}`
)

// Routes is the routing table.
var Routes = []Route{
	{http.MethodPost, "/api/v1/users", "users", Public, Sensitive},
	{http.MethodGet, "/api/v1/users/me", "users", User, Normal},
	{http.MethodPatch, "/api/v1/users/me", "users", User, Normal},
	{http.MethodDelete, "/api/v1/users/me", "users", User, Sensitive},
	{http.MethodPut, "/api/v1/users/me/password", "users", User, Sensitive},
	{http.MethodPost, "/api/v1/users/me/verification", "users", User, Sensitive},
	{http.MethodPost, "/api/v1/users/verify", "users", Public, Sensitive},
	{http.MethodPost, "/api/v1/password-resets", "users", Public, Sensitive},
	{http.MethodPost, "/api/v1/password-resets/confirm", "users", Public, Sensitive},
	{http.MethodPost, "/api/v1/sessions", "users", Public, Sensitive},
	{http.MethodPost, "/api/v1/sessions/refresh", "users", Public, Normal},
	{http.MethodDelete, "/api/v1/sessions", "users", User, Normal},
	{http.MethodGet, "/.well-known/jwks.json", "users", Public, Normal},

	{http.MethodGet, "/api/v1/products", "orders", Public, Normal},
	{http.MethodGet, "/api/v1/products/" + id, "orders", Public, Normal},
	{http.MethodPut, "/api/v1/admin/products/" + id, "orders", Operator, Normal},
	{http.MethodDelete, "/api/v1/admin/products/" + id, "orders", Operator, Normal},
	{http.MethodPost, "/api/v1/orders", "orders", User, Normal},
	{http.MethodGet, "/api/v1/orders", "orders", User, Normal},
	{http.MethodGet, "/api/v1/orders/" + id, "orders", User, Normal},
	{http.MethodPost, "/api/v1/orders/" + id + "/cancel", "orders", User, Normal},
	{http.MethodGet, "/api/v1/orders/" + id + "/events", Own, User, Normal},

	{http.MethodGet, "/api/v1/payments", "payments", User, Normal},
	{http.MethodGet, "/api/v1/payments/" + id, "payments", User, Normal},
	{http.MethodPost, "/api/v1/payments/" + id + "/refunds", "payments", Operator, Normal},
	{http.MethodGet, "/api/v1/admin/ledger", "payments", Operator, Normal},

	{http.MethodGet, "/api/v1/notifications", "notifications", User, Normal},

	{http.MethodGet, "/api/v1/admin/dead-letters", Own, Operator, Normal},
	{http.MethodGet, letter, Own, Operator, Normal},
	{http.MethodDelete, letter, Own, Operator, Normal},
	{http.MethodPost, letter + "/replay", Own, Operator, Normal},
}

// Services are the apps that keep dead letters.
var Services = []string{"orders", "payments", "notifications"}
