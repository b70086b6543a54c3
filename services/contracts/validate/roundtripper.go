package validate

import (
	"bytes"
	"io"
	"net/http"
)

// RoundTripper wraps a client's transport (nil is http.DefaultTransport) so
// that every request and every answer is checked against the contract. What
// breaks it is given to onError, and the exchange goes on as if nothing were
// wrong; onError may be called from several goroutines at once, for an event
// stream also after RoundTrip has returned, from the goroutine that reads it.
//
// A request with the header [ExpectInvalid] "true" is not checked itself. Other
// answers than 2xx to paths or methods that are not in the contract must be
// problems. Bodies are read whole, except event streams, whose events are
// checked as they are read; a body that is still compressed is not looked at.
func (h *HTTP) RoundTripper(base http.RoundTripper, onError func(error)) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &roundTripper{http: h, base: base, onError: onError}
}

type roundTripper struct {
	http    *HTTP
	base    http.RoundTripper
	onError func(error)
}

// RoundTrip implements http.RoundTripper.
func (t *roundTripper) RoundTrip(original *http.Request) (*http.Response, error) {
	req, body, err := buffer(original)
	if err != nil {
		return nil, err
	}
	expectInvalid := req.Header.Get(ExpectInvalid) == "true"
	req.Header.Del(ExpectInvalid)
	if !expectInvalid {
		t.check(t.http.Request(req, body))
	}
	res, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if mediaType(res) == "text/event-stream" {
		t.check(t.http.Response(req, res, nil))
		res.Body = &streamChecker{ReadCloser: res.Body, schemas: t.http.events, onError: t.onError}
		return res, nil
	}
	if res.Header.Get("Content-Encoding") != "" || res.StatusCode == http.StatusSwitchingProtocols {
		return res, nil
	}
	answer, err := peek(res)
	if err != nil {
		return res, nil //nolint:nilerr // the caller meets the same error when it reads
	}
	if t.http.declares(req) {
		t.check(t.http.Response(req, res, answer))
	} else {
		t.check(t.http.Problem(req, res, answer))
	}
	return res, nil
}

func (t *roundTripper) check(err error) {
	if err != nil {
		t.onError(err)
	}
}

// buffer clones a request, since a transport must not change the one it is
// given, with its body in memory.
func buffer(original *http.Request) (*http.Request, []byte, error) {
	req := original.Clone(original.Context())
	if original.Body == nil || original.Body == http.NoBody {
		return req, nil, nil
	}
	defer original.Body.Close()
	body, err := io.ReadAll(original.Body)
	if err != nil {
		return nil, nil, err
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	return req, body, nil
}

// peek reads an answer's body, up to maxBody, and puts it back, an error of
// the connection included.
func peek(res *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	rest := res.Body
	again := io.MultiReader(bytes.NewReader(body), rest)
	if err != nil {
		again = io.MultiReader(bytes.NewReader(body), failing{err})
	}
	res.Body = struct {
		io.Reader
		io.Closer
	}{again, rest}
	return body, err
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
