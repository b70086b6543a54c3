package main

import (
	"testing"

	"sidecart.dev/kit/service/servicetest"
	"sidecart.dev/kit/telemetry/metricstest"
	"sidecart.dev/payments"
)

func TestTheTableOfMetricsHasWhatIsRegistered(t *testing.T) {
	s := servicetest.Fake(t, payments.App, servicetest.NewSidecar(t), nil)
	if err := wire(s, testSettings); err != nil {
		t.Fatal(err)
	}
	servicetest.Start(t, s)
	metricstest.CheckTable(t, metricstest.Path, payments.App, s.Metrics)
}
