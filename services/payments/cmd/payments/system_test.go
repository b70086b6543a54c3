package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"sidecart.dev/contracts/validate"
	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/money"
	"sidecart.dev/kit/service/servicetest"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/kit/telemetry"
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
	url     string
	sidecar *servicetest.Sidecar
	checked *http.Client // holds every exchange against the contract
	bus     *sidecartest.Bus
	orders  *auth.ServiceKey
}

// others answers for the other services: notifications accepts everything, and orders does not know
// the orders of these tests.
func others(_ context.Context, app, _, path string, in []byte) (any, error) {
	switch {
	case app == "orders" && path == "/internal/orders/lookup":
		return json.RawMessage(`{"orders":[]}`), nil
	case app == "notifications" && path == "/internal/notifications/accepted":
		var asked struct {
			EventIDs []string `json:"event_ids"`
		}
		err := json.Unmarshal(in, &asked)
		return map[string]any{"accepted": asked.EventIDs}, err
	}
	return nil, fault.Newf(fault.NotFound, "not_found", "unexpected call of %s %s", app, path)
}

var testSettings = &settings{
	Provider: "simulated", ProviderTimeout: time.Second, SlowDelay: 10 * time.Millisecond, MaxCharges: 64,
}

func start(t *testing.T) *system {
	sidecar := servicetest.NewSidecar(t)
	sidecar.Bus.Check = validate.Event
	sidecar.Peers.Handle = others
	service := servicetest.Fake(t, payments.App, sidecar, nil)
	if err := wire(service, testSettings); err != nil {
		t.Fatal(err)
	}
	contract, err := validate.NewHTTP()
	if err != nil {
		t.Fatal(err)
	}
	s := &system{T: t, sidecar: sidecar, bus: sidecar.Bus, orders: sidecar.ServiceKey(t, "orders")}
	s.checked = &http.Client{Transport: contract.RoundTripper(nil, func(err error) { t.Errorf("contract: %v", err) })}
	s.url, _ = servicetest.Start(t, service)
	return s
}

// token is what a user of the role shows as its authorization.
func (s *system) token(user string, role auth.Role) string {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	s.sidecar.SignIn(s.T, r, user, role)
	return r.Header.Get("Authorization")
}

// do makes a request and decodes the answer; header pairs follow the body.
func (s *system) do(client *http.Client, method, path, authorization string, in, out any, headers ...string) *http.Response {
	s.Helper()
	var body io.Reader
	if in != nil {
		raw, _ := json.Marshal(in)
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, s.url+path, body)
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
