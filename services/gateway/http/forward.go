package http

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/web"
)

// requestHeaders are what passes from a client to a service. Whatever else a client sends stays
// outside: hop-by-hop headers, forwarding headers, and above all anything that means something to a
// sidecar.
var requestHeaders = []string{
	"Accept", "Accept-Language", "Authorization", "Content-Type", "Idempotency-Key", "If-Match",
	"If-None-Match", web.RequestIDHeader,
}

// answerHeaders are what passes from a service to a client.
var answerHeaders = []string{
	"Cache-Control", "Content-Language", "Content-Type", "Etag", "Idempotency-Replayed", "Location",
	"Retry-After", "Vary", "Www-Authenticate", "Allow", "Last-Modified",
}

// maxHeaders bounds the bytes of what is passed on besides the body. It is well under a sidecar's
// read buffer (32 KiB), which answers what is larger in the service's place.
const maxHeaders = 16 << 10

// forward passes a request to an app, and the whole answer back. An idempotency key is passed on
// only where the service is keyed, which means that it knows the request again by it: what a client
// adds elsewhere must not make the request one that is sent twice.
func (u *upstreams) forward(app string, keyed bool) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		req, err := u.outgoing(r)
		if err != nil {
			return err
		}
		if !keyed {
			req.Header.Del("Idempotency-Key")
		}
		if r.ContentLength != 0 { // what has no body may be sent again
			body, done := newUpload(w, r)
			defer done()
			req.Body = body
			if err := keepBody(req, body); err != nil {
				return err
			}
		}
		resp, err := u.do(r.Context(), app, req)
		if err != nil {
			return err
		}
		relay(w, resp)
		return nil
	}
}

// keepBody reads the body of a request with an idempotency key into memory, so that it can be sent
// again. Others are streamed.
func keepBody(req *http.Request, body *upload) error {
	if req.Header.Get("Idempotency-Key") == "" {
		return nil
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return judge(req.Context(), "", body, err).err
	}
	req.ContentLength = int64(len(data))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	req.Body, err = req.GetBody()
	return err
}

// relay writes a service's answer and closes it.
func relay(w http.ResponseWriter, resp *http.Response) {
	defer resp.Body.Close()
	copyHeaders(w.Header(), resp.Header, answerHeaders)
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body) // from memory; it fails when the client is gone
}

// outgoing makes the request to the sidecar of a client's request, without the body.
func (u *upstreams) outgoing(r *http.Request) (*http.Request, error) {
	query, err := cleanQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	if err := checkHeaders(r.Header, len(r.URL.Path)+len(query)); err != nil {
		return nil, err
	}
	if err := checkOnce(r); err != nil {
		return nil, err
	}
	if r.ContentLength > web.MaxBody {
		// Before a byte of it is read, so a client that expects 100-continue sends none.
		return nil, bodyTooLarge()
	}
	req, err := http.NewRequestWithContext(r.Context(), r.Method, u.base+r.URL.Path+query, http.NoBody)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "invalid_request",
			"The request could not be understood.")
	}
	req.ContentLength = r.ContentLength
	copyHeaders(req.Header, r.Header, requestHeaders)
	if addr := addressFrom(r.Context()); addr.IsValid() {
		req.Header.Set("X-Client-Ip", addr.String())
		req.Header.Set("X-Forwarded-For", addr.String())
	}
	return req, nil
}

// cleanQuery parses and writes the query again, so that what a service parses is what was checked
// here.
func cleanQuery(raw string) (string, error) {
	if raw == "" {
		return "", nil
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return "", malformedQuery()
	}
	return "?" + values.Encode(), nil
}

func malformedQuery() error {
	return fault.New(fault.Invalid, "invalid_request",
		"The query is not well-formed; percent-encode its values.")
}

// checkHeaders refuses what a sidecar would fail on in the service's place, which would look as if
// the service were down: headers that are too large, or not text.
func checkHeaders(h http.Header, size int) error {
	for _, name := range requestHeaders {
		for _, value := range h.Values(name) {
			size += len(name) + len(value)
			for i := range len(value) {
				if value[i] < ' ' || value[i] > '~' {
					return fault.InvalidField(name, "must be printable ASCII")
				}
			}
		}
	}
	if size > maxHeaders {
		return fault.Newf(fault.Invalid, "invalid_request",
			"Address and headers together are larger than %d bytes.", maxHeaders)
	}
	return nil
}

// checkOnce refuses what a service would refuse if it saw it. It does not: a content coding is not
// passed on, and of a header that is given twice a sidecar passes one.
func checkOnce(r *http.Request) error {
	for _, name := range []string{"Content-Type", "Idempotency-Key"} {
		if len(r.Header.Values(name)) > 1 {
			return fault.InvalidField(name, "must be given once")
		}
	}
	if r.ContentLength == 0 {
		return nil
	}
	for _, coding := range r.Header.Values("Content-Encoding") {
		if !strings.EqualFold(coding, "identity") {
			return fault.New(fault.Invalid, "unsupported_media_type",
				"Send the body without a content coding.")
		}
	}
	return nil
}

// copyHeaders copies the named headers. Vary is added to, since middleware has written into it.
func copyHeaders(to, from http.Header, names []string) {
	for _, name := range names {
		values := from.Values(name)
		if len(values) == 0 {
			continue
		}
		key := http.CanonicalHeaderKey(name)
		if key == "Vary" {
			values = append(to.Values(key), values...)
		}
		to[key] = values
	}
}
