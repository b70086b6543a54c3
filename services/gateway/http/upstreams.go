package http

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sony/gobreaker/v2"

	"sidecart.dev/gateway"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/web"
)

// upstreams sends requests through the sidecar, each service behind a circuit breaker of its own.
// It is safe for concurrent use.
type upstreams struct {
	base     string
	client   *http.Client
	breakers map[string]*gobreaker.TwoStepCircuitBreaker[any]
	spare    map[string]chan struct{} // see [spareAttempts]
}

const (
	breakerFailures = 5               // consecutive failures that open a breaker
	breakerOpen     = 2 * time.Second // how long it stays open before one request tries again
)

var (
	// errNoAnswer stands for an answer that no service gave, only a sidecar in its place.
	errNoAnswer = errors.New("no answer from the service")
	// errNotCounted is told to a breaker of what says nothing about the service: a client must not
	// be able to open it.
	errNotCounted = errors.New("not the service's failure")
)

func newUpstreams(addr string, transport http.RoundTripper) *upstreams {
	u := &upstreams{
		base: "http://" + addr,
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		breakers: map[string]*gobreaker.TwoStepCircuitBreaker[any]{},
		spare:    map[string]chan struct{}{},
	}
	for _, route := range gateway.Routes {
		app := route.App
		if app == gateway.Own || u.breakers[app] != nil {
			continue
		}
		u.spare[app] = make(chan struct{}, spareAttempts)
		u.breakers[app] = gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
			Name: app, Timeout: breakerOpen,
			ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakerFailures },
			IsExcluded:  func(err error) bool { return errors.Is(err, errNotCounted) },
		})
	}
	return u
}

// do sends a request to an app. The answer is the service's own, and whole; that no service
// answered is an Unavailable or Timeout fault, that the client's body did not arrive is the
// client's. The caller closes the answer's body, which is in memory.
//
// A request that no service answers to the end is sent again if doing it twice is the same as doing
// it once: see [upstreams.insist]. To the breaker it is one request.
func (u *upstreams) do(ctx context.Context, app string, req *http.Request) (*http.Response, error) {
	done, err := u.breakers[app].Allow()
	if err != nil {
		return nil, unavailable(app, breakerOpen, err)
	}
	req.Header.Set(sidecar.AppIDHeader, app)
	var o outcome
	if repeatable(req) {
		o = u.insist(ctx, app, req)
	} else {
		o = u.attempt(ctx, app, req)
	}
	done(o.verdict)
	return o.answer, o.err
}

// outcome is what has become of sending a request once: an answer or an error, which are the
// caller's, and a verdict for the breaker.
type outcome struct {
	answer  *http.Response
	err     error
	verdict error
}

// attempt sends a request once.
func (u *upstreams) attempt(ctx context.Context, app string, req *http.Request) outcome {
	if deadline, ok := ctx.Deadline(); ok {
		left := max(1, time.Until(deadline).Milliseconds())
		req.Header.Set(web.TimeoutHeader, strconv.FormatInt(left, 10))
	}
	body, _ := req.Body.(*upload)
	resp, err := u.client.Do(req)
	if err != nil {
		return judge(ctx, app, body, withoutURL(err))
	}
	if fromService(resp) {
		if err := keepAnswer(resp); err != nil {
			return judge(ctx, app, body, err)
		}
		return outcome{answer: resp}
	}
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
	_ = resp.Body.Close()
	cause := fmt.Errorf("%w: %d %q", errNoAnswer, resp.StatusCode, said)
	o := outcome{err: unavailable(app, time.Second, cause), verdict: cause}
	if resp.StatusCode >= 400 && resp.StatusCode < http.StatusInternalServerError {
		// The sidecar has refused this request, which says nothing about others.
		o.verdict = errNotCounted
	}
	return o
}

// judge tells what a failed exchange says about the service, and what is answered.
func judge(ctx context.Context, app string, body *upload, err error) outcome {
	if broken := body.failure(); broken != nil {
		return outcome{err: broken, verdict: errNotCounted}
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(ctx.Err(), context.DeadlineExceeded):
		late := fault.Wrap(err, fault.Timeout, "timeout",
			"The service "+app+" did not answer in time.")
		return outcome{err: late, verdict: err}
	case ctx.Err() != nil:
		left := fault.Wrap(err, fault.Unavailable, "unavailable", "The request was cancelled.")
		return outcome{err: left, verdict: errNotCounted}
	}
	return outcome{err: unavailable(app, time.Second, err), verdict: err}
}

// fromService tells a service's answer from one its sidecar gave because the service could not be
// reached: services mark what they answer, and answer every error with a problem document.
func fromService(resp *http.Response) bool {
	return resp.StatusCode < 400 && web.FromApp(resp) ||
		strings.HasPrefix(resp.Header.Get("Content-Type"), web.ProblemType)
}

func unavailable(app string, retry time.Duration, cause error) error {
	return &fault.Error{
		Kind: fault.Unavailable, Code: "unavailable", RetryAfter: retry, Err: cause,
		Message: "The service " + app + " is not available right now; try again shortly.",
	}
}

// withoutURL strips the address from a client's error: it is logged, and queries are not.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
