// Package acceptance proves from outside that a deployment does what the contract says.
//
// It tests the system at SIDECART_URL, with the inbox at SIDECART_INBOX_URL and the operator of
// SIDECART_OPERATOR_EMAIL and SIDECART_OPERATOR_PASSWORD. Without SIDECART_URL it starts one of its
// own, on free ports, from this checkout.
package acceptance

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"

	"sidecart.dev/acceptance/harness"
	"sidecart.dev/contracts/validate"
	"sidecart.dev/local/stack"
)

// world is the system under test; own is the stack behind it if this process started it.
var (
	world *harness.World
	own   *harness.System
)

func TestMain(m *testing.M) {
	code, err := runAll(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runAll(m *testing.M) (code int, err error) {
	ctx := context.Background()
	contract, err := validate.NewHTTP()
	if err != nil {
		return 1, err
	}
	wrap := func(base http.RoundTripper, onError func(error)) http.RoundTripper {
		return contract.RoundTripper(base, onError)
	}
	url, inbox := os.Getenv("SIDECART_URL"), os.Getenv("SIDECART_INBOX_URL")
	operator := harness.Login{Email: os.Getenv("SIDECART_OPERATOR_EMAIL"), Password: os.Getenv("SIDECART_OPERATOR_PASSWORD")}
	if url == "" {
		dir, err := os.MkdirTemp("", "sidecart-acceptance-")
		if err != nil {
			return 1, err
		}
		if own, err = harness.StartSystem(ctx, options(dir)); err != nil {
			return 1, err
		}
		defer func() {
			stop, cancel := context.WithTimeout(ctx, harness.Patience)
			defer cancel()
			if stopErr := own.Stop(stop); stopErr != nil && err == nil {
				err = stopErr
			}
			if code == 0 && err == nil {
				_ = os.RemoveAll(dir)
			} else {
				fmt.Fprintln(os.Stderr, "logs are in", filepath.Join(dir, "logs"))
			}
		}()
		url, inbox = own.GatewayURL, own.InboxURL
		operator = harness.Login{Email: own.OperatorEmail, Password: own.OperatorPassword}
	}
	world = &harness.World{API: harness.NewAPI(url, wrap), Inbox: harness.Inbox{Base: inbox}, Operator: operator}
	return m.Run(), nil
}

// options of the suite's own stack: on free ports, and with rate limits that a test suite does not
// run into.
func options(dir string) stack.Options {
	return stack.Options{
		File: "../../dapr.yaml", StateDir: dir, FreePorts: true,
		Env: map[string]string{
			"RATE_LIMIT_ADDRESS": "5000", "RATE_LIMIT_USER": "5000", "RATE_LIMIT_SENSITIVE": "1000",
			"FLOOD_UNVERIFIED_PER_HOUR": "0", "FLOOD_ORDERS_PER_HOUR": "0",
			"FLOOD_SMS_PREFIX_PER_HOUR": "0",
		},
	}
}

// inContract fails the test if any exchange since the last check broke the contract.
func inContract(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		for _, err := range world.API.Violations() {
			assert.NoError(t, err)
		}
	})
}
