package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"

	"sidecart.dev/contracts/validate"
	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/money"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/kit/telemetry"
	"sidecart.dev/kit/web"
	"sidecart.dev/payments"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	if _, err := telemetry.StartTracing(context.Background(), "payments", telemetry.Tracing{}); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// system is the wired service between fakes of everything its sidecar leads to.
type system struct {
	*testing.T
	server  *httptest.Server
	checked *http.Client // holds every exchange against the contract
	state   *sidecartest.State
	bus     *sidecartest.Bus
	key     ed25519.PrivateKey
	orders  *auth.ServiceKey
	work    []func(context.Context) error
	router  *mux.Router
}

func (s *system) ThroughSidecar() *mux.Router {
	r := s.router.NewRoute().Subrouter()
	r.Use(web.Deadline(10 * time.Second))
	return r
}

func (s *system) Background(_ string, run func(context.Context) error) { s.work = append(s.work, run) }
func (s *system) ReadyWhen(func(context.Context) error)                {}

// Key implements auth.KeySource.
func (s *system) Key(context.Context, string) (ed25519.PublicKey, error) {
	return s.key.Public().(ed25519.PublicKey), nil
}

// Call answers for the other services: notifications accepts everything, and orders does not know the orders of these tests.
func (s *system) Call(_ context.Context, app, _, path string, in, out any) error {
	if app == "orders" && path == "/internal/orders/lookup" {
		return json.Unmarshal([]byte(`{"orders":[]}`), out)
	}
	if app != "notifications" || path != "/internal/notifications/accepted" {
		return fault.Newf(fault.NotFound, "not_found", "unexpected call of %s %s", app, path)
	}
	raw, _ := json.Marshal(in)
	var asked struct {
		EventIDs []string `json:"event_ids"`
	}
	if err := json.Unmarshal(raw, &asked); err != nil {
		return err
	}
	raw, _ = json.Marshal(map[string]any{"accepted": asked.EventIDs})
	return json.Unmarshal(raw, out)
}

func start(t *testing.T) *system {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &system{T: t, state: sidecartest.NewState(), bus: &sidecartest.Bus{Check: validate.Event}, key: key, router: mux.NewRouter().UseEncodedPath().SkipClean(true)}
	s.router.Use(web.Trace(""), web.Recover)
	secret := bytes.Repeat([]byte("k"), 32)
	mine, err := auth.NewServiceKey("payments", secret, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.orders, err = auth.NewServiceKey("orders", secret, nil); err != nil {
		t.Fatal(err)
	}
	cfg := settings{Provider: "simulated", ProviderTimeout: time.Second, SlowDelay: 10 * time.Millisecond, MaxCharges: 64, GroupCommit: true}
	out := outside{state: s.state, publisher: s.bus, caller: s, verifier: auth.NewVerifier(s, nil)}
	if err := assemble(s, prometheus.NewRegistry(), cfg, mine, out); err != nil {
		t.Fatal(err)
	}
	contract, err := validate.NewHTTP()
	if err != nil {
		t.Fatal(err)
	}
	s.server = httptest.NewServer(s.router)
	s.checked = &http.Client{Transport: contract.RoundTripper(nil, func(err error) { t.Errorf("contract: %v", err) })}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, run := range s.work {
		running.Go(func() {
			if err := run(ctx); err != nil {
				t.Errorf("background work: %v", err)
			}
		})
	}
	t.Cleanup(func() { stop(); running.Wait(); s.server.Close() })
	return s
}

func (s *system) token(user string, role auth.Role) string {
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, auth.Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: auth.Issuer, Audience: jwt.ClaimStrings{auth.Issuer}, Subject: user,
			IssuedAt: jwt.NewNumericDate(time.Now()), ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Minute)),
		},
		Role: role, SessionID: "s",
	})
	token.Header["typ"] = auth.AccessType
	signed, err := token.SignedString(s.key)
	if err != nil {
		s.Fatal(err)
	}
	return "Bearer " + signed
}

// do makes a request and decodes the answer; header pairs follow the body.
func (s *system) do(client *http.Client, method, path, authorization string, in, out any, headers ...string) *http.Response {
	s.Helper()
	var body io.Reader
	if in != nil {
		raw, _ := json.Marshal(in)
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, s.server.URL+path, body)
	if err != nil {
		s.Fatal(err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	if out != nil {
		if err := json.Unmarshal(raw, out); err != nil {
			s.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, raw)
		}
	}
	return resp
}

func (s *system) deliver(eventType, orderID, method string) {
	s.Helper()
	s.deliverTotal(eventType, orderID, method, money.New(2598, "EUR"))
}

func (s *system) deliverTotal(eventType, orderID, method string, total money.Money) {
	s.Helper()
	data := map[string]any{
		"order_id": orderID, "user_id": "usr_ada", "version": 1, "total": total, "payment_method": method,
		"items":     []payments.Item{{ProductID: "beans", Name: "Beans", Quantity: 1, UnitPrice: total}},
		"placed_at": time.Now().UTC(), "cancelled_at": time.Now().UTC(), "reason": "ordered twice",
	}
	e, err := event.New("orders", eventType, orderID, 1, time.Now(), data)
	if err != nil {
		s.Fatal(err)
	}
	if resp := s.do(http.DefaultClient, http.MethodPost, "/events/orders", "", e, nil); resp.StatusCode != http.StatusOK {
		s.Fatalf("%s was answered with %d", eventType, resp.StatusCode)
	}
}

type payment struct {
	ID, Status     string
	RefundedAmount money.Money `json:"refunded_amount"`
}

// await reads the order's payment as a user until it has the status.
func (s *system) await(orderID, status string) payment {
	s.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		var page struct{ Items []payment }
		s.do(s.checked, http.MethodGet, "/api/v1/payments?order_id="+orderID, s.token("usr_ada", auth.Customer), nil, &page)
		if len(page.Items) == 1 && page.Items[0].Status == status {
			return page.Items[0]
		}
		if time.Now().After(deadline) {
			s.Fatalf("the payment of %s is %+v, want %s", orderID, page.Items, status)
		}
	}
}
