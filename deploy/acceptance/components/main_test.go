// Package components tries the component sets as such: that any one component is swapped by one
// file, and what a person is told when a server behind one cannot be used at the start. What
// happens when it fails later is the recovery suite's.
package components

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/harness"
	"sidecart.dev/local/backends"
	"sidecart.dev/local/stack"
)

const root = "../../.."

var shared harness.Servers

func TestMain(m *testing.M) {
	code := m.Run()
	if err := shared.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// options are those of a stack of this checkout, on the servers, with orders on PostgreSQL wherever
// they are on a server at all.
func options(t *testing.T, b *backends.Backends) stack.Options {
	t.Helper()
	env := b.Env()
	env["SIDECART_ORDERS_DB"] = b.PostgreSQL.URL("orders")
	env["RATE_LIMIT_SENSITIVE"] = "1000"
	return stack.Options{File: root + "/dapr.yaml", StateDir: t.TempDir(), FreePorts: true, BinDir: os.Getenv("SIDECART_BIN"), Env: env}
}

func stop(t *testing.T, st *stack.Stack) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	defer cancel()
	require.NoError(t, st.Stop(ctx))
}

// carriesAnOrder takes one order from the customer's registration to the receipt.
func carriesAnOrder(t *testing.T, st *stack.Stack) {
	t.Helper()
	world := &harness.World{API: harness.NewAPI(st.GatewayURL, nil), Inbox: harness.Inbox{Base: st.InboxURL}}
	customer, number := world.NewReachableCustomer(t)
	preferences := map[string]any{"preferences": map[string]any{"sms": map[string]bool{"payments": true}}}
	customer.Must(t, 200, "PATCH", "/api/v1/users/me", preferences, nil)
	var products harness.List[harness.Product]
	harness.Must(t, world.API, 200, "GET", "/api/v1/products", nil, &products)
	order := customer.Place(t, products.Items[0].ID, "tok_visa")
	customer.AwaitStatus(t, order.ID, "paid")
	world.AwaitMail(t, customer.Email, func(m harness.Mail) bool { return strings.HasPrefix(m.Subject, "Your receipt for order ") })
	harness.Eventually(t, func(ctx context.Context) error {
		texts, err := world.Inbox.SMS(ctx, number)
		for _, text := range texts {
			if strings.Contains(text.Body, order.ID) {
				return nil
			}
		}
		return fmt.Errorf("no SMS about %s: %w", order.ID, err)
	})
}
