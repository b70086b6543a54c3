package payments_test

import (
	"context"
	"log/slog"
	"os"
	"testing"

	"sidecart.dev/kit/telemetry"
)

// TestMain makes traces, as every event carries one, and keeps expected failures out of the output.
func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	if _, err := telemetry.StartTracing(context.Background(), "payments", telemetry.Tracing{}); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
