package acceptance

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"sidecart.dev/acceptance/harness"
)

// TestAnOrderSurvivesTheDeathOf kills each process of the system right after an order was
// acknowledged.
func TestAnOrderSurvivesTheDeathOf(t *testing.T) {
	if own == nil {
		t.Skip("only processes this suite started are killed")
	}
	victims := map[string]func(app string) error{"app": own.KillApp, "sidecar": own.KillSidecar}
	for _, app := range []string{"gateway", "users", "orders", "payments", "notifications"} {
		for kind, kill := range victims {
			t.Run(app+"'s "+kind, func(t *testing.T) {
				customer, product := world.NewCustomer(t), firstProduct(t)
				order := customer.Place(t, product.ID, "tok_visa")
				if err := kill(app); err != nil {
					t.Fatal(err)
				}
				customer.AwaitStatus(t, order.ID, "paid")
				awaitAll(t, customer)
			})
		}
	}
}

// awaitAll waits until every service answers again. For a moment after a death the gateway's
// circuit breaker may still be open.
func awaitAll(t *testing.T, c *harness.Customer) {
	t.Helper()
	for _, path := range []string{"/api/v1/users/me", "/api/v1/orders", "/api/v1/payments?order_id=ord_1", "/api/v1/notifications"} {
		harness.Eventually(t, func(ctx context.Context) error {
			answer, err := world.API.Do(ctx, http.MethodGet, path, nil, harness.Token(c.AccessToken))
			if err == nil && answer.Status != http.StatusOK {
				err = fmt.Errorf("GET %s answered %d", path, answer.Status)
			}
			return err
		})
	}
}
