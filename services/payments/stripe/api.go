package stripe

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sidecart.dev/kit/fault"
)

// api makes the requests: form-encoded, idempotent by key.
type api struct {
	base   string
	client *http.Client
}

// apiError is an answer that says no.
type apiError struct {
	Status      int     `json:"-"`
	Type        string  `json:"type"`
	Code        string  `json:"code"`
	DeclineCode string  `json:"decline_code"`
	Message     string  `json:"message"`
	Param       string  `json:"param"`
	Intent      *intent `json:"payment_intent"`
}

// fault is for refusals that are nobody's decision about the money: a wrong secret key, a defect.
// They count as unknown outcomes and are asked about again, while operators see the log.
func (e *apiError) fault() error {
	return &fault.Error{
		Kind: fault.Unavailable, Code: "unavailable", RetryAfter: time.Second,
		Message: "The payment provider refused the request.", Err: errors.New(e.Type + " " + e.Code + " " + e.Param),
	}
}

// decline translates a refusal into this system's code and words. The provider's own words may be
// meant for the merchant alone.
func (e *apiError) decline() (code, reason string) {
	a := e.answer()
	return a.code, a.reason
}

func (a *api) post(ctx context.Context, path, key string, form url.Values, out any) (*apiError, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Idempotency-Key", key)
	return a.do(req, out)
}

func (a *api) get(ctx context.Context, path string, query url.Values, out any) (*apiError, error) {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+path, nil)
	if err != nil {
		return nil, err
	}
	return a.do(req, out)
}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 1 << 20

// do returns nil and no error for a 2xx answer decoded into out, what the API said for a 4xx answer
// that is a decision, and an error for everything that leaves the outcome unknown: no answer, 5xx,
// 429, and 409, a request with the same key under way.
func (a *api) do(req *http.Request, out any) (*apiError, error) {
	resp, err := a.client.Do(req)
	if err != nil {
		return nil, unknown(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, unknown(err)
	}
	switch {
	case resp.StatusCode < 300:
		if err := json.Unmarshal(body, out); err != nil {
			return nil, unknown(err)
		}
		return nil, nil //nolint:nilnil // no refusal, no error
	case resp.StatusCode >= 500, resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode == http.StatusConflict,
		resp.StatusCode == http.StatusRequestTimeout:
		return nil, unknown(errors.New(resp.Status))
	}
	var envelope struct {
		Error *apiError `json:"error"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil || envelope.Error == nil {
		return nil, unknown(errors.New(resp.Status)) // not this API's answer: the sidecar's, or something in between
	}
	envelope.Error.Status = resp.StatusCode
	return envelope.Error, nil
}

func unknown(err error) error {
	kind, code := fault.Unavailable, "unavailable"
	if errors.Is(err, context.DeadlineExceeded) {
		kind, code = fault.Timeout, "timeout"
	}
	return &fault.Error{
		Kind: kind, Code: code, Message: "The payment provider did not answer.", RetryAfter: time.Second, Err: err,
	}
}
