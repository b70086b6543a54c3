// Package servicetest runs services over a fake sidecar: the same object that runs beside a real
// one, with its routes, its journal and its order of shutting down.
package servicetest

import (
	"context"
	"crypto/ed25519"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/mux"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/chassis"
	"sidecart.dev/kit/service"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/kit/web"
)

// Sidecar is the fake beside a service.
type Sidecar struct {
	State   *sidecartest.State
	Bus     *sidecartest.Bus
	Peers   *sidecartest.Caller
	Binding *sidecartest.Binding
	Secrets sidecartest.Secrets

	signing ed25519.PrivateKey
	secret  []byte
}

// NewSidecar returns a fake sidecar. Services that are given the same one are replicas, or one
// after a restart.
func NewSidecar(t testing.TB) *Sidecar {
	t.Helper()
	_, signing, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Sidecar{
		State: sidecartest.NewState(), Bus: &sidecartest.Bus{}, Peers: &sidecartest.Caller{},
		Binding: &sidecartest.Binding{}, Secrets: sidecartest.Secrets{},
		signing: signing, secret: []byte("a key of at least 32 bytes, for tests"),
	}
}

// Fake returns the named service over a fake sidecar. process is how it reaches the outside, and
// may die; nil means that it does not.
func Fake(
	t testing.TB, name string, sidecar *Sidecar, process *sidecartest.Process,
) *service.Service {
	t.Helper()
	if process == nil {
		process = &sidecartest.Process{}
	}
	cfg := service.Config{GroupCommit: true, Instance: "test", Config: chassis.Config{
		Host: "127.0.0.1", DrainTimeout: 10 * time.Second, Timeout: 10 * time.Second,
		LogLevel: "error", LogFormat: "text", DaprGRPCPort: "1", DaprHTTPPort: "1",
	}}
	c, err := chassis.New(t.Context(), name, cfg.Config)
	if err != nil {
		t.Fatal(err)
	}
	s, err := service.Assemble(c, name, cfg, service.Outside{
		State: process.State(sidecar.State), Bus: process.Bus(sidecar.Bus),
		Peers: process.Caller(sidecar.Peers), Bind: process.Binding(sidecar.Binding),
		Secret: sidecar.Secrets.Secret,
		Users:  auth.NewVerifier(sidecar, nil), Key: sidecar.ServiceKey(t, name),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Start serves on a free port until the test ends, or stop is called, and returns the service's
// address once it is ready.
func Start(t testing.TB, s *service.Service) (url string, stop func() error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, listener) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("the service stopped with: %v", err)
		}
	})
	for deadline := time.Now().Add(10 * time.Second); s.Journal.Ready() != nil; {
		if time.Now().After(deadline) {
			t.Fatalf("the service is not ready: %v", s.Journal.Ready())
		}
		time.Sleep(time.Millisecond)
	}
	return "http://" + listener.Addr().String(), stop
}

// ServiceKey returns the key by which the named service shows others who it is.
func (f *Sidecar) ServiceKey(t testing.TB, name string) *auth.ServiceKey {
	t.Helper()
	key, err := auth.NewServiceKey(name, f.secret, nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Access returns what makes the routers of the named service, for a test that serves r itself.
func (f *Sidecar) Access(t testing.TB, name string, r *mux.Router) web.Access {
	t.Helper()
	return web.Access{
		Through: func() *mux.Router { return r.NewRoute().Subrouter() },
		Users:   auth.NewVerifier(f, nil), Key: f.ServiceKey(t, name),
	}
}

// Key implements [auth.KeySource].
func (f *Sidecar) Key(context.Context, string) (ed25519.PublicKey, error) {
	return f.signing.Public().(ed25519.PublicKey), nil
}

// SignIn gives the request an access token of the user.
func (f *Sidecar) SignIn(t testing.TB, r *http.Request, userID string, role auth.Role) {
	t.Helper()
	r.Header.Set("Authorization", f.AsUser(t, userID, role))
}

// AsUser returns the Authorization of a request by the user.
func (f *Sidecar) AsUser(t testing.TB, userID string, role auth.Role) string {
	t.Helper()
	now := time.Now()
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, auth.Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: auth.Issuer, Audience: jwt.ClaimStrings{auth.Issuer}, Subject: userID,
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Minute)),
		},
		Role: role, SessionID: "s",
	})
	token.Header["typ"] = auth.AccessType
	signed, err := token.SignedString(f.signing)
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + signed
}

// SignInService gives the request the token by which a service calls another.
func (f *Sidecar) SignInService(t testing.TB, r *http.Request, from, to string) {
	t.Helper()
	r.Header.Set("Authorization", f.AsService(t, from, to))
}

// AsService returns the Authorization of a request by which a service calls another.
func (f *Sidecar) AsService(t testing.TB, from, to string) string {
	t.Helper()
	header, err := f.ServiceKey(t, from).Authorize(to)
	if err != nil {
		t.Fatal(err)
	}
	return header
}
