package http_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/gateway"
	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/sidecar"
)

// address makes a path of a route's template.
func address(route gateway.Route) string {
	path := strings.NewReplacer("{service:orders|payments|notifications}", "payments").Replace(route.Path)
	if i := strings.Index(path, "{id:"); i >= 0 {
		end := i + strings.Index(path[i:], "}}") // the pattern ends with a repetition: {1,64}}
		path = path[:i] + "x1" + path[end+2:]
	}
	return path
}

// TestEveryRouteIsGuarded is generated from the routing table, so that a new route cannot be
// forgotten.
func TestEveryRouteIsGuarded(t *testing.T) {
	w := newWorld(t)
	_, foreign, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	customer, operator := w.token(t, auth.Customer), w.token(t, auth.Operator)
	claims := auth.Claims{RegisteredClaims: jwt.RegisteredClaims{
		Issuer: auth.Issuer, Audience: jwt.ClaimStrings{auth.Issuer}, Subject: "usr_1",
		IssuedAt: jwt.NewNumericDate(time.Now()), ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Minute)),
	}, Role: auth.Operator}
	bad := map[string]string{
		"no token":          "",
		"garbage":           "garbage",
		"expired":           w.token(t, auth.Operator, func(c *auth.Claims) { c.ExpiresAt = jwt.NewNumericDate(time.Now().Add(-time.Minute)) }),
		"another key":       signed(t, jwt.SigningMethodEdDSA, foreign, auth.AccessType, claims),
		"alg none":          signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, auth.AccessType, claims),
		"public key's HMAC": signed(t, jwt.SigningMethodHS256, []byte(w.public), auth.AccessType, claims),
		"a service's token": signed(t, jwt.SigningMethodEdDSA, w.private, auth.ServiceType, claims),
	}
	for _, route := range gateway.Routes {
		t.Run(route.Method+" "+route.Path, func(t *testing.T) {
			path := address(route)
			if route.Access != gateway.Public {
				for name, token := range bad {
					assert.Equal(t, http.StatusUnauthorized, w.ask(route.Method, path, token).Code, name)
				}
			}
			if route.Access == gateway.Operator {
				rec := w.ask(route.Method, path, customer)
				assert.Equal(t, http.StatusForbidden, rec.Code)
				assert.Equal(t, "forbidden", code(t, rec))
			}
			assert.Empty(t, w.took(), "nothing of this reached a service")

			token := map[gateway.Access]string{gateway.Public: customer, gateway.User: customer, gateway.Operator: operator}[route.Access]
			w.answers(answerFor)
			if route.Access == gateway.Public {
				assert.Equal(t, http.StatusOK, w.ask(route.Method, path, "").Code, "anyone may ask")
				w.took()
			}
			rec := w.ask(route.Method, path, token)
			assert.Equal(t, http.StatusOK, rec.Code, "%s", rec.Body)
			reached := w.took()
			require.NotEmpty(t, reached, "with the right token the service is asked")
			if route.App != gateway.Own {
				assert.Equal(t, route.App, reached[0].Header.Get(sidecar.AppIDHeader))
				assert.Equal(t, path, reached[0].URL.Path)
				assert.Equal(t, "Bearer "+token, reached[0].Header.Get("Authorization"), "the service verifies again")
			}
		})
	}
}

// answerFor lets the routes that the gateway answers itself come to an end: it is an order, and a
// list.
func answerFor(rw http.ResponseWriter, _ *http.Request) {
	rw.Header().Set("Content-Type", "application/json")
	_, _ = rw.Write([]byte(`{"id":"ord_1","status":"paid","version":1,"history":[{"status":"paid"}],"items":[],"next_cursor":null}`))
}

func TestOnlyNamedRoutesExist(t *testing.T) {
	w := newWorld(t)
	operator := w.token(t, auth.Operator)
	for _, path := range []string{
		"/v1.0/state/orders-store/x", "/v1.0/publish/bus/orders", "/v1.0/metadata", "/v1.0/invoke/users/method/internal/contacts", "/v1.0/shutdown",
		"/internal/contacts", "/api/v1/internal/contacts", "/events/orders", "/dead-letters", "/dapr/subscribe", "/api/v1", "/api/v1/orders/", "/api/v2/orders",
		"/api/v1/orders/a.b", "/api/v1/orders/" + strings.Repeat("a", 65),
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
			rec := w.ask(method, path, operator)
			assert.Equal(t, http.StatusNotFound, rec.Code, "%s %s", method, path)
			assert.Equal(t, "not_found", code(t, rec))
			assert.Equal(t, "nosniff", rec.Header().Get("X-Content-Type-Options"))
		}
	}
	rec := w.ask(http.MethodPut, "/api/v1/orders", operator)
	assert.Equal(t, http.StatusMethodNotAllowed, rec.Code)
	assert.Equal(t, "GET, HEAD, POST", rec.Header().Get("Allow"))
	assert.Empty(t, w.took())
}

// TestQueriesAreThoseOfTheContract asks every route for what it does not have, and for what it has
// twice.
func TestQueriesAreThoseOfTheContract(t *testing.T) {
	w := newWorld(t)
	w.answers(answerFor)
	operator := w.token(t, auth.Operator)
	for _, route := range gateway.Routes {
		at := route.Method + " " + address(route)
		rec := w.ask(route.Method, address(route)+"?Limit=1", operator)
		assert.Equal(t, http.StatusBadRequest, rec.Code, at)
		assert.Contains(t, rec.Body.String(), `"Limit"`, at)
		for _, name := range route.Query {
			rec = w.ask(route.Method, address(route)+"?"+name+"=1&"+name+"=2", operator)
			assert.Equal(t, http.StatusBadRequest, rec.Code, at)
			assert.Contains(t, rec.Body.String(), `"`+name+`"`, at)
		}
		assert.Empty(t, w.took(), "%s: none of this reached a service", at)
	}
}

func TestHEADAsksTheServiceAsGETDoes(t *testing.T) {
	w := newWorld(t)
	w.answers(answerFor)
	for _, path := range []string{"/api/v1/products", "/api/v1/orders/ord_1/events", "/", "/healthz"} {
		rec := w.ask(http.MethodHead, path, w.token(t, auth.Customer))
		assert.Equal(t, http.StatusOK, rec.Code, path)
		for _, r := range w.took() {
			assert.Equal(t, http.MethodGet, r.Method, path)
		}
	}
}
