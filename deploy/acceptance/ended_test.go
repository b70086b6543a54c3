package acceptance

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/harness"
)

// change is something that a session may do as long as it goes on.
type change struct {
	name, app, method, path string
	body                    any
}

func customersChanges(product harness.Product, orderID string) []change {
	return []change{
		{"order", "orders", http.MethodPost, "/api/v1/orders", map[string]any{
			"items": []harness.Item{{ProductID: product.ID, Quantity: 1}}, "payment_method": "tok_declined",
		}},
		{"cancel", "orders", http.MethodPost, "/api/v1/orders/" + orderID + "/cancel", nil},
		{"change the profile", "users", http.MethodPatch, "/api/v1/users/me", map[string]any{"name": "Ada Changed"}},
		{"confirm a number", "users", http.MethodPost, "/api/v1/users/me/phone/confirm", map[string]any{"code": "000000"}},
	}
}

// ways to a service: through the gateway, and, where the suite started the system, to the service
// itself, which must not rely on the gateway's judgement.
func ways(t *testing.T, app string) map[string]*harness.API {
	t.Helper()
	all := map[string]*harness.API{"through the gateway": world.API}
	if own != nil {
		info, err := own.App(app)
		require.NoError(t, err)
		all["at "+app+" itself"] = harness.NewAPI(info.URL, func(base http.RoundTripper, _ func(error)) http.RoundTripper {
			return withHeader{base, "dapr-api-token", info.AppToken}
		})
	}
	return all
}

type withHeader struct {
	http.RoundTripper
	name, value string
}

// RoundTrip implements http.RoundTripper.
func (w withHeader) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(w.name, w.value)
	return w.RoundTripper.RoundTrip(r)
}

// do makes a change with an access token and returns the status.
func (c change) do(ctx context.Context, api *harness.API, token string) (int, error) {
	answer, err := api.Do(ctx, c.method, c.path, c.body, harness.Token(token), harness.Key(uuid.NewString()))
	return answer.Status, err
}

func (c change) refused(t *testing.T, token string) {
	t.Helper()
	for way, api := range ways(t, c.app) {
		harness.Eventually(t, func(ctx context.Context) error {
			status, err := c.do(ctx, api, token)
			if err == nil && status != http.StatusUnauthorized {
				err = fmt.Errorf("%s, %s: %d with the access token of a session that has ended", c.name, way, status)
			}
			return err
		})
		status, err := c.do(t.Context(), api, token)
		require.NoError(t, err)
		assert.Equal(t, http.StatusUnauthorized, status, "%s, %s: it was refused only for a moment", c.name, way)
	}
}

// However a session ends, its access token changes nothing any more, at any service.
func TestAnEndedSessionChangesNothingAnywhere(t *testing.T) {
	inContract(t)
	product := firstProduct(t)
	for name, end := range map[string]func(t *testing.T, c *harness.Customer){
		"the account was deleted": func(t *testing.T, c *harness.Customer) {
			c.Must(t, http.StatusNoContent, http.MethodDelete, "/api/v1/users/me", nil, nil)
		},
		"it was logged out": func(t *testing.T, c *harness.Customer) {
			c.Must(t, http.StatusNoContent, http.MethodDelete, "/api/v1/sessions", nil, nil)
		},
		"another session logged out everywhere": func(t *testing.T, c *harness.Customer) {
			world.LogIn(t, c.Login).Must(t, http.StatusNoContent, http.MethodDelete, "/api/v1/sessions?all=true", nil, nil)
		},
		"the password was reset": func(t *testing.T, c *harness.Customer) {
			resetPassword(t, c.Email, "entirely different words")
		},
		"a stranger proved the address": func(t *testing.T, c *harness.Customer) {
			harness.Must(t, world.API, http.StatusNoContent, http.MethodPost, "/api/v1/users/verify",
				map[string]string{"token": mailedToken(t, c.Email, "confirm your e-mail")}, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			customer := world.NewCustomer(t)
			order := customer.Place(t, product.ID, "tok_declined")
			changes := customersChanges(product, order.ID)
			for _, c := range changes {
				status, err := c.do(t.Context(), world.API, customer.AccessToken)
				require.NoError(t, err)
				require.NotEqual(t, http.StatusUnauthorized, status, "%s: refused before the end", c.name)
			}
			end(t, customer)
			for _, c := range changes {
				c.refused(t, customer.AccessToken)
			}
		})
	}
}

// The session that a password is changed in is the only one that lives on, with the access token it
// has.
func TestTheSessionThatAPasswordIsChangedInGoesOn(t *testing.T) {
	inContract(t)
	product := firstProduct(t)
	customer := world.NewCustomer(t)
	order := customer.Place(t, product.ID, "tok_declined")
	elsewhere := world.LogIn(t, customer.Login)
	customer.Must(t, http.StatusNoContent, http.MethodPut, "/api/v1/users/me/password", map[string]string{
		"current_password": customer.Password, "new_password": "entirely different words",
	}, nil)
	changes := customersChanges(product, order.ID)
	for _, c := range changes {
		c.refused(t, elsewhere.AccessToken) // now every service has heard of the change
	}
	for _, c := range changes {
		for way, api := range ways(t, c.app) {
			status, err := c.do(t.Context(), api, customer.AccessToken)
			require.NoError(t, err)
			assert.NotEqual(t, http.StatusUnauthorized, status, "%s, %s", c.name, way)
		}
	}
}

func TestAnOperatorWhoLoggedOutRefundsNothing(t *testing.T) {
	inContract(t)
	customer := world.NewCustomer(t)
	order := customer.Place(t, firstProduct(t).ID, "tok_visa")
	customer.AwaitStatus(t, order.ID, "paid")
	var payments harness.List[harness.Payment]
	customer.Must(t, http.StatusOK, http.MethodGet, "/api/v1/payments?order_id="+order.ID, nil, &payments)
	require.Len(t, payments.Items, 1)
	operator := world.LogIn(t, world.Operator)
	operator.Must(t, http.StatusNoContent, http.MethodDelete, "/api/v1/sessions", nil, nil)
	money := map[string]any{"amount": harness.Money{Amount: 1, Currency: order.Total.Currency}, "reason": "none"}
	for _, c := range []change{
		{"refund", "payments", http.MethodPost, "/api/v1/payments/" + payments.Items[0].ID + "/refunds", money},
		{"end a product", "orders", http.MethodDelete, "/api/v1/admin/products/never-made", nil},
		{"replay a dead letter", "notifications", http.MethodPost, "/api/v1/admin/dead-letters/notifications.none/replay", nil},
	} {
		c.refused(t, operator.AccessToken)
	}
}
