// Package harness drives a running Sidecart from outside: a client of its public API that checks
// every exchange against the contract, a reader of its inbox, and the stack itself where there is
// none to be given.
package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// API is a client of one gateway. It is safe for concurrent use.
type API struct {
	Base   string
	Client *http.Client

	mu         sync.Mutex
	violations []error
}

// NewAPI makes a client. A nil wrap sends requests as they are; otherwise it gets the transport and
// a function that takes contract violations, and returns the transport to use.
func NewAPI(base string, wrap func(http.RoundTripper, func(error)) http.RoundTripper) *API {
	a := &API{Base: base}
	var transport http.RoundTripper = &http.Transport{
		MaxIdleConnsPerHost: 256, IdleConnTimeout: time.Minute,
	}
	if wrap != nil {
		transport = wrap(transport, a.violated)
	}
	a.Client = &http.Client{Transport: transport, Timeout: 30 * time.Second}
	return a
}

func (a *API) violated(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.violations = append(a.violations, err)
}

// Violations returns the exchanges so far that broke the contract, and forgets them.
func (a *API) Violations() []error {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := a.violations
	a.violations = nil
	return out
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Into decodes the answer's JSON.
func (a Answer) Into(out any) error {
	if err := json.Unmarshal(a.Body, out); err != nil {
		return fmt.Errorf("answer %d is not what was expected: %w: %s", a.Status, err, a.Body)
	}
	return nil
}

// Code returns the problem code of an error answer.
func (a Answer) Code() string {
	var p struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal(a.Body, &p)
	return p.Code
}

// Option changes a request.
type Option func(*http.Request)

// Header sets a header.
func Header(name, value string) Option {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// Token sends an access token.
func Token(token string) Option { return Header("Authorization", "Bearer "+token) }

// Key sends an idempotency key.
func Key(key string) Option { return Header("Idempotency-Key", key) }

// Do sends a request. A body that is not nil, bytes or a string is sent as JSON.
func (a *API) Do(
	ctx context.Context, method, path string, body any, opts ...Option,
) (Answer, error) {
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case []byte:
		reader = bytes.NewReader(b)
	case string:
		reader = bytes.NewReader([]byte(b))
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			return Answer{}, err
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.Base+path, reader)
	if err != nil {
		return Answer{}, err
	}
	if reader != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, opt := range opts {
		opt(req)
	}
	resp, err := a.Client.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: raw}, err
}

// Status asks for a page, such as a probe, and returns the answer's status.
func Status(ctx context.Context, url string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}
