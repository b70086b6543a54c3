package http

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sony/gobreaker/v2"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/web"
)

// requestHeaders are what passes from a client to a service. Whatever else a client sends stays outside: hop-by-hop
// headers, forwarding headers, and above all anything that means something to a sidecar.
var requestHeaders = []string{
	"Accept", "Accept-Language", "Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match",
	web.RequestIDHeader,
}

// answerHeaders are what passes from a service to a client.
var answerHeaders = []string{
	"Cache-Control", "Content-Language", "Content-Type", "Etag", "Idempotency-Replayed", "Location", "Retry-After", "Vary",
	"Www-Authenticate", "Allow", "Last-Modified",
}

// upstreams forwards requests through the sidecar, each service behind a circuit breaker of its own.
// It is safe for concurrent use.
type upstreams struct {
	base     string
	client   *http.Client
	breakers map[string]*gobreaker.TwoStepCircuitBreaker[any]
}

const (
	breakerFailures = 5               // consecutive failures that open a breaker
	breakerOpen     = 2 * time.Second // how long it stays open before one request tries again
)

func newUpstreams(addr string, transport http.RoundTripper, apps []string) *upstreams {
	u := &upstreams{
		base: "http://" + addr,
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		breakers: map[string]*gobreaker.TwoStepCircuitBreaker[any]{},
	}
	for _, app := range apps {
		u.breakers[app] = gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
			Name: app, Timeout: breakerOpen,
			ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakerFailures },
		})
	}
	return u
}

// errNoAnswer stands for an answer that no service gave, only a sidecar in its place.
var errNoAnswer = errors.New("no answer from the service")

// do sends a request to an app. The answer is the service's own; that no service answered is an Unavailable fault.
func (u *upstreams) do(ctx context.Context, app string, req *http.Request) (*http.Response, error) {
	done, err := u.breakers[app].Allow()
	if err != nil {
		return nil, unavailable(app, breakerOpen, err)
	}
	req.Header.Set(sidecar.AppIDHeader, app)
	if deadline, ok := ctx.Deadline(); ok {
		req.Header.Set(web.TimeoutHeader, strconv.FormatInt(max(1, time.Until(deadline).Milliseconds()), 10))
	}
	resp, err := u.client.Do(req)
	switch {
	case err != nil && errors.Is(ctx.Err(), context.Canceled):
		done(nil) // the client went away, which says nothing about the service
		return nil, fault.Wrap(err, fault.Unavailable, "unavailable", "The request was cancelled.")
	case err != nil && errors.Is(err, context.DeadlineExceeded):
		done(err)
		return nil, fault.Wrap(err, fault.Timeout, "timeout", "The service "+app+" did not answer in time.")
	case err != nil:
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			done(nil)
			return nil, fault.Newf(fault.TooLarge, "body_too_large", "The body is larger than %d bytes.", web.MaxBody)
		}
		done(err)
		return nil, unavailable(app, time.Second, err)
	case !fromService(resp):
		_ = resp.Body.Close()
		done(errNoAnswer)
		return nil, unavailable(app, time.Second, errNoAnswer)
	}
	done(nil)
	return resp, nil
}

// fromService tells a service's answer from one its sidecar gave because the service could not be reached:
// services answer every error with a problem document.
func fromService(resp *http.Response) bool {
	return resp.StatusCode < 400 || strings.HasPrefix(resp.Header.Get("Content-Type"), web.ProblemType)
}

func unavailable(app string, retry time.Duration, cause error) error {
	return &fault.Error{
		Kind: fault.Unavailable, Code: "unavailable", RetryAfter: retry, Err: cause,
		Message: "The service " + app + " is not available right now; try again shortly.",
	}
}

// forward passes a request to the app that the route names and the answer back, both streamed.
func (u *upstreams) forward(app string) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		query, err := cleanQuery(r.URL.RawQuery)
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(r.Context(), r.Method, u.base+r.URL.Path+query, r.Body)
		if err != nil {
			return fault.Wrap(err, fault.Invalid, "invalid_request", "The request could not be understood.")
		}
		req.ContentLength = r.ContentLength
		copyHeaders(req.Header, r.Header, requestHeaders)
		if addr := addressFrom(r.Context()); addr.IsValid() {
			req.Header.Set("X-Client-Ip", addr.String())
			req.Header.Set("X-Forwarded-For", addr.String())
		}
		resp, err := u.do(r.Context(), app, req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		copyHeaders(w.Header(), resp.Header, answerHeaders)
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body) // a broken connection is the client's to notice
		return nil
	}
}

// cleanQuery parses and writes the query again, so that what a service parses is what was checked here.
func cleanQuery(raw string) (string, error) {
	if raw == "" {
		return "", nil
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return "", fault.New(fault.Invalid, "invalid_request", "The query is not well-formed; percent-encode its values.")
	}
	return "?" + values.Encode(), nil
}

func copyHeaders(to, from http.Header, names []string) {
	for _, name := range names {
		if values := from.Values(name); len(values) > 0 {
			to[http.CanonicalHeaderKey(name)] = values
		}
	}
}
