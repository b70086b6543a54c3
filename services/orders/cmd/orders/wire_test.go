package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/service/servicetest"
)

// TestTheServiceAsMainPutsItTogether places an order, hears that it is paid and that its customer's
// account is deleted, and keeps nothing in its journal but the erasure, which waits for the end of
// the customer's tokens.
func TestTheServiceAsMainPutsItTogether(t *testing.T) {
	sidecar := servicetest.NewSidecar(t)
	sidecar.Peers.Handle = func(context.Context, string, string, string, []byte) (any, error) {
		return map[string]any{"payments": []any{}, "accepted": []any{}}, nil
	}
	s := servicetest.Fake(t, "orders", sidecar, nil)
	if err := wire(s, &Config{Limit: 10_000, DelayedAfter: time.Minute}); err != nil {
		t.Fatal(err)
	}
	url, stop := servicetest.Start(t, s)

	do := func(method, path, body string, headers ...string) (int, map[string]any) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		sidecar.SignIn(t, r, "usr_ada", auth.Customer)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var answer map[string]any
		_ = json.NewDecoder(resp.Body).Decode(&answer)
		return resp.StatusCode, answer
	}
	hear := func(topic, eventType string, data map[string]any) {
		t.Helper()
		e, err := event.New(topic, eventType, "subject", 2, time.Now(), data)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.Post(url+"/events/"+topic, "application/cloudevents+json", bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s is answered with %d", eventType, resp.StatusCode)
		}
	}
	const order = `{"items":[{"product_id":"moka-pot","quantity":1}],"payment_method":"tok_visa"}`
	status, placed := do(http.MethodPost, "/api/v1/orders", order, "Idempotency-Key", "k")
	if status != http.StatusCreated {
		t.Fatalf("placing is answered with %d: %v", status, placed)
	}
	path := "/api/v1/orders/" + placed["id"].(string)
	hear("payments", "payment.confirmed.v1", map[string]any{"order_id": placed["id"]})
	if _, read := do(http.MethodGet, path, ""); read["status"] != "paid" {
		t.Errorf("the order is %v, want it paid", read["status"])
	}
	hear("payments", "payment.confirmed.v1", map[string]any{"order_id": placed["id"]})
	if n := finished(t, s.Metrics, "paid"); n != 1 {
		t.Errorf("%d orders are measured as paid, want the one, once", n)
	}
	accepted := func(from string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/internal/orders/accepted",
			strings.NewReader(`{"event_ids":["subject:2:user.deleted.v1"]}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		sidecar.SignInService(t, r, from, "orders")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, strings.TrimSpace(string(body))
	}
	if _, answer := accepted("users"); answer != `{"accepted":[]}` {
		t.Errorf("before the deletion was heard of, what was accepted is %s", answer)
	}
	hear("users", "user.deleted.v1", map[string]any{"user_id": "usr_ada"})
	if _, answer := accepted("users"); answer != `{"accepted":["subject:2:user.deleted.v1"]}` {
		t.Errorf("after the deletion was heard of, what was accepted is %s", answer)
	}
	if status, _ := accepted("payments"); status == http.StatusOK {
		t.Error("a service that has nothing to do with it may ask")
	}
	for deadline := time.Now().Add(30 * time.Second); s.Journal.Stats().Backlog != 1; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the journal holds %d ids, want the erasure alone", s.Journal.Stats().Backlog)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// finished is how many orders the metrics say have ended with a status within the objective.
func finished(t *testing.T, metrics prometheus.Gatherer, status string) uint64 {
	t.Helper()
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "orders_finish_duration_seconds" {
			continue
		}
		for _, m := range family.GetMetric() {
			for _, bucket := range m.GetHistogram().GetBucket() {
				if m.GetLabel()[0].GetValue() == status && bucket.GetUpperBound() == 10 {
					return bucket.GetCumulativeCount()
				}
			}
		}
	}
	t.Fatalf("there is no bucket of %s orders that ends at the objective", status)
	return 0
}
