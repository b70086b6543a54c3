package http_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/gateway"
	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/sidecar"
)

func set(headers map[string]string) func(*http.Request) {
	return func(r *http.Request) {
		for k, v := range headers {
			r.Header.Set(k, v)
		}
	}
}

// TestWhatASidecarHidesFromTheServiceIsRefused: the service would judge a body, or a key, that the
// client did not mean.
func TestWhatASidecarHidesFromTheServiceIsRefused(t *testing.T) {
	w := newWorld(t)
	w.answers(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		_, _ = rw.Write([]byte("{}"))
	})
	for name, c := range map[string]struct {
		header string
		values []string
		status int
	}{
		"a coding":             {"Content-Encoding", []string{"gzip"}, http.StatusUnsupportedMediaType},
		"codings":              {"Content-Encoding", []string{"identity", "br, gzip"}, http.StatusUnsupportedMediaType},
		"no coding by name":    {"Content-Encoding", []string{"Identity"}, http.StatusOK},
		"two types":            {"Content-Type", []string{"application/json", "text/plain"}, http.StatusBadRequest},
		"two idempotency keys": {"Idempotency-Key", []string{"a", "b"}, http.StatusBadRequest},
		"one of each":          {"Idempotency-Key", []string{"a"}, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			rec := w.ask(http.MethodPost, "/api/v1/orders", w.token(t, auth.Customer), func(r *http.Request) {
				r.Body, r.ContentLength = io.NopCloser(strings.NewReader("{}")), 2
				r.Header.Set("Content-Type", "application/json")
				r.Header[c.header] = c.values
			})
			assert.Equal(t, c.status, rec.Code, rec.Body)
			assert.Len(t, w.took(), map[bool]int{true: 1, false: 0}[c.status == http.StatusOK])
		})
	}
}

func TestOnlyKnownHeadersPass(t *testing.T) {
	w := newWorld(t)
	w.answers(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("Location", "/api/v1/orders/x")
		rw.Header().Set("Server", "daprd")
		rw.Header().Set("Dapr-Secret", "x")
		rw.Header().Set("Set-Cookie", "a=b")
		_, _ = rw.Write([]byte("{}"))
	})
	rec := w.ask(http.MethodPost, "/api/v1/orders", w.token(t, auth.Customer), set(map[string]string{
		"dapr-app-id": "users", "dapr-api-token": "x", "dapr-caller-app-id": "orders", "X-Client-Ip": "9.9.9.9", "X-Timeout-Ms": "1",
		"X-Forwarded-For": "9.9.9.9", "Forwarded": "for=9.9.9.9", "Connection": "X-Evil", "X-Evil": "1", "Cookie": "a=b", "Host": "evil",
		"Idempotency-Key": "key", "Accept-Language": "de",
	}))
	require.Equal(t, http.StatusOK, rec.Code, "a deadline named from outside does not count")
	reached := w.took()
	require.Len(t, reached, 1)
	h := reached[0].Header
	assert.Equal(t, []string{"orders"}, h.Values(sidecar.AppIDHeader))
	for _, name := range []string{"dapr-api-token", "dapr-caller-app-id", "Forwarded", "X-Evil", "Cookie"} {
		assert.Empty(t, h.Values(name), name)
	}
	assert.Equal(t, []string{"192.0.2.1"}, h.Values("X-Client-Ip"), "the peer's address: no proxy is trusted")
	assert.Equal(t, []string{"192.0.2.1"}, h.Values("X-Forwarded-For"))
	assert.Equal(t, "key", h.Get("Idempotency-Key"))
	assert.Equal(t, "de", h.Get("Accept-Language"))
	assert.NotEmpty(t, h.Get("X-Timeout-Ms"), "the service is told how long it may take")

	assert.Equal(t, "/api/v1/orders/x", rec.Header().Get("Location"))
	for _, name := range []string{"Server", "Dapr-Secret", "Set-Cookie"} {
		assert.Empty(t, rec.Header().Get(name), name)
	}
	for _, name := range []string{"Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy", "X-Request-Id", "Traceparent"} {
		assert.NotEmpty(t, rec.Header().Get(name), name)
	}
}

