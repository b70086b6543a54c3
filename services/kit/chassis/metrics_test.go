package chassis_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/chassis"
)

// The metrics of a shop tell its rivals what it sells, and stand on its public port.
func TestMetricsAreForWhoeverHasTheToken(t *testing.T) {
	for _, c := range []struct {
		token, header string
		status        int
	}{
		{"", "", 404},
		{"", "Bearer ", 404},
		{"secret", "", 401},
		{"secret", "Bearer wrong", 401},
		{"secret", "secret", 401},
		{"secret", "Bearer secret", 200},
	} {
		service, err := chassis.New(t.Context(), "test", chassis.Config{
			Port: 1, DaprHTTPPort: "1", DaprGRPCPort: "1", LogLevel: "error", LogFormat: "text",
			DrainTimeout: time.Second, Timeout: time.Second, MetricsToken: c.token,
		})
		require.NoError(t, err)
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", nil)
		if c.header != "" {
			r.Header.Set("Authorization", c.header)
		}
		service.Handler().ServeHTTP(w, r)
		assert.Equal(t, c.status, w.Code, "token %q, header %q", c.token, c.header)
		if c.status != http.StatusOK {
			assert.NotContains(t, w.Body.String(), "http_server_request_duration_seconds")
		}
	}
}
