package web_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/web"
)

// serve starts a server as a service does, with one address: /a/{id}, where the id is a-b or has an
// escaped slash.
func serve(t *testing.T) string {
	t.Helper()
	r := mux.NewRouter()
	r.UseEncodedPath()
	r.SkipClean(true)
	r.NotFoundHandler = web.NotFound
	r.Handle("/a/{id}", web.Handler(func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("X-Id", mux.Vars(r)["id"])
		return web.WriteJSON(w, http.StatusOK, map[string]string{"id": mux.Vars(r)["id"]})
	})).Methods(http.MethodGet)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{Handler: web.Resources(r), ReadHeaderTimeout: time.Second, MaxHeaderBytes: 4 << 10}
	go func() { _ = server.Serve(web.Refusals(listener)) }()
	t.Cleanup(func() { _ = server.Close() })
	return listener.Addr().String()
}

func TestHEADIsAnsweredWhereverGETIs(t *testing.T) {
	base := "http://" + serve(t)
	got, err := http.Get(base + "/a/b") //nolint:noctx // of a test
	require.NoError(t, err)
	defer got.Body.Close()
	head, err := http.Head(base + "/a/b") //nolint:noctx // of a test
	require.NoError(t, err)
	defer head.Body.Close()
	for _, h := range []http.Header{got.Header, head.Header} {
		h.Del("Date")
	}
	assert.Equal(t, got.StatusCode, head.StatusCode)
	assert.Equal(t, got.Header, head.Header)
	body, err := io.ReadAll(head.Body)
	require.NoError(t, err)
	assert.Empty(t, body)
}

func TestAddressesThatAreEqualAreTheSameResource(t *testing.T) {
	base := "http://" + serve(t)
	for path, id := range map[string]string{
		"/a/x-y": "x-y", "/a/x%2Dy": "x-y", "/a/x%2dy": "x-y", "/%61/%78-y": "x-y", "/a/%7Ex": "~x",
		"/a/x%2fy": "x%2Fy", "/a/x%2Fy": "x%2Fy", "/a/%e2%82%ac": "%E2%82%AC",
	} {
		resp, err := http.Get(base + path) //nolint:noctx // of a test
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, http.StatusOK, resp.StatusCode, path)
		assert.Equal(t, id, resp.Header.Get("X-Id"), path)
	}
}

// What net/http refuses by itself is answered like everything else.
func TestARequestThatNoHandlerSeesIsAProblem(t *testing.T) {
	addr := serve(t)
	for name, c := range map[string]struct {
		raw    string
		status int
		code   string
	}{
		"a broken escape":   {"GET /a/%zz HTTP/1.1\r\nHost: shop\r\n\r\n", 400, "invalid_request"},
		"no host":           {"GET /a/b HTTP/1.1\r\n\r\n", 400, "invalid_request"},
		"two lengths":       {"POST /a/b HTTP/1.1\r\nHost: shop\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400, "invalid_request"},
		"a huge header":     {"GET /a/b HTTP/1.1\r\nHost: shop\r\nX: " + strings.Repeat("x", 20<<10) + "\r\n\r\n", 431, "headers_too_large"},
		"an unknown coding": {"POST /a/b HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: br\r\n\r\n", 501, "invalid_request"},
		"no HTTP":           {"hello\r\n\r\n", 400, "invalid_request"},
		"an expectation":    {"POST /a/b HTTP/1.1\r\nHost: shop\r\nExpect: foo\r\nContent-Length: 1\r\n\r\nx", 417, "invalid_request"},
	} {
		conn, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
		_, err = io.WriteString(conn, c.raw)
		require.NoError(t, err)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err, name)
		var p web.Problem
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(body, &p), "%s: %s", name, body)
		assert.Equal(t, c.status, resp.StatusCode, name)
		assert.Equal(t, c.code, p.Code, name)
		assert.Equal(t, c.status, p.Status, name)
		assert.Equal(t, web.ProblemType, resp.Header.Get("Content-Type"), name)
		assert.NotEmpty(t, resp.Header.Get(web.RequestIDHeader), name)
		conn.Close()
	}
}

// A handler may say what the server's own refusals say, and is left alone.
func TestAnAnswerOfAHandlerIsNotRewritten(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		http.Error(w, "400 Bad Request", http.StatusBadRequest)
	}))
	server.Listener = web.Refusals(server.Listener)
	server.Start()
	defer server.Close()
	resp, err := http.Get(server.URL) //nolint:noctx // of a test
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Equal(t, "400 Bad Request\n", string(body))
}
