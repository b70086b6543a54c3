package acceptance

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAServiceAnswersOnlyItsSidecar goes to the apps' own ports, as a process inside the network
// could.
func TestAServiceAnswersOnlyItsSidecar(t *testing.T) {
	if own == nil {
		t.Skip("needs a stack this suite started")
	}
	customer := world.NewCustomer(t)
	paths := map[string][]string{
		"users":         {"/api/v1/users/me", "/internal/contacts"},
		"orders":        {"/api/v1/orders", "/api/v1/admin/dead-letters", "/internal/orders/lookup", "/internal/orders/accepted", "/events/payments"},
		"payments":      {"/api/v1/payments?order_id=ord_1", "/api/v1/admin/ledger", "/internal/payments/lookup", "/internal/payments/accepted", "/events/orders"},
		"notifications": {"/api/v1/notifications", "/internal/notifications/accepted", "/events/orders", "/dead-letters"},
	}
	for app, list := range paths {
		info, err := own.App(app)
		require.NoError(t, err)
		for _, path := range list {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				withUser := map[string]string{"Authorization": "Bearer " + customer.AccessToken}
				status, _ := direct(t, method, info.URL+path, withUser)
				assert.Contains(t, []int{401, 404, 405}, status, "%s %s %s without the app token", app, method, path)
				status, body := direct(t, method, info.URL+path, map[string]string{"dapr-api-token": info.AppToken})
				if path[:7] != "/events" && path != "/dead-letters" {
					assert.Contains(t, []int{401, 404, 405}, status, "%s %s %s with the app token but no user: %s", app, method, path, body)
				}
				withBoth := map[string]string{"dapr-api-token": info.AppToken, "Authorization": "Bearer " + customer.AccessToken}
				if path[:9] == "/internal" {
					status, _ = direct(t, method, info.URL+path, withBoth)
					assert.Contains(t, []int{401, 403, 404, 405}, status, "%s %s %s as a user", app, method, path)
				}
			}
		}
		status, _ := direct(t, http.MethodGet, info.SidecarURL+"/v1.0/metadata", nil)
		assert.Equal(t, http.StatusUnauthorized, status, "the sidecar of %s asks for its token", app)
	}
}

func direct(t *testing.T, method, url string, header map[string]string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}