func TestProxiesAreBelievedOnlyIfTrusted(t *testing.T) {
	const peer = "192.0.2.1"
	cases := []struct {
		name    string
		trusted []string
		header  string
		headers map[string]string
		want    string
	}{
		{"none is trusted", nil, "", map[string]string{"X-Forwarded-For": "9.9.9.9"}, peer},
		{"the peer is trusted", []string{"192.0.2.0/24"}, "", map[string]string{"X-Forwarded-For": "8.8.8.8, 9.9.9.9"}, "9.9.9.9"},
		{"a chain is trusted", []string{peer, "10.0.0.0/8"}, "", map[string]string{"X-Forwarded-For": "1.1.1.1, 9.9.9.9, 10.1.2.3"}, "9.9.9.9"},
		{"rubbish", []string{peer}, "", map[string]string{"X-Forwarded-For": "unknown"}, peer},
		{"a zone", []string{peer}, "", map[string]string{"X-Forwarded-For": "fe80::1%eth0"}, "fe80::1"},
		{"the header that the proxy does not write", []string{peer}, "", map[string]string{"Forwarded": "for=9.9.9.9"}, peer},
		{"both, one is the client's own", []string{peer}, "", map[string]string{"Forwarded": "for=1.1.1.1", "X-Forwarded-For": "9.9.9.9"}, "9.9.9.9"},
		{"RFC 7239", []string{peer}, gateway.Forwarded, map[string]string{"Forwarded": `for="[2001:db8::1]:4711";proto=https`}, "2001:db8::1"},
		{"RFC 7239, a chain", []string{peer, "10.0.0.0/8"}, gateway.Forwarded, map[string]string{"Forwarded": `for=1.1.1.1, for=9.9.9.9, By=x;For="10.1.2.3:80"`}, "9.9.9.9"},
		{"RFC 7239, an element that names nobody", []string{peer, "10.0.0.0/8"}, gateway.Forwarded, map[string]string{"Forwarded": "for=9.9.9.9, proto=https, for=10.1.2.3"}, "10.1.2.3"},
		{"RFC 7239, the other header", []string{peer}, gateway.Forwarded, map[string]string{"X-Forwarded-For": "9.9.9.9"}, peer},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, behind(c.header, c.trusted...))
			w.ask(http.MethodGet, "/api/v1/products", "", set(c.headers))
			reached := w.took()
			require.Len(t, reached, 1)
			assert.Equal(t, c.want, reached[0].Header.Get("X-Client-Ip"))
		})
	}
}

// behind configures trusted proxies that write the given header, "" for the default.
func behind(header string, proxies ...string) func(*gateway.Config) {
	return func(cfg *gateway.Config) {
		cfg.TrustedProxies = proxies
		if header != "" {
			cfg.ForwardedHeader = header
		}
	}
}

func TestAForwardingHeaderThatNobodyWritesIsRefused(t *testing.T) {
	cfg := gateway.Config{ForwardedHeader: "X-Real-Ip"}
	assert.ErrorContains(t, cfg.Validate(), `FORWARDED_HEADER must be X-Forwarded-For or Forwarded, not "X-Real-Ip"`)
}

func TestTLSIsInsistedOnWhereTheClientUsedIt(t *testing.T) {
	const peer = "192.0.2.1"
	direct := func(r *http.Request) { r.TLS = &tls.ConnectionState{} }
	cases := []struct {
		name   string
		config func(*gateway.Config)
		change func(*http.Request)
		want   bool
	}{
		{"directly", behind(""), direct, true},
		{"not at all", behind(""), set(nil), false},
		{"a client's own word", behind(""), set(map[string]string{"X-Forwarded-Proto": "https"}), false},
		{"to a proxy", behind("", peer), set(map[string]string{"X-Forwarded-Proto": "https"}), true},
		{"not to a proxy", behind("", peer), set(map[string]string{"X-Forwarded-Proto": "http"}), false},
		{"to a proxy of RFC 7239", behind(gateway.Forwarded, peer), set(map[string]string{"Forwarded": "proto=http, for=9.9.9.9;proto=https"}), true},
		{"not to a proxy of RFC 7239", behind(gateway.Forwarded, peer), set(map[string]string{"Forwarded": "proto=https, for=9.9.9.9;proto=http", "X-Forwarded-Proto": "https"}), false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			rec := newWorld(t, c.config).ask(http.MethodGet, "/api/v1/products", "", c.change)
			assert.Equal(t, c.want, rec.Header().Get("Strict-Transport-Security") != "")
		})
	}
}

