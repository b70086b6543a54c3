package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"

	"github.com/google/uuid"
)

// Refusals makes a listener whose server answers like the handlers behind it also where it refuses
// a request before any handler sees it: a broken escape in the address, two lengths, headers that
// are too large, an expectation it does not know. net/http writes those answers itself, without a
// request id, and leaves no other place to replace them but the connection. No handler may answer
// 417 itself.
func Refusals(listener net.Listener) net.Listener { return refusing{listener} }

type refusing struct{ net.Listener }

// Accept implements [net.Listener].
func (l refusing) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &refusingConn{Conn: conn}, nil
}

type refusingConn struct{ net.Conn }

// canned is how net/http's own refusals go on behind the status line. Every answer of a handler has
// a Date instead.
var canned = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

// expectation is how net/http's answer to an unknown Expect header begins. It is written like that
// of a handler, with a Date.
var expectation = []byte("HTTP/1.1 417 Expectation Failed")

// Write implements [net.Conn]. net/http writes a refusal in one piece.
func (c *refusingConn) Write(p []byte) (int, error) {
	line, _, found := bytes.Cut(p, canned)
	if !found && bytes.HasPrefix(p, expectation) {
		line, found = expectation, true
	}
	if !found || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) || bytes.ContainsAny(line, "\r\n") {
		return c.Conn.Write(p)
	}
	status, err := strconv.Atoi(string(line[9:min(12, len(line))]))
	if err != nil {
		return c.Conn.Write(p)
	}
	if _, err := c.Conn.Write(refusal(status)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func refusal(status int) []byte {
	code, detail := "invalid_request", "The request is not well-formed HTTP."
	switch status {
	case http.StatusRequestHeaderFieldsTooLarge:
		code, detail = "headers_too_large", "Address and headers together are too large."
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported, http.StatusExpectationFailed:
		detail = "The request asks for something of HTTP that this server does not have."
	}
	body, _ := json.Marshal(Problem{ //nolint:errchkjson // strings and a number
		Type: "https://sidecart.dev/problems/" + code, Title: http.StatusText(status), Status: status,
		Detail: detail, Code: code,
	})
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n"+
		"Cache-Control: no-store\r\n"+
		"X-Content-Type-Options: nosniff\r\n%s: %s\r\nConnection: close\r\n\r\n%s",
		status, http.StatusText(status), ProblemType, len(body), RequestIDHeader, uuid.NewString(), body)
}
