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
	client, err := daprclient.Dial(daprclient.Config{HTTPAddr: strings.TrimPrefix(server.URL, "http://")})
	require.NoError(t, err)
	defer client.Close()
	caller := client.Caller(nil)
	err = caller.Call(t.Context(), "payments", http.MethodPost, "/internal/payments/lookup", nil, nil)
	assert.True(t, fault.Is(err, fault.Unavailable), "got %v", err)
	marked = true
	assert.NoError(t, caller.Call(t.Context(), "payments", http.MethodPost, "/internal/payments/lookup", nil, nil))
}
