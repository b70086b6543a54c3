// Package gateway is the policy of the only way in: which routes exist, which service answers them,
// who may call them and how often. Everything that is not named in [Routes] does not exist.
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
	Normal Limit = iota // per address and per user
	// Sensitive is much tighter, per address: for login, registration and reset, but not for refresh,
	// which an office full of customers does from one address.
	Sensitive
)

// Own is the App of routes the gateway answers itself.
const Own = ""

// Route is one way in.
type Route struct {
	Method string
	// Path is a gorilla/mux template. Its variables have patterns, so an encoded slash or dot never
	// passes.
	Path   string
	App    string // the service that answers, or Own
	Access Access
	Limit  Limit
	Query  []string // the query parameters that the contract names; any other is refused
}

// Keyed reports whether the service recognises a request of the route by its Idempotency-Key, so
// that sending it again does nothing twice.
func (r Route) Keyed() bool {
	return r.Method == http.MethodPost && (r.Path == orders || r.Path == refunds)
}

const id = `{id:[A-Za-z0-9_-]{1,64}}`

// The paths of the writes that take an Idempotency-Key.
const (
	orders  = "/api/v1/orders"
	refunds = "/api/v1/payments/" + id + "/refunds"
)

// The paths that the gateway answers itself.
const (
	OrderEvents      = "/api/v1/orders/" + id + "/events"
	DeadLetters      = "/api/v1/admin/dead-letters"
	DeadLetter       = DeadLetters + `/{service:orders|payments|notifications}.` + id
	DeadLetterReplay = DeadLetter + "/replay"
)

// page are the query parameters of a list.
var page = []string{"limit", "cursor"}

// Routes is the routing table.
var Routes = []Route{
	{http.MethodPost, "/api/v1/users", "users", Public, Sensitive, nil},
	{http.MethodGet, "/api/v1/users/me", "users", User, Normal, nil},
	{http.MethodPatch, "/api/v1/users/me", "users", User, Normal, nil},
	{http.MethodDelete, "/api/v1/users/me", "users", User, Sensitive, nil},
	{http.MethodPut, "/api/v1/users/me/password", "users", User, Sensitive, nil},
	{http.MethodPost, "/api/v1/users/me/verification", "users", User, Sensitive, nil},
	{http.MethodPost, "/api/v1/users/me/phone/code", "users", User, Sensitive, nil},
	{http.MethodPost, "/api/v1/users/me/phone/confirm", "users", User, Sensitive, nil},
	{http.MethodPost, "/api/v1/users/verify", "users", Public, Sensitive, nil},
	{http.MethodPost, "/api/v1/password-resets", "users", Public, Sensitive, nil},
	{http.MethodPost, "/api/v1/password-resets/confirm", "users", Public, Sensitive, nil},
	{http.MethodPost, "/api/v1/sessions", "users", Public, Sensitive, nil},
	{http.MethodPost, "/api/v1/sessions/refresh", "users", Public, Normal, nil},
	{http.MethodDelete, "/api/v1/sessions", "users", User, Normal, []string{"all"}},
	{http.MethodGet, "/.well-known/jwks.json", "users", Public, Normal, nil},

	{http.MethodGet, "/api/v1/products", "orders", Public, Normal, page},
	{http.MethodGet, "/api/v1/products/" + id, "orders", Public, Normal, nil},
	{http.MethodPut, "/api/v1/admin/products/" + id, "orders", Operator, Normal, nil},
	{http.MethodDelete, "/api/v1/admin/products/" + id, "orders", Operator, Normal, nil},
	{http.MethodPost, orders, "orders", User, Normal, nil},
	{http.MethodGet, "/api/v1/orders", "orders", User, Normal, []string{"limit", "cursor", "status"}},
	{http.MethodGet, "/api/v1/orders/" + id, "orders", User, Normal, nil},
	{http.MethodPost, "/api/v1/orders/" + id + "/cancel", "orders", User, Normal, nil},
	{http.MethodGet, OrderEvents, Own, User, Normal, nil},

	{http.MethodGet, "/api/v1/payments", "payments", User, Normal, []string{"order_id"}},
	{http.MethodGet, "/api/v1/payments/" + id, "payments", User, Normal, nil},
	{http.MethodPost, refunds, "payments", Operator, Normal, nil},
	{http.MethodGet, "/api/v1/admin/ledger", "payments", Operator, Normal, []string{"currency"}},

	{http.MethodGet, "/api/v1/notifications", "notifications", User, Normal, page},

	{http.MethodGet, DeadLetters, Own, Operator, Normal, []string{"limit", "cursor", "service"}},
	{http.MethodGet, DeadLetter, Own, Operator, Normal, nil},
	{http.MethodDelete, DeadLetter, Own, Operator, Normal, nil},
	{http.MethodPost, DeadLetterReplay, Own, Operator, Normal, nil},
}

// Services are the apps that keep dead letters.
var Services = []string{"orders", "payments", "notifications"}
