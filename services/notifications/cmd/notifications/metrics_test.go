package main

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/telemetry/metricstest"
)

func TestTheTableOfMetricsHasWhatIsRegistered(t *testing.T) {
	s, _, _ := start(t, newSidecar(t))
	metricstest.CheckTable(t, metricstest.Path, "notifications", s.Metrics)
}

// TestADeliverysAgeCountsFromWhatHappened has an event that came an hour late: its customer has
// waited that long, however fast the mail went out then.
func TestADeliverysAgeCountsFromWhatHappened(t *testing.T) {
	s, url, _ := start(t, newSidecar(t))
	e, err := event.New("payments", "payment.confirmed.v1", "pay_1", 2, time.Now().Add(-time.Hour),
		map[string]any{
			"user_id": ada, "order_id": "ord_1",
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
	settled(t, s)
	families, err := s.Metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "notifications_delivery_age_seconds" {
			continue
		}
		age := family.GetMetric()[0].GetHistogram()
		if age.GetSampleCount() != 1 || age.GetSampleSum() < time.Hour.Seconds() {
			t.Errorf("%d deliveries, %v s old; want one that is an hour old",
				age.GetSampleCount(), age.GetSampleSum())
		}
		return
	}
	t.Error("no delivery was measured")
}
