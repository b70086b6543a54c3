package acceptance

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/harness"
)

// TestNothingPersonalIsLoggedOrPublished reads what the tests before it made the system write.
// Tests run in the order of their files, so it sees most of the suite; and it makes one customer of
// its own for when it runs alone.
func TestNothingPersonalIsLoggedOrPublished(t *testing.T) {
	if own == nil {
		t.Skip("only logs of a stack this suite started can be read")
	}
	customer := world.NewCustomer(t, func(form map[string]any) { form["phone"] = "+4915112345678" })
	order := customer.Place(t, firstProduct(t).ID, "tok_visa")
	customer.AwaitStatus(t, order.ID, "paid")
	world.AwaitMail(t, customer.Email, func(harness.Mail) bool { return true })

	logs, err := filepath.Glob(filepath.Join(own.LogsDir, "*.log"))
	require.NoError(t, err)
	require.NotEmpty(t, logs)
	for _, path := range logs {
		if filepath.Base(path) == "inbox.log" {
			continue // the inbox stands in for the customer
		}
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		for lines := bufio.NewScanner(bytes.NewReader(raw)); lines.Scan(); {
			assertClean(t, filepath.Base(path), lines.Text())
			for _, secret := range own.Secrets() {
				assert.NotContains(t, lines.Text(), secret, "%s has what only a sidecar may know", filepath.Base(path))
			}
		}
	}
	client, err := own.BusClient()
	require.NoError(t, err)
	defer client.Close()
	for _, topic := range []string{"orders", "payments", "users"} {
		messages, err := client.XRange(context.Background(), topic, "-", "+").Result()
		require.NoError(t, err)
		for _, m := range messages {
			data, _ := m.Values["data"].(string)
			assertClean(t, "topic "+topic, data)
		}
	}
}

func assertClean(t *testing.T, where, text string) {
	t.Helper()
	if what := harness.PersonalIn(text); what != "" {
		assert.Fail(t, "not clean", "%s has %s: %.300s", where, what, text)
	}
}
