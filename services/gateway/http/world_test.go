package http_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"sidecart.dev/gateway"
	gatewayhttp "sidecart.dev/gateway/http"
	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/chassis"
	"sidecart.dev/kit/web"
)

// world is a gateway in front of a sidecar that records what reaches it.
type world struct {
	handler http.Handler // everything the gateway answers
	private ed25519.PrivateKey
	public  ed25519.PublicKey
	closing chan struct{} // closed: the program is about to end

	mu      sync.Mutex
	reached []*http.Request
	answer  http.HandlerFunc // what the services answer; nil: 200 {}
}

func newWorld(t *testing.T, change ...func(*gateway.Config)) *world {
	t.Helper()
	w := &world{closing: make(chan struct{})}
	var err error
	w.public, w.private, err = ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	sidecar := httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(sidecar.Close)
	cfg := gateway.Config{
		Config:      chassis.Config{Port: 1, LogLevel: "error", LogFormat: "text", DrainTimeout: time.Second, Timeout: 5 * time.Second},
		AddressRate: 1e6, UserRate: 1e6, SensitiveRate: 1e6, ForwardedHeader: gateway.ForwardedFor,
		MaxStreams: 10, UserStreams: 10, StreamTime: time.Minute,
	}
	for _, f := range change {
		f(&cfg)
	}
	require.NoError(t, cfg.Validate())
	keys := auth.NewKeyCache(func(context.Context) (auth.JWKS, error) {
		return auth.JWKS{Keys: []auth.JWK{auth.NewJWK("k1", w.public)}}, nil
	}, nil)
	server, err := gatewayhttp.New(gatewayhttp.Deps{
		Config: cfg, Verifier: auth.NewVerifier(keys, nil), SidecarAddr: strings.TrimPrefix(sidecar.URL, "http://"), Transport: http.DefaultTransport,
		Closing: w.closing,
	})
	require.NoError(t, err)
	c, err := chassis.New(t.Context(), "gateway", cfg.Config)
	require.NoError(t, err)
	server.Routes(c.Router())
	c.Around(server.Around)
	w.handler = c.Handler()
	return w
}

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.reached = append(w.reached, r.Clone(context.Background()))
	answer := w.answer
	w.mu.Unlock()
	rw.Header().Set(web.RequestIDHeader, "r1") // as services do
	if answer != nil {
		answer(rw, r)
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	_, _ = rw.Write([]byte("{}"))
}

// answers sets what the services answer from now on.
func (w *world) answers(h http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = h
}

// took returns and forgets what reached the sidecar.
func (w *world) took() []*http.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.reached
	w.reached = nil
	return out
}

// token signs an access token.
func (w *world) token(t *testing.T, role auth.Role, change ...func(*auth.Claims)) string {
	t.Helper()
	c := auth.Claims{RegisteredClaims: jwt.RegisteredClaims{
		Issuer: auth.Issuer, Audience: jwt.ClaimStrings{auth.Issuer}, Subject: "usr_" + string(role), ID: "1",
		IssuedAt: jwt.NewNumericDate(time.Now()), ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Minute)),
	}, Role: role, SessionID: "s"}
	for _, f := range change {
		f(&c)
	}
	return signed(t, jwt.SigningMethodEdDSA, w.private, auth.AccessType, c)
}

func signed(t *testing.T, method jwt.SigningMethod, key any, typ string, c auth.Claims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, c)
	token.Header["typ"], token.Header["kid"] = typ, "k1"
	s, err := token.SignedString(key)
	require.NoError(t, err)
	return s
}

// ask sends one request to the gateway.
func (w *world) ask(method, path, token string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader("{}"))
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, f := range change {
		f(r)
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return rec
}

// code returns the code of a problem, and fails the test if the answer is not a complete one.
func code(t *testing.T, rec *httptest.ResponseRecorder) string {
	t.Helper()
	require.Equal(t, web.ProblemType, rec.Header().Get("Content-Type"), "%d %s", rec.Code, rec.Body)
	var p web.Problem
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &p))
	require.Equal(t, rec.Code, p.Status)
	return p.Code
}
