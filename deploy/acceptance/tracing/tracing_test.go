// Package tracing looks at the traces of a running system: whether an order's is complete, from the
// request to the mail; whether work that is taken up again leads back to it; and that nothing
// personal stands in any span.
package tracing

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/harness"
	"sidecart.dev/local/stack"
)

const root = "../../.."

// world is a system that sends its spans to a receiver.
type world struct {
	*harness.World
	*receiver
	system  *harness.System
	product string
}

// TestTracing has one system for all its parts, because starting one takes longer than they do.
func TestTracing(t *testing.T) {
	w := start(t)
	t.Run("the trace of an order is complete", w.orderIsTraced)
	t.Run("orders of the same moment keep to their own traces", w.ordersKeepApart)
	t.Run("what is taken up again leads back to the order", w.resumedWorkLeadsBack)
	t.Run("problems and log lines name the trace", w.problemsAndLogsNameTheTrace)
	t.Run("nothing personal stands in a span", w.nothingPersonalIsTraced)
}

func start(t *testing.T) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "sidecart-tracing-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o711)) //nolint:gosec // PostgreSQL may run as another user
	t.Cleanup(func() {
		if !t.Failed() {
			_ = os.RemoveAll(dir)
		}
	})
	receiver, addr := startReceiver(t)
	system, err := harness.StartSystem(t.Context(), stack.Options{
		File: root + "/dapr.yaml", StateDir: dir, FreePorts: true,
		Env: map[string]string{
			"OTEL_EXPORTER_OTLP_ENDPOINT": "http://" + addr, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
			"OTEL_EXPORTER_OTLP_INSECURE": "true",
			"OTEL_BSP_SCHEDULE_DELAY":     "200", "LOG_FORMAT": "json",
			"RATE_LIMIT_ADDRESS": "5000", "RATE_LIMIT_USER": "5000", "RATE_LIMIT_SENSITIVE": "1000",
			"FLOOD_ORDERS_PER_HOUR": "0", "FLOOD_UNVERIFIED_PER_HOUR": "0",
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
		defer cancel()
		if err := system.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	w := &world{
		World: &harness.World{
			API:      harness.NewAPI(system.GatewayURL, nil),
			Inbox:    harness.Inbox{Base: system.InboxURL},
			Operator: harness.Login{Email: system.OperatorEmail, Password: system.OperatorPassword},
		},
		receiver: receiver, system: system,
	}
	var products harness.List[harness.Product]
	harness.Must(t, w.API, 200, "GET", "/api/v1/products", nil, &products)
	w.product = products.Items[0].ID
	return w
}

// isReceipt picks the mail about a payment.
func isReceipt(m harness.Mail) bool {
	return strings.HasPrefix(m.Subject, "Your receipt for order ")
}
