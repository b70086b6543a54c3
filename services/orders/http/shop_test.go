package http_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"sidecart.dev/contracts/validate"
	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/service/servicetest"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/kit/telemetry"
	"sidecart.dev/kit/web"
	"sidecart.dev/orders"
	ordershttp "sidecart.dev/orders/http"
	"sidecart.dev/orders/peers"
	"sidecart.dev/orders/store"
)

func TestMain(m *testing.M) {
	if _, err := telemetry.StartTracing(context.Background(), "orders", telemetry.Tracing{}); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

type letters struct{}

func (letters) Erase(context.Context, ...string) error { return nil }

// openContract reads the contract once: that takes longer than all the rest.
var openContract = sync.OnceValues(validate.NewHTTP)

// shop is the service behind its real router. Every exchange is checked against the contract.
type shop struct {
	t       *testing.T
	url     string
	sidecar *servicetest.Sidecar // signs the tokens
	client  *http.Client
	service *orders.Service
}

func open(t *testing.T) *shop {
	t.Helper()
	state, log := sidecartest.NewState(), slog.New(slog.DiscardHandler)
	j, err := journal.New(journal.Config{Name: "orders", State: state, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	service := orders.New(orders.Config{Limits: orders.Limits{Any: 2000}, Logger: log}, orders.Deps{
		State: state, Bus: &sidecartest.Bus{Check: validate.Event}, Journal: aggregate.Of(j), Ready: j.Ready,
		Products: store.NewProducts(state, orders.DefaultCatalogue(), nil, log),
		Payments: peers.Payments{Caller: &sidecartest.Caller{}}, Notifications: peers.Notifications{Caller: &sidecartest.Caller{}},
		Letters: letters{},
	})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- j.Run(ctx, service) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	for deadline := time.Now().Add(10 * time.Second); j.Ready() != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not ready: %v", j.Ready())
		}
	}
	r := mux.NewRouter()
	r.UseEncodedPath()
	r.Use(web.Trace(""), web.Recover)
	sidecar := servicetest.NewSidecar(t)
	ordershttp.Routes(sidecar.Access(t, "orders", r), service)
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	contract, err := openContract()
	if err != nil {
		t.Fatal(err)
	}
	transport := contract.RoundTripper(nil, func(err error) { t.Errorf("contract: %v", err) })
	return &shop{
		t: t, url: server.URL, sidecar: sidecar, service: service,
		client: &http.Client{Transport: transport},
	}
}

type answer struct {
	status int
	header http.Header
	body   map[string]any
}

// do makes a request as the user "<id>/<role>"; headers are pairs.
func (s *shop) do(as, method, path, body string, headers ...string) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if user, role, ok := strings.Cut(as, "/"); ok {
		s.sidecar.SignIn(s.t, req, user, auth.Role(role))
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a := answer{status: res.StatusCode, header: res.Header}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &a.body); err != nil {
			s.t.Fatalf("%s %s answers %q: %v", method, path, raw, err)
		}
	}
	return a
}

func (s *shop) place(as, key, body string, headers ...string) answer {
	s.t.Helper()
	return s.do(as, http.MethodPost, "/api/v1/orders", body, append([]string{"Idempotency-Key", key}, headers...)...)
}

const (
	ada      = "usr_ada/customer"
	bob      = "usr_bob/customer"
	operator = "usr_op/operator"
	oneMoka  = `{"items":[{"product_id":"moka-pot","quantity":1}],"payment_method":"tok_visa"}`
)

func (s *shop) want(what string, a answer, status int, code string) {
	s.t.Helper()
	if got, _ := a.body["code"].(string); a.status != status || got != code {
		s.t.Errorf("%s: %d %q (%v), want %d %q", what, a.status, got, a.body, status, code)
	}
}
