package daprclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/tracing"
	"sidecart.dev/kit/web"
)

// maxAnswer bounds what is read of another service's answer.
const maxAnswer = 16 << 20

// Caller returns a caller through this sidecar. Each request carries what authorize returns for the
// called app as its Authorization header; nil means none.
func (c *Client) Caller(authorize func(app string) (string, error)) sidecar.Caller {
	return &caller{
		base:      "http://" + c.cfg.HTTPAddr,
		client:    &http.Client{Transport: c.Transport(), Timeout: c.cfg.Timeout},
		authorize: authorize,
	}
}

type caller struct {
	base      string
	client    *http.Client
	authorize func(app string) (string, error)
}

// Call implements [sidecar.Caller].
func (c *caller) Call(ctx context.Context, app, method, path string, in, out any) error {
	req, err := c.request(ctx, app, method, path, in)
	if err != nil {
		return err
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return notAnswered(app, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return notAnswered(app, err)
	}
	if err := statusFault(app, resp.StatusCode); err != nil {
		return err
	}
	if !web.FromApp(resp) {
		return notAnswered(app, errNotFromApp)
	}
	if out == nil || len(body) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("answer of %s %s: %w", app, path, err)
	}
	return nil
}

var errNotFromApp = errors.New("a success that the service did not give")

func (c *caller) request(ctx context.Context, app, method, path string, in any,
) (*http.Request, error) {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("request to %s %s: %w", app, path, err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("request to %s %s: %w", app, path, err)
	}
	req.Header.Set(sidecar.AppIDHeader, app)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.authorize != nil {
		value, err := c.authorize(app)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", value)
	}
	return req, nil
}

func notAnswered(app string, err error) error {
	return transient(err, "The service "+app+" does not answer.")
}

func statusFault(app string, status int) error {
	switch {
	case status < 300:
		return nil
	case status == http.StatusNotFound:
		return fault.Newf(fault.NotFound, "not_found", "The service %s has no such thing.", app)
	case status == http.StatusTooManyRequests:
		return fault.Newf(fault.RateLimited, "rate_limited", "The service %s asks to slow down.", app)
	case status >= 400 && status < 500:
		return fault.Newf(fault.Unprocessable, "unprocessable",
			"The service %s refused the request (%d).", app, status)
	default:
		return fault.Newf(fault.Unavailable, "unavailable", "The service %s failed (%d).", app, status)
	}
}

// Transport returns a round tripper for requests to this sidecar's HTTP port. It adds the sidecar's
// API token and the trace context, keeps connections open, and never follows the environment's
// proxy settings.
func (c *Client) Transport() http.RoundTripper {
	return &transport{token: c.cfg.APIToken, base: &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
		MaxIdleConns:          256,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       90 * time.Second,
		ResponseHeaderTimeout: 0, // the request's context bounds it
		DisableCompression:    true,
	}}
}

// HTTPAddr returns host:port of the sidecar's HTTP API.
func (c *Client) HTTPAddr() string { return c.cfg.HTTPAddr }

type transport struct {
	token string
	base  http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	if t.token != "" {
		req.Header.Set("dapr-api-token", t.token)
	}
	ctx, end := startRequest(req)
	req.Header.Set("traceparent", tracing.Outgoing(ctx))
	resp, err := t.base.RoundTrip(req)
	end(resp, err)
	return resp, err
}
