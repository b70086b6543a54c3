package http_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/auth"
)

// TestNoSpellingOfAPathReachesTheSidecar writes requests onto the connection as no client library
// would.
func TestNoSpellingOfAPathReachesTheSidecar(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewServer(w.handler)
	defer server.Close()
	token := "Authorization: Bearer " + w.token(t, auth.Operator) + "\r\n"
	get := func(target string, extra ...string) string {
		return "GET " + target + " HTTP/1.1\r\nHost: shop\r\n" + token + strings.Join(extra, "") + "Connection: close\r\n\r\n"
	}
	requests := map[string]string{
		"dots":                      get("/api/v1/orders/../../../v1.0/metadata"),
		"encoded dots":              get("/api/v1/orders/%2e%2e/%2e%2e/v1.0/metadata"),
		"encoded slashes":           get("/api/v1/orders/..%2f..%2f..%2fv1.0%2fmetadata"),
		"double encoding":           get("/api/v1/orders/%252e%252e%252fv1.0"),
		"double slashes":            get("//v1.0/metadata"),
		"double slashes inside":     get("/api//v1/orders"),
		"backslashes":               get(`/api/v1/orders/..\..\v1.0`),
		"absolute form":             get("http://127.0.0.1:3500/v1.0/metadata"),
		"absolute form, other host": get("http://users/internal/contacts"),
		"a null byte":               get("/api/v1/orders/%00"),
		"a semicolon":               get("/api/v1/orders;/../v1.0/metadata"),
		"authority":                 "CONNECT 127.0.0.1:3500 HTTP/1.1\r\nHost: 127.0.0.1:3500\r\n\r\n",
		"an upgrade":                get("/v1.0/metadata", "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"),
		"two lengths":               "POST /api/v1/orders HTTP/1.1\r\nHost: shop\r\n" + token + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
		"length and chunks":         "POST /v1.0/publish/bus/orders HTTP/1.1\r\nHost: shop\r\n" + token + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n",
		"unknown coding":            "POST /api/v1/orders HTTP/1.1\r\nHost: shop\r\n" + token + "Transfer-Encoding: gzip\r\n\r\n{}",
		"a huge header":             get("/api/v1/orders", "X-Long: "+strings.Repeat("x", 2<<20)+"\r\n"),
		"no host":                   "GET /v1.0/metadata HTTP/1.1\r\n\r\n",
		"not HTTP":                  "\x16\x03\x01\x02\x00",
	}
	for name, raw := range requests {
		t.Run(name, func(t *testing.T) {
			status := send(t, server.Listener.Addr().String(), raw)
			assert.Contains(t, []int{0, 400, 404, 405, 431, 501}, status)
			for _, r := range w.took() {
				assert.Equal(t, "/api/v1/orders", r.URL.Path, "nothing but what the request names plainly")
			}
		})
	}
}

// send writes a request and returns the answer's status, 0 if the connection was only closed.
func send(t *testing.T, addr, raw string) int {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	go func() {
		_, _ = io.WriteString(conn, raw)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}
