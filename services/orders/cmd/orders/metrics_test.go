package main

import (
	"testing"
	"time"

	"sidecart.dev/kit/service/servicetest"
	"sidecart.dev/kit/telemetry/metricstest"
	"sidecart.dev/orders"
)

func TestTheTableOfMetricsHasWhatIsRegistered(t *testing.T) {
	s := servicetest.Fake(t, "orders", servicetest.NewSidecar(t), nil)
	wire(s, Config{Limit: 10_000, DelayedAfter: time.Minute}, orders.DefaultCatalogue())
	servicetest.Start(t, s)
	metricstest.CheckTable(t, metricstest.Path, "orders", s.Metrics)
}
