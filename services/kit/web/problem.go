// Package web is how a service speaks HTTP: handlers that return errors, problem+json, strict JSON
// input, and the middleware every service stands behind.
package web

import (
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/gorilla/mux"
	"go.opentelemetry.io/otel/trace"

	"sidecart.dev/kit/fault"
)

// Problem is an error as a client sees it (RFC 9457).
type Problem struct {
	Type     string        `json:"type"`
	Title    string        `json:"title"`
	Status   int           `json:"status"`
	Detail   string        `json:"detail,omitempty"`
	Instance string        `json:"instance,omitempty"`
	Code     string        `json:"code"`
	TraceID  string        `json:"trace_id,omitempty"`
	Errors   []fault.Field `json:"errors,omitempty"`

	// Extensions are members besides these, by name (RFC 9457, section 3.2). They never replace one of
	// these.
	Extensions map[string]any `json:"-"`
}

// MarshalJSON implements [json.Marshaler].
func (p Problem) MarshalJSON() ([]byte, error) {
	type members Problem // without this method
	own, err := json.Marshal(members(p))
	if err != nil || len(p.Extensions) == 0 {
		return own, err
	}
	all := maps.Clone(p.Extensions)
	if err := json.Unmarshal(own, &all); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

// ProblemType is the media type of a [Problem].
const ProblemType = "application/problem+json"

var statuses = map[fault.Kind]int{
	fault.Internal:        http.StatusInternalServerError,
	fault.Invalid:         http.StatusBadRequest,
	fault.Unprocessable:   http.StatusUnprocessableEntity,
	fault.Unauthenticated: http.StatusUnauthorized,
	fault.Forbidden:       http.StatusForbidden,
	fault.NotFound:        http.StatusNotFound,
	fault.Conflict:        http.StatusConflict,
	fault.TooLarge:        http.StatusRequestEntityTooLarge,
	fault.RateLimited:     http.StatusTooManyRequests,
	fault.Unavailable:     http.StatusServiceUnavailable,
	fault.Timeout:         http.StatusGatewayTimeout,
}

// codeStatuses are the codes whose status is not their kind's.
var codeStatuses = map[string]int{
	"unsupported_media_type": http.StatusUnsupportedMediaType,
	"method_not_allowed":     http.StatusMethodNotAllowed,
	"precondition_failed":    http.StatusPreconditionFailed,
	"not_acceptable":         http.StatusNotAcceptable,
	"headers_too_large":      http.StatusRequestHeaderFieldsTooLarge,
}

// StatusOf returns the HTTP status an error is answered with.
func StatusOf(err error) int {
	if status, ok := codeStatuses[fault.CodeOf(err)]; ok {
		return status
	}
	return statuses[fault.KindOf(err)]
}

// WriteError answers with the problem that err stands for. Causes and unknown errors are never
// shown: they go to the request's line in the log, or to a line of their own where
// [Metrics.Observe] does not stand around the handler.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	status := StatusOf(err)
	p := Problem{
		Status: status, Title: http.StatusText(status), Instance: r.URL.Path,
		Code: fault.CodeOf(err), TraceID: traceID(r),
	}
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind != fault.Internal {
		p.Detail, p.Errors, p.Extensions = f.Message, f.Fields, f.Extensions
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
		}
	} else {
		p.Code, p.Detail = "internal", "Something went wrong here. The trace id helps to find out what."
	}
	p.Type = "https://sidecart.dev/problems/" + p.Code
	if status == http.StatusUnauthorized && w.Header().Get("WWW-Authenticate") == "" {
		w.Header().Set("WWW-Authenticate", `Bearer realm="sidecart"`)
	}
	if status == http.StatusServiceUnavailable && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", "1")
	}
	if status >= http.StatusInternalServerError && !noteError(w, err) {
		slog.ErrorContext(r.Context(), "request failed", "code", p.Code, "error", err.Error())
	}
	body, err := json.Marshal(p)
	if err != nil { // only a fault's extensions can be to blame
		slog.ErrorContext(r.Context(), "problem without its extensions",
			"code", p.Code, "error", err.Error())
		p.Extensions = nil
		body, _ = json.Marshal(p)
	}
	w.Header().Set("Content-Type", ProblemType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func traceID(r *http.Request) string {
	if sc := trace.SpanContextFromContext(r.Context()); sc.HasTraceID() {
		return sc.TraceID().String()
	}
	return ""
}

// Handler is an HTTP handler that may fail. An error returned after the first byte was written only
// ends the answer.
type Handler func(w http.ResponseWriter, r *http.Request) error

// ServeHTTP implements [http.Handler] by answering an error with [WriteError].
func (h Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h(w, r); err != nil {
		WriteError(w, r, err)
	}
}

// WriteJSON answers with a JSON document.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	if w.Header().Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", "no-store")
	}
	w.WriteHeader(status)
	_, err = w.Write(body)
	if err != nil {
		slog.Debug("answer not delivered", "error", err.Error())
	}
	return nil
}

// NotFound answers paths that nobody serves.
var NotFound = Handler(func(http.ResponseWriter, *http.Request) error {
	return fault.New(fault.NotFound, "not_found", "There is nothing at this address.")
})

// MethodNotAllowed answers methods that a path of the router does not have, naming those it has.
func MethodNotAllowed(router *mux.Router) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		var allowed []string
		for _, method := range []string{
			http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		} {
			probe := r.Clone(r.Context())
			probe.Method = method
			var match mux.RouteMatch
			if router.Match(probe, &match) && match.MatchErr == nil {
				allowed = append(allowed, method)
				if method == http.MethodGet {
					allowed = append(allowed, http.MethodHead) // see Resources
				}
			}
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		return fault.Newf(fault.Invalid, "method_not_allowed",
			"This address does not answer to %s.", knownMethod(r.Method))
	}
}
