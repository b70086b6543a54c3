package main

import (
	"testing"

	"sidecart.dev/gateway"
	"sidecart.dev/kit/chassis"
	"sidecart.dev/kit/config"
	"sidecart.dev/kit/telemetry/metricstest"
)

func TestTheTableOfMetricsHasWhatIsRegistered(t *testing.T) {
	for _, port := range []string{"APP_PORT", "DAPR_HTTP_PORT", "DAPR_GRPC_PORT"} {
		t.Setenv(port, "1") // nothing is listened on or called
	}
	var cfg gateway.Config
	if err := config.Load(&cfg); err != nil {
		t.Fatal(err)
	}
	c, err := chassis.New(t.Context(), "gateway", cfg.Config)
	if err != nil {
		t.Fatal(err)
	}
	if err := wire(c, cfg, nil); err != nil {
		t.Fatal(err)
	}
	metricstest.CheckTable(t, metricstest.Path, "gateway", c.Metrics)
}
