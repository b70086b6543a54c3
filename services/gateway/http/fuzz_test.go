package http_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"sidecart.dev/kit/auth"
)

// FuzzAnyRequest holds that no request makes the gateway fail by itself, nor reach a sidecar's own
// API.
func FuzzAnyRequest(f *testing.F) {
	f.Add("GET", "/api/v1/orders", "limit=1", "Accept", "*/*", "")
	f.Add("POST", "/api/v1/orders", "", "Idempotency-Key", "k", `{"items":[]}`)
	f.Add("GET", "/api/v1/orders/x/events", "", "Last-Event-ID", "-1", "")
	f.Add("GET", "/v1.0/metadata", "", "dapr-app-id", "users", "")
	f.Add("GET", "/api/v1/admin/dead-letters", "cursor=..&limit=x", "Forwarded", `for="[::1"`, "")
	f.Add("BREW", "/%2e%2e/\x00", "%zz", "X-Forwarded-For", ",,,", "\xff")
	f.Fuzz(func(t *testing.T, method, path, query, header, value, body string) {
		r, err := http.NewRequest(method, "http://shop/", strings.NewReader(body))
		if err != nil {
			t.Skip("not a method")
		}
		r.URL = &url.URL{Path: path, RawQuery: query}
		r.RemoteAddr = "192.0.2.1:1"
		r.Header[http.CanonicalHeaderKey(header)] = []string{value}
		w := newWorld(t)
		w.answers(answerFor)
		r.Header.Set("Authorization", "Bearer "+w.token(t, auth.Operator))
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		assert.Less(t, rec.Code, 500, "%s %q?%q: %s", method, path, query, rec.Body)
		for _, reached := range w.took() {
			assert.True(t, strings.HasPrefix(reached.URL.Path, "/api/v1/") || reached.URL.Path == "/.well-known/jwks.json", reached.URL.Path)
		}
	})
}
