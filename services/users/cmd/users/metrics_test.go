package main

import (
	"testing"

	"sidecart.dev/kit/telemetry/metricstest"
)

func TestTheTableOfMetricsHasWhatIsRegistered(t *testing.T) {
	r := start(t)
	metricstest.CheckTable(t, metricstest.Path, "users", r.service.Metrics)
}
