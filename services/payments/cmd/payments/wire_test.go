package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
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
	if _, err := telemetry.StartTracing(context.Background(), "payments", ""); err != nil {
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
	s.router.Use(web.Trace, web.Recover)
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
	data := map[string]any{
		"order_id": orderID, "user_id": "usr_ada", "version": 1, "total": money.New(2598, "EUR"), "payment_method": method,
		"items":     []payments.Item{{ProductID: "beans", Name: "Beans", Quantity: 2, UnitPrice: money.New(1299, "EUR")}},
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

func TestEveryPaymentMethodEndsAsItShould(t *testing.T) {
	s := start(t)
	for method, status := range map[string]string{
		"tok_visa": "captured", "tok_slow": "captured", "tok_flaky": "captured",
		"tok_declined": "declined", "tok_insufficient_funds": "declined", "tok_other": "declined",
	} {
		orderID := "ord_" + method[4:6]
		s.deliver("order.placed.v1", orderID, method)
		s.await(orderID, status)
	}
	if err := s.bus.CheckError(); err != nil {
		t.Errorf("published: %v", err)
	}
}

func TestRefundsAreForOperatorsAndIdempotent(t *testing.T) {
	s := start(t)
	s.deliver("order.placed.v1", "ord_1", "tok_visa")
	p := s.await("ord_1", "captured")
	path, operator := "/api/v1/payments/"+p.ID+"/refunds", s.token("usr_op", auth.Operator)
	body := func(amount int64) any {
		return map[string]any{"amount": money.New(amount, "EUR"), "reason": "damaged"}
	}
	steps := []struct {
		name, token, key string
		body             any
		status           int
		replayed         string
	}{
		{"by its owner", s.token("usr_ada", auth.Customer), "a", body(500), 403, ""},
		{"in part", operator, "a", body(500), 201, ""},
		{"again", operator, "a", body(500), 201, "true"},
		{"another amount with the same key", operator, "a", body(501), 422, ""},
		{"too much", operator, "b", body(2099), 422, ""},
		{"in another currency", operator, "b", map[string]any{"amount": money.New(1, "USD"), "reason": "x"}, 422, ""},
		{"the rest", operator, "c", map[string]any{"reason": "all of it"}, 201, ""},
		{"beyond the rest", operator, "d", body(1), 409, ""},
		{"the first again, at the end", operator, "a", body(500), 201, "true"},
	}
	for _, step := range steps {
		resp := s.do(s.checked, http.MethodPost, path, step.token, step.body, nil, "Idempotency-Key", step.key)
		if resp.StatusCode != step.status || resp.Header.Get("Idempotency-Replayed") != step.replayed {
			t.Errorf("refund %s: %d, replayed %q; want %d, %q",
				step.name, resp.StatusCode, resp.Header.Get("Idempotency-Replayed"), step.status, step.replayed)
		}
	}
	for name, in := range map[string]any{"no reason": map[string]any{}, "unknown field": map[string]any{"reason": "x", "note": "y"}, "zero": body(0)} {
		resp := s.do(s.checked, http.MethodPost, path, operator, in, nil, "Idempotency-Key", "e", validate.ExpectInvalid, "true")
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("refund with %s: %d, want 400", name, resp.StatusCode)
		}
	}
	if resp := s.do(s.checked, http.MethodPost, path, operator, body(1), nil, validate.ExpectInvalid, "true"); resp.StatusCode != 400 {
		t.Errorf("refund without a key: %d, want 400", resp.StatusCode)
	}
	if got := s.await("ord_1", "refunded").RefundedAmount.Amount; got != 2598 {
		t.Errorf("refunded %d, want 2598", got)
	}
}

func TestOthersPaymentsDoNotExist(t *testing.T) {
	s := start(t)
	s.deliver("order.placed.v1", "ord_1", "tok_visa")
	p := s.await("ord_1", "captured")
	stranger, operator := s.token("usr_eve", auth.Customer), s.token("usr_op", auth.Operator)
	for token, status := range map[string]int{stranger: 404, operator: 200, "": 401, s.token("usr_ada", auth.Customer): 200} {
		if resp := s.do(s.checked, http.MethodGet, "/api/v1/payments/"+p.ID, token, nil, nil); resp.StatusCode != status {
			t.Errorf("status %d, want %d", resp.StatusCode, status)
		}
	}
	for _, id := range []string{"pay_unknown", "nonsense", "pay_%2F.."} {
		if resp := s.do(s.checked, http.MethodGet, "/api/v1/payments/"+id, operator, nil, nil); resp.StatusCode != 404 {
			t.Errorf("payment %q: %d, want 404", id, resp.StatusCode)
		}
	}
	var page struct{ Items []payment }
	if s.do(s.checked, http.MethodGet, "/api/v1/payments?order_id=ord_1", stranger, nil, &page); len(page.Items) != 0 {
		t.Errorf("a stranger sees %+v", page.Items)
	}
	resp := s.do(s.checked, http.MethodGet, "/api/v1/payments", operator, nil, nil, validate.ExpectInvalid, "true")
	if resp.StatusCode != 400 {
		t.Errorf("no order named: %d, want 400", resp.StatusCode)
	}
}

func TestOrdersLooksPaymentsUpAndTheBooksAgree(t *testing.T) {
	s := start(t)
	for n := range 5 {
		s.deliver("order.placed.v1", fmt.Sprint("ord_", n), "tok_visa")
		s.await(fmt.Sprint("ord_", n), "captured")
	}
	s.deliver("order.cancelled.v1", "ord_0", "tok_visa")
	s.await("ord_0", "refunded")
	s.deliver("order.cancelled.v1", "ord_9", "tok_visa")
	token, err := s.orders.Authorize("payments")
	if err != nil {
		t.Fatal(err)
	}
	var found struct {
		Payments []struct {
			OrderID string `json:"order_id"`
			Status  string
		}
	}
	in := map[string]any{"order_ids": []string{"ord_0", "ord_1", "ord_9", "ord_unknown"}}
	s.do(http.DefaultClient, http.MethodPost, "/internal/payments/lookup", token, in, &found)
	got := map[string]string{}
	for _, p := range found.Payments {
		got[p.OrderID] = p.Status
	}
	if len(got) != 3 || got["ord_0"] != "refunded" || got["ord_1"] != "captured" || got["ord_9"] != "voided" {
		t.Errorf("orders was told %v", got)
	}
	if resp := s.do(http.DefaultClient, http.MethodPost, "/internal/payments/lookup", s.token("usr_op", auth.Operator), in, nil); resp.StatusCode != 401 {
		t.Errorf("a user may look up: %d", resp.StatusCode)
	}
	var ledger struct {
		Balanced bool
		Balances []struct {
			Account string
			Balance int64
		}
	}
	s.do(s.checked, http.MethodGet, "/api/v1/admin/ledger?currency=EUR", s.token("usr_op", auth.Operator), nil, &ledger)
	sums := map[string]int64{}
	for _, b := range ledger.Balances {
		sums[b.Account] = b.Balance
	}
	if !ledger.Balanced || sums["provider:clearing"] != 4*2598 || sums["revenue:orders"] != -5*2598 || sums["refunds"] != 2598 {
		t.Errorf("the ledger: %+v", ledger)
	}
	var charges struct {
		Items []struct {
			Status         string
			RefundedAmount int64 `json:"refunded_amount"`
		}
	}
	s.do(http.DefaultClient, http.MethodGet, "/internal/provider/charges?order_id=ord_0&order_id=ord_9", token, nil, &charges)
	if len(charges.Items) != 1 || charges.Items[0].Status != "captured" || charges.Items[0].RefundedAmount != 2598 {
		t.Errorf("the provider has %+v", charges.Items)
	}
}
