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
	"sidecart.dev/payments"
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

// fault is for refusals that are nobody's decision about the money, such as that of a wrong secret
// key. They count as unknown outcomes: the provider is asked again, while operators see the log.
func (e *apiError) fault() error {
	return &fault.Error{
		Kind: fault.Unavailable, Code: "unavailable", RetryAfter: time.Second,
		Message: "The payment provider refused the request.",
		Err:     errors.New(e.Type + " " + e.Code + " " + e.Param),
	}
}

// decline translates a refusal into this system's code and words. The provider's own words may be
// meant for the merchant alone.
func (e *apiError) decline() (code, reason string) {
	a := e.answer()
	return a.code, a.reason
}

func (a *api) post(
	ctx context.Context, path, key string, form url.Values, out any,
) (*apiError, error) {
	body := strings.NewReader(form.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+path, body)
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

// do decodes a 2xx answer into out, and returns what the API said in a 4xx answer that is a
// decision. Everything else is an error, because it leaves the outcome unknown: no answer, 5xx,
// 429, and 409, which says that a request with the same key is under way.
func (a *api) do(req *http.Request, out any) (*apiError, error) {
	resp, err := a.client.Do(req)
	if err != nil {
		return nil, payments.Unanswered(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, payments.Unanswered(err)
	}
	switch code := resp.StatusCode; {
	case code < 300:
		if err := json.Unmarshal(body, out); err != nil {
			return nil, payments.Unanswered(err)
		}
		return nil, nil //nolint:nilnil // no refusal, no error
	case code >= 500, code == http.StatusTooManyRequests,
		code == http.StatusConflict, code == http.StatusRequestTimeout:
		return nil, payments.Unanswered(errors.New(resp.Status))
	}
	var envelope struct {
		Error *apiError `json:"error"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil || envelope.Error == nil {
		// This is not the API's answer, but the sidecar's or that of something in between.
		return nil, payments.Unanswered(errors.New(resp.Status))
	}
	envelope.Error.Status = resp.StatusCode
	return envelope.Error, nil
}
