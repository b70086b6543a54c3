package http_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/gateway"
	"sidecart.dev/kit/auth"
)

func newRequest(method, path string, body io.Reader) *http.Request {
	r := httptest.NewRequest(method, path, body)
	r.Header.Set("Content-Type", "application/json")
	return r
}

func from(addr string) func(*http.Request) {
	return func(r *http.Request) { r.RemoteAddr = addr }
}

func TestAnAddressIsSlowedDown(t *testing.T) {
	w := newWorld(t, func(cfg *gateway.Config) { cfg.AddressRate = 0.001 })
	allowed := 0
	for range 40 {
		rec := w.ask(http.MethodGet, "/api/v1/products", "", from("198.51.100.1:1"))
		if rec.Code == http.StatusOK {
			allowed++
			continue
		}
		assert.Equal(t, http.StatusTooManyRequests, rec.Code)
		assert.Equal(t, "rate_limited", code(t, rec))
		seconds, err := strconv.Atoi(rec.Header().Get("Retry-After"))
		require.NoError(t, err)
		assert.Positive(t, seconds)
		assert.Contains(t, rec.Header().Get("RateLimit"), `"address";r=0;t=`)
		assert.Contains(t, rec.Header().Get("RateLimit-Policy"), `"address";q=10;w=`)
	}
	assert.Equal(t, 10, allowed, "the burst")
	assert.Equal(t, http.StatusOK, w.ask(http.MethodGet, "/api/v1/products", "", from("198.51.100.2:1")).Code, "others are not affected")
}

// TestEveryReplicaCountsForItself holds what the guide says of rate limits: two replicas together
// let twice as much in.
func TestEveryReplicaCountsForItself(t *testing.T) {
	for range 2 {
		w := newWorld(t, func(cfg *gateway.Config) { cfg.AddressRate = 0.001 })
		allowed := 0
		for range 20 {
			if w.ask(http.MethodGet, "/api/v1/products", "").Code == http.StatusOK {
				allowed++
			}
		}
		assert.Equal(t, 10, allowed)
	}
}

func TestACustomersIPv6AddressesAreOne(t *testing.T) {
	w := newWorld(t, func(cfg *gateway.Config) { cfg.AddressRate = 0.001 })
	for i := range 10 {
		w.ask(http.MethodGet, "/api/v1/products", "", from("[2001:db8:1:2::"+strconv.Itoa(i)+"]:1"))
	}
	assert.Equal(t, http.StatusTooManyRequests, w.ask(http.MethodGet, "/api/v1/products", "", from("[2001:db8:1:2:ffff::1]:1")).Code)
	assert.Equal(t, http.StatusOK, w.ask(http.MethodGet, "/api/v1/products", "", from("[2001:db8:1:3::1]:1")).Code)
}

func TestLoginIsLimitedTighterThanTheRest(t *testing.T) {
	w := newWorld(t, func(cfg *gateway.Config) { cfg.SensitiveRate = 0.001 })
	for range 10 {
		assert.Equal(t, http.StatusOK, w.ask(http.MethodPost, "/api/v1/sessions", "").Code)
	}
	assert.Equal(t, http.StatusTooManyRequests, w.ask(http.MethodPost, "/api/v1/sessions", "").Code)
	assert.Equal(t, http.StatusTooManyRequests, w.ask(http.MethodPost, "/api/v1/users", "").Code)
	assert.Equal(t, http.StatusOK, w.ask(http.MethodPost, "/api/v1/sessions/refresh", "").Code, "customers behind one address stay logged in")
	assert.Equal(t, http.StatusOK, w.ask(http.MethodGet, "/api/v1/products", "").Code)
}

func TestAUserIsSlowedDownFromWhereverHeCalls(t *testing.T) {
	w := newWorld(t, func(cfg *gateway.Config) { cfg.UserRate = 0.001 })
	token := w.token(t, auth.Customer)
	for i := range 10 {
		assert.Equal(t, http.StatusOK, w.ask(http.MethodGet, "/api/v1/orders", token, from("198.51.100."+strconv.Itoa(i)+":1")).Code)
	}
	assert.Equal(t, http.StatusTooManyRequests, w.ask(http.MethodGet, "/api/v1/orders", token, from("203.0.113.1:1")).Code)
}

func TestPagesAreLimitedByAddress(t *testing.T) {
	w := newWorld(t, func(cfg *gateway.Config) { cfg.AddressRate = 0.001 })
	for i, path := range []string{"/", "/docs", "/openapi.yaml", "/static/app.js"} {
		addr := from("198.51.100." + strconv.Itoa(i) + ":1")
		for range 10 {
			assert.Equal(t, http.StatusOK, w.ask(http.MethodGet, path, "", addr).Code, path)
		}
		rec := w.ask(http.MethodGet, path, "", addr)
		assert.Equal(t, http.StatusTooManyRequests, rec.Code, path)
		assert.Equal(t, "rate_limited", code(t, rec))
		assert.Equal(t, http.StatusMethodNotAllowed, w.ask(http.MethodPost, path, "", addr).Code, path)
	}
	assert.Equal(t, http.StatusOK, w.ask(http.MethodGet, "/healthz", "", from("198.51.100.1:1")).Code, "who watches the gateway is not limited")
}
