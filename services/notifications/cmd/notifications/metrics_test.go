package main

import (
	"testing"
	"time"

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
	confirm(t, url, 1, time.Now().Add(-time.Hour))
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