func TestForeignOriginsAreAnsweredOnlyIfConfigured(t *testing.T) {
	preflight := func(origin string) func(*http.Request) {
		return set(map[string]string{"Origin": origin, "Access-Control-Request-Method": "POST"})
	}
	off := newWorld(t)
	rec := off.ask(http.MethodOptions, "/api/v1/orders", "", preflight("https://shop.example"))
	assert.Equal(t, http.StatusMethodNotAllowed, rec.Code)
	assert.Empty(t, rec.Header().Get("Access-Control-Allow-Origin"))

	on := newWorld(t, func(cfg *gateway.Config) { cfg.CORSOrigins = []string{"https://shop.example"} })
	rec = on.ask(http.MethodOptions, "/api/v1/orders", "", preflight("https://shop.example"))
	assert.Equal(t, http.StatusNoContent, rec.Code)
	assert.Equal(t, "https://shop.example", rec.Header().Get("Access-Control-Allow-Origin"))
	assert.Contains(t, rec.Header().Get("Access-Control-Allow-Headers"), "Idempotency-Key")
	assert.Empty(t, rec.Header().Get("Access-Control-Allow-Credentials"))
	assert.NotEmpty(t, rec.Header().Get("X-Request-Id"), "as every answer has")
	rec = on.ask(http.MethodGet, "/api/v1/products", "", set(map[string]string{"Origin": "https://evil.example"}))
	assert.Empty(t, rec.Header().Get("Access-Control-Allow-Origin"))
	assert.Equal(t, "Origin", rec.Header().Get("Vary"))

	for name, change := range map[string]func(*http.Request){
		"of a foreign origin": preflight("https://evil.example"),
		"that asks nothing":   set(map[string]string{"Origin": "https://shop.example"}),
	} {
		rec = on.ask(http.MethodOptions, "/api/v1/orders", "", change)
		assert.Equal(t, http.StatusMethodNotAllowed, rec.Code, "OPTIONS %s is a method like others", name)
		assert.Empty(t, rec.Header().Get("Access-Control-Allow-Methods"), name)
	}
	assert.Equal(t, http.StatusNotFound, on.ask(http.MethodOptions, "/internal", "", preflight("https://evil.example")).Code)
}

func TestWhatAnAnswerVariesByIsAddedTo(t *testing.T) {
	w := newWorld(t, func(cfg *gateway.Config) { cfg.CORSOrigins = []string{"https://shop.example"} })
	w.answers(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Vary", "Accept-Language")
		_, _ = rw.Write([]byte("{}"))
	})
	rec := w.ask(http.MethodGet, "/api/v1/products", "")
	assert.Subset(t, rec.Header().Values("Vary"), []string{"Origin", "Accept-Language"}, "a cache must not mix up the answers for two origins")
}

func TestHeadersThatASidecarFailsOnAreRefused(t *testing.T) {
	w := newWorld(t)
	operator := w.token(t, auth.Operator)
	long := strings.Repeat("x", 16<<10)
	for name, ask := range map[string]func() *httptest.ResponseRecorder{
		"a long header": func() *httptest.ResponseRecorder {
			return w.ask(http.MethodPost, "/api/v1/orders", operator, set(map[string]string{"Idempotency-Key": long}))
		},
		"long headers together": func() *httptest.ResponseRecorder {
			return w.ask(http.MethodGet, "/api/v1/products", "", set(map[string]string{"Accept": long[:6<<10], "Accept-Language": long[:6<<10], "If-None-Match": long[:6<<10]}))
		},
		"a long address": func() *httptest.ResponseRecorder { return w.ask(http.MethodGet, "/api/v1/products?cursor="+long, "") },
		"a long letters page": func() *httptest.ResponseRecorder {
			return w.ask(http.MethodGet, letters+"?cursor=orders."+long, operator)
		},
		"what is not ASCII": func() *httptest.ResponseRecorder {
			return w.ask(http.MethodPost, "/api/v1/orders", operator, set(map[string]string{"Idempotency-Key": "schlüssel"}))
		},
		"what is not text": func() *httptest.ResponseRecorder {
			return w.ask(http.MethodGet, letters, operator, set(map[string]string{"Accept-Language": "de\xff"}))
		},
	} {
		rec := ask()
		assert.Equal(t, http.StatusBadRequest, rec.Code, name)
		assert.Equal(t, "invalid_request", code(t, rec), name)
	}
	assert.Empty(t, w.took())
	w.ask(http.MethodGet, "/api/v1/products", "", set(map[string]string{"Cookie": long, "X-Name": "schlüssel"}))
	assert.Len(t, w.took(), 1, "what is not passed on does not count")
}
