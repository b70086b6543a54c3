package main

import (
	"testing"
	"time"

	"sidecart.dev/kit/service/servicetest"
	"sidecart.dev/kit/telemetry/metricstest"
)

func TestTheTableOfMetricsHasWhatIsRegistered(t *testing.T) {
	s := servicetest.Fake(t, "orders", servicetest.NewSidecar(t), nil)
	if err := wire(s, &Config{Limit: 10_000, DelayedAfter: time.Minute}); err != nil {
		t.Fatal(err)
	}
	servicetest.Start(t, s)
	metricstest.CheckTable(t, metricstest.Path, "orders", s.Metrics)
}
