package http_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/gateway"
	"sidecart.dev/kit/web"
)

// reads answers when it has read the request's body.
func reads(rw http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	_, _ = rw.Write([]byte("{}"))
}

// dial writes the beginning of a request to a server of the gateway. Both sides are closed when the
// test ends.
func (w *world) dial(t *testing.T, raw string) *net.TCPConn {
	t.Helper()
	server := httptest.NewServer(w.handler)
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = io.WriteString(conn, raw)
	require.NoError(t, err)
	return conn.(*net.TCPConn)
}

// answered reads an answer from a connection.
func answered(t *testing.T, conn net.Conn) *httptest.ResponseRecorder {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	rec := httptest.NewRecorder()
	rec.Code = resp.StatusCode
	for name, values := range resp.Header {
		rec.Header()[name] = values
	}
	_, err = io.Copy(rec.Body, resp.Body)
	require.NoError(t, err)
	return rec
}

const unfinished = "POST /api/v1/sessions HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"

// TestNoClientMakesAServiceLookDown does more often than a breaker forgives what a client can do
// wrong, and then asks properly.
func TestNoClientMakesAServiceLookDown(t *testing.T) {
	wrong := map[string]func(t *testing.T, w *world){
		"a body without an announced length that is too large": func(t *testing.T, w *world) {
			rec := w.ask(http.MethodPost, "/api/v1/sessions", "", func(r *http.Request) {
				r.Body, r.ContentLength = io.NopCloser(strings.NewReader(strings.Repeat("x", web.MaxBody+1))), -1
			})
			assert.Equal(t, http.StatusRequestEntityTooLarge, rec.Code)
			assert.Equal(t, "body_too_large", code(t, rec))
		},
		"a body that is cut off": func(t *testing.T, w *world) {
			conn := w.dial(t, unfinished)
			require.NoError(t, conn.CloseWrite())
			rec := answered(t, conn)
			assert.Equal(t, http.StatusBadRequest, rec.Code)
			assert.Equal(t, "invalid_request", code(t, rec))
		},
		"a body that does not arrive": func(t *testing.T, w *world) {
			rec := answered(t, w.dial(t, unfinished)) // it would never come if the answer waited for the body
			assert.Equal(t, http.StatusBadRequest, rec.Code)
			assert.Equal(t, "invalid_request", code(t, rec))
			assert.Contains(t, rec.Body.String(), "did not arrive in time")
		},
		"a client that leaves": func(_ *testing.T, w *world) {
			w.ask(http.MethodGet, "/.well-known/jwks.json", "", func(r *http.Request) {
				ctx, leave := context.WithCancel(r.Context())
				leave()
				*r = *r.WithContext(ctx)
			})
		},
		"a request that the sidecar refuses": func(t *testing.T, w *world) {
			rec := w.ask(http.MethodPost, "/api/v1/users/verify", "")
			assert.Equal(t, http.StatusServiceUnavailable, rec.Code, "what the sidecar says is not shown")
			assert.Equal(t, "unavailable", code(t, rec))
		},
	}
	for name, do := range wrong {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(cfg *gateway.Config) {
				if name == "a body that does not arrive" {
					cfg.Timeout = 200 * time.Millisecond
				}
			})
			w.answers(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/api/v1/users/verify" {
					rw.WriteHeader(http.StatusForbidden)
					return
				}
				reads(rw, r)
			})
			for range 6 {
				do(t, w)
			}
			rec := w.ask(http.MethodGet, "/.well-known/jwks.json", "")
			assert.NotEqual(t, http.StatusServiceUnavailable, rec.Code, "the service is still asked: %s", rec.Body)
		})
	}
}

func TestAServiceThatIsTooSlowIsATimeoutAndLeftAlone(t *testing.T) {
	w := newWorld(t, func(cfg *gateway.Config) { cfg.Timeout = 50 * time.Millisecond })
	w.answers(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	for range 5 {
		rec := w.ask(http.MethodPost, "/api/v1/sessions", "")
		assert.Equal(t, http.StatusGatewayTimeout, rec.Code)
		assert.Equal(t, "timeout", code(t, rec))
	}
	w.took()
	assert.Equal(t, "unavailable", code(t, w.ask(http.MethodPost, "/api/v1/sessions", "")))
	assert.Empty(t, w.took())
}

func TestABodyThatIsAnnouncedTooLargeIsNotSent(t *testing.T) {
	w := newWorld(t)
	w.answers(reads)
	conn := w.dial(t, fmt.Sprintf("POST /api/v1/sessions HTTP/1.1\r\nHost: shop\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", web.MaxBody+1))
	rec := answered(t, conn)
	assert.Equal(t, http.StatusRequestEntityTooLarge, rec.Code, "instead of 100 Continue")
	assert.Equal(t, "body_too_large", code(t, rec))
	assert.Empty(t, w.took())
}
