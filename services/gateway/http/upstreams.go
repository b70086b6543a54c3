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
			IsExcluded:  func(err error) bool { return errors.Is(err, errNotCounted) },
		})
	}
	return u
}

// pauses stand before each further attempt at a request that may be asked again: long enough for a
// sidecar to notice that one replica of a service is ending and to turn to another.
var pauses = []time.Duration{
	100 * time.Millisecond,
	200 * time.Millisecond,
	400 * time.Millisecond,
	800 * time.Millisecond,
}

// do sends a request to an app. The answer is the service's own, and whole; that no service
// answered is an Unavailable or Timeout fault, that the client's body did not arrive is the
// client's. The caller closes the answer's body, which is in memory.
//
// A request that no service answered to the end is sent again if doing it twice is the same as
// doing it once: see [repeatable]. To the breaker it is one request, and its last attempt counts.
func (u *upstreams) do(ctx context.Context, app string, req *http.Request) (*http.Response, error) {
	done, err := u.breakers[app].Allow()
	if err != nil {
		return nil, unavailable(app, breakerOpen, err)
	}
	req.Header.Set(sidecar.AppIDHeader, app)
	for _, pause := range pauses {
		resp, verdict, answer := u.attempt(ctx, app, req)
		if !lost(verdict) || !repeatable(req) || !wait(ctx, pause) {
			done(verdict)
			return resp, answer
		}
		if req.GetBody != nil {
			req.Body, _ = req.GetBody() // it reads memory and cannot fail
		}
	}
	resp, verdict, answer := u.attempt(ctx, app, req)
	done(verdict)
	return resp, answer
}

// attempt sends a request once. The verdict is for the breaker, and the answer is the caller's.
func (u *upstreams) attempt(
	ctx context.Context,
	app string,
	req *http.Request,
) (_ *http.Response, verdict, answer error) {
	if deadline, ok := ctx.Deadline(); ok {
		req.Header.Set(
			web.TimeoutHeader,
			strconv.FormatInt(max(1, time.Until(deadline).Milliseconds()), 10),
		)
	}
	body, _ := req.Body.(*upload)
	resp, err := u.client.Do(req)
	if err != nil {
		verdict, answer = judge(ctx, app, body, withoutURL(err))
		return nil, verdict, answer
	}
	if fromService(resp) {
		if err := keepAnswer(resp); err != nil {
			verdict, answer = judge(ctx, app, body, err)
			return nil, verdict, answer
		}
		return resp, nil, nil
	}
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
	_ = resp.Body.Close()
	verdict = fmt.Errorf("%w: %d %q", errNoAnswer, resp.StatusCode, said)
	cause := verdict
	if resp.StatusCode >= 400 && resp.StatusCode < http.StatusInternalServerError {
		// The sidecar has refused this request, which says nothing about others.
		verdict = errNotCounted
	}
	return nil, verdict, unavailable(app, time.Second, cause)
}

// lost tells whether a verdict is that of a request which reached no service, or whose answer was
// lost on the way.
func lost(verdict error) bool {
	return verdict != nil && !errors.Is(verdict, errNotCounted) &&
		!errors.Is(verdict, context.DeadlineExceeded)
}

// repeatable tells whether a request may be sent again: it reads, or it carries a key by which its
// service knows it again. Its body must be there again as well.
func repeatable(req *http.Request) bool {
	reads := req.Method == http.MethodGet || req.Method == http.MethodHead
	return (reads || req.Header.Get("Idempotency-Key") != "") &&
		(req.GetBody != nil || req.Body == nil || req.Body == http.NoBody)
}

// wait pauses and tells whether the request is still wanted.
func wait(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// judge tells what a failed exchange says about the service, for its breaker, and what is answered.
func judge(ctx context.Context, app string, body *upload, err error) (verdict, answer error) {
	if broken := body.failure(); broken != nil {
		return errNotCounted, broken
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(ctx.Err(), context.DeadlineExceeded):
		return err, fault.Wrap(
			err,
			fault.Timeout,
			"timeout",
			"The service "+app+" did not answer in time.",
		)
	case ctx.Err() != nil:
		return errNotCounted, fault.Wrap(
			err,
			fault.Unavailable,
			"unavailable",
			"The request was cancelled.",
		)
	}
	return err, unavailable(app, time.Second, err)
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
