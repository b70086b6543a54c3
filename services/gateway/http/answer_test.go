package http_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/web"
)

// TestAnAnswerThatBreaksOffIsNotPassedForAWholeOne has the service, or its sidecar, die in the middle of an answer.
func TestAnAnswerThatBreaksOffIsNotPassedForAWholeOne(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewServer(w.handler)
	defer server.Close()
	token := w.token(t, auth.Customer)
	for name, c := range map[string]struct {
		path, accept, body string
		status             int
	}{
		"a small answer":      {"/api/v1/orders", "identity", `{"items":[`, http.StatusOK},
		"a large answer":      {"/api/v1/orders", "identity", strings.Repeat("x", 100_000), http.StatusOK},
		"small, compressed":   {"/api/v1/orders", "gzip", `{"items":[`, http.StatusOK},
		"large, compressed":   {"/api/v1/orders", "gzip", strings.Repeat("x", 100_000), http.StatusOK},
		"a stream's refusal":  {events, "identity", `{"status":404`, http.StatusNotFound},
		"a service's refusal": {"/api/v1/orders/x", "identity", `{"status":404`, http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			w.answers(func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", web.ProblemType)
				rw.WriteHeader(c.status)
				_, _ = rw.Write([]byte(c.body))
				_ = http.NewResponseController(rw).Flush()
				panic(http.ErrAbortHandler)
			})
			req, err := http.NewRequest(http.MethodGet, server.URL+c.path, nil)
			require.NoError(t, err)
			req.Header.Set("Authorization", "Bearer "+token)
			req.Header.Set("Accept-Encoding", c.accept)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return // cut before anything of it was sent
			}
			defer resp.Body.Close()
			_, err = io.Copy(io.Discard, resp.Body)
			assert.Error(t, err, "the client sees that there should have been more")
		})
	}
}

// TestASuccessThatNoServiceGaveIsNotPassedOn plays what a sidecar may answer for a call whose connection to the service broke off.
func TestASuccessThatNoServiceGaveIsNotPassedOn(t *testing.T) {
	w := newWorld(t)
	w.answers(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Del(web.RequestIDHeader)
		rw.WriteHeader(http.StatusOK)
	})
	rec := w.ask(http.MethodPost, "/api/v1/orders", w.token(t, auth.Customer))
	assert.Equal(t, http.StatusServiceUnavailable, rec.Code, rec.Body.String())
	assert.Equal(t, "unavailable", code(t, rec))
}
