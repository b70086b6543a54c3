package daprclient_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar/daprclient"
	"sidecart.dev/kit/web"
)

// TestAnEmptySuccessThatTheServiceDidNotGiveIsAFailure plays what a sidecar may answer for a call
// that broke off.
func TestAnEmptySuccessThatTheServiceDidNotGiveIsAFailure(t *testing.T) {
	marked := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if marked {
			w.Header().Set(web.RequestIDHeader, "r1")
		}
		w.WriteHeader(http.StatusOK)
	}))
	defer server.Close()
	addr := strings.TrimPrefix(server.URL, "http://")
	client, err := daprclient.Dial(daprclient.Config{HTTPAddr: addr})
	require.NoError(t, err)
	defer client.Close()
	ask := func() error {
		path := "/internal/payments/lookup"
		return client.Caller(nil).Call(t.Context(), "payments", http.MethodPost, path, nil, nil)
	}
	err = ask()
	assert.True(t, fault.Is(err, fault.Unavailable), "got %v", err)
	marked = true
	assert.NoError(t, ask())
}
