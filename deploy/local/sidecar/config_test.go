package main

import (
	"reflect"
	"slices"
	"testing"

	"github.com/dapr/dapr/cmd/daprd/options"
	"github.com/dapr/kit/logger"
)

// TestEveryFlagReachesTheRuntime fails when a new version of Dapr has a setting
// that runtimeConfig does not map: with all flags given, no field stays zero but
// those that the caller of runtimeConfig sets, and a hook of Dapr's own tests.
func TestEveryFlagReachesTheRuntime(t *testing.T) {
	opts, err := options.New([]string{
		"--app-id", "a", "--app-port", "1", "--app-ssl", "--app-max-concurrency", "2",
		"--enable-app-health-check", "--app-health-check-path", "/x", "--app-health-threshold", "3",
		"--config", "c", "--resources-path", "r", "--components-path", "p", "--disable-init-endpoints", "config",
		"--disable-builtin-k8s-secret-store", "--dapr-internal-grpc-port", "4", "--dapr-public-port", "5",
		"--dapr-internal-grpc-listen-address", "127.0.0.1", "--dapr-public-listen-address", "127.0.0.1",
		"--unix-domain-socket", "/s", "--enable-api-logging", "--enable-profiling",
		"--dapr-block-shutdown-duration", "1s", "--control-plane-address", "c", "--sentry-address", "s",
		"--enable-mtls", "--placement-host-address", "h:1", "--reminders-service", "r:x", "--scheduler-host-address", "h:2",
		"--allowed-origins", "*", "--dapr-listen-addresses", "127.0.0.1",
		"--hot-reload-reconcile-interval", "1s",
	})
	if err != nil {
		t.Fatal(err)
	}
	callers := []string{"Registry", "Security", "Healthz", "WorkflowEventSink"}
	cfg := reflect.ValueOf(*runtimeConfig(opts, logger.NewLogger("test")))
	for i := range cfg.NumField() {
		field := cfg.Type().Field(i)
		if field.IsExported() && !slices.Contains(callers, field.Name) && cfg.Field(i).IsZero() {
			t.Errorf("runtime.Config.%s is not set", field.Name)
		}
	}
}
