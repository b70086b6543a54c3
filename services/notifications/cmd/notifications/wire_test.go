package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/config"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/service"
	"sidecart.dev/kit/service/servicetest"
	"sidecart.dev/notifications"
)

const ada = "usr_p6r1l9k4a8e2"

// newSidecar is a sidecar behind which users knows one customer, who wants mail.
func newSidecar(t *testing.T) *servicetest.Sidecar {
	t.Helper()
	sidecar := servicetest.NewSidecar(t)
	sidecar.Peers.Handle = func(context.Context, string, string, string, []byte) (any, error) {
		contact := notifications.Contact{UserID: ada, Email: "ada@example.org", EmailVerified: true, Name: "Ada", Locale: "en", Status: "active"}
		contact.Preferences.Email = notifications.Preference{Orders: true, Payments: true}
		return map[string]any{"contacts": []any{contact}}, nil
	}
	return sidecar
}

// start starts the service as main puts it together.
func start(t *testing.T, sidecar *servicetest.Sidecar) (s *service.Service, url string, stop func() error) {
	t.Helper()
	for _, port := range []string{"APP_PORT", "DAPR_HTTP_PORT", "DAPR_GRPC_PORT"} {
		t.Setenv(port, "1") // the sidecar is a fake
	}
	var cfg Config
	if err := config.Load(&cfg); err != nil {
		t.Fatal(err)
	}
	s = servicetest.Fake(t, "notifications", sidecar, nil)
	if err := wire(s, &cfg); err != nil {
		t.Fatal(err)
	}
	url, stop = servicetest.Start(t, s)
	return s, url, stop
}

// settled waits until the journal is empty.
func settled(t *testing.T, s *service.Service) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); s.Journal.Stats().Backlog > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the journal still holds %d ids", s.Journal.Stats().Backlog)
		}
	}
}

// confirm tells the service that Ada's n-th order was paid, and returns the event.
func confirm(t *testing.T, url string, n int, at time.Time) event.Event {
	t.Helper()
	e, err := event.New("payments", "payment.confirmed.v1", fmt.Sprintf("pay_%d", n), 2, at, map[string]any{
		"user_id": ada, "order_id": fmt.Sprintf("ord_%d", n),
		"amount": map[string]any{"amount": 1999, "currency": "EUR"},
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(url+"/events/payments", "application/cloudevents+json", bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("the event is answered with %d", resp.StatusCode)
	}
	return e
}

func TestTheServiceAsMainPutsItTogether(t *testing.T) {
	sidecar := newSidecar(t)
	s, url, stop := start(t, sidecar)
	const orders = 20
	var last event.Event
	for i := range orders {
		last = confirm(t, url, i, time.Now())
	}
	settled(t, s)
	if n := len(sidecar.Binding.Calls()); n != orders {
		t.Errorf("%d mails for %d receipts", n, orders)
	}
	get := func(r *http.Request, out any) {
		t.Helper()
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(out); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s is answered with %d, %v", r.URL.Path, resp.StatusCode, err)
		}
	}
	request := func(method, path, body string) *http.Request {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		return r
	}
	r := request(http.MethodGet, "/api/v1/notifications?limit=100", "")
	sidecar.SignIn(t, r, ada, auth.Customer)
	var page struct{ Items []struct{ Status string } }
	get(r, &page)
	if len(page.Items) != orders || page.Items[0].Status != "sent" {
		t.Errorf("the customer's list is %+v, want %d messages that are sent", page.Items, orders)
	}
	r = request(http.MethodPost, "/internal/notifications/accepted", fmt.Sprintf(`{"event_ids":[%q,"pay_x:2:payment.confirmed.v1"]}`, last.ID))
	sidecar.SignInService(t, r, "payments", "notifications")
	var answer struct{ Accepted []string }
	get(r, &answer)
	if len(answer.Accepted) != 1 || answer.Accepted[0] != last.ID {
		t.Errorf("accepted: %v, want %s", answer.Accepted, last.ID)
	}
	for who, c := range map[string]struct {
		authorization string
		status        int
	}{
		"users":    {sidecar.AsService(t, "users", "notifications"), 200},
		"orders":   {sidecar.AsService(t, "orders", "notifications"), 200},
		"gateway":  {sidecar.AsService(t, "gateway", "notifications"), 403},
		"a user":   {sidecar.AsUser(t, ada, auth.Customer), 401},
		"somebody": {"", 401},
	} {
		r := request(http.MethodPost, "/internal/notifications/accepted", `{"event_ids":["a"]}`)
		r.Header.Set("Authorization", c.authorization)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("%s asks what is accepted: %d, want %d", who, resp.StatusCode, c.status)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestWhatAnEarlierReleaseLeftIsSent has a record and an id in the journal as they were written
// before notifications stood on the kit's aggregates.
func TestWhatAnEarlierReleaseLeftIsSent(t *testing.T) {
	sidecar := newSidecar(t)
	before := servicetest.Fake(t, "notifications", sidecar, nil)
	before.Settles("nothing", journal.SettlerFunc(func(context.Context, []journal.Entry) ([]string, error) { return nil, nil }))
	_, stop := servicetest.Start(t, before)
	const id = "dlgrvvjrtdjj27s5aafvnhm6mo"
	ticket, err := before.Journal.Begin(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	record := []byte(`{"id":"` + id + `","event_id":"pay_1:2:payment.confirmed.v1","event_type":"payment.confirmed.v1","kind":"payments",
		"user_id":"` + ada + `","order_id":"ord_1","created_at":"2026-03-01T10:00:00Z",
		"deliveries":[{"id":"ntf_1","channel":"email","status":"queued","recipient":"ada@example.org","subject":"Your receipt","seq":1}],
		"content":{"name":"Ada","locale":"en","facts":{"user_id":"` + ada + `","order_id":"ord_1","amount":{"amount":1999,"currency":"EUR"},
			"at":"2026-03-01T10:00:00Z"}}}`)
	if err := sidecar.State.Insert(t.Context(), "evt/"+id, record); err != nil {
		t.Fatal(err)
	}
	ticket.Wrote()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	s, _, _ := start(t, sidecar)
	for deadline := time.Now().Add(30 * time.Second); len(sidecar.Binding.Calls()) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the mail is not sent")
		}
	}
	settled(t, s)
	if n := len(sidecar.Binding.Calls()); n != 1 {
		t.Errorf("%d mails, want 1", n)
	}
}
