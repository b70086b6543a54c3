package web

import (
	"context"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"

	"sidecart.dev/kit/fault"
)

// Recover answers a panic with 500 and logs its stack. A handler that was writing already is cut
// off instead.
func Recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler { //nolint:errorlint // the documented sentinel, by identity
				panic(v)
			}
			fault.Recovered(r.Context(), v)
			if rec, ok := w.(*recorder); ok && rec.status != 0 {
				panic(http.ErrAbortHandler)
			}
			WriteError(w, r, fault.New(fault.Internal, "internal", "panic"))
		}()
		next.ServeHTTP(w, r)
	})
}

// LimitBody refuses to read more than limit bytes of a request body.
func LimitBody(limit int64) mux.MiddlewareFunc {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, limit)
			next.ServeHTTP(w, r)
		})
	}
}

// Deadline bounds the work on a request. A shorter deadline named by the caller in [TimeoutHeader]
// wins.
func Deadline(limit time.Duration) mux.MiddlewareFunc {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			d := limit
			if ms, err := strconv.Atoi(r.Header.Get(TimeoutHeader)); err == nil && ms > 0 {
				d = min(d, time.Duration(ms)*time.Millisecond)
			}
			ctx, cancel := context.WithTimeout(r.Context(), d)
			defer cancel()
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}

// TimeoutHeader carries how many milliseconds the caller will wait.
const TimeoutHeader = "X-Timeout-Ms"

// RequireAppToken refuses requests that do not come from this app's own sidecar, which knows the
// app API token. An empty token turns the check off.
func RequireAppToken(token string) mux.MiddlewareFunc {
	return func(next http.Handler) http.Handler {
		if token == "" {
			return next
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !FromSidecar(r, token) {
				WriteError(w, r, fault.New(fault.Unauthenticated, "unauthenticated",
					"Call this service through its sidecar."))
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// Metrics are the request metrics of one service.
type Metrics struct {
	duration *prometheus.HistogramVec
}

// NewMetrics registers the request metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "http_server_request_duration_seconds",
		Help:    "Time from a request's headers to the end of its answer, by route template.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"method", "route", "status"})}
	reg.MustRegister(m.duration)
	return m
}

// Observe logs and measures every request under its route template, so that ids never become
// labels.
func (m *Metrics) Observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec := &recorder{ResponseWriter: w}
		defer func() {
			took, route, status := time.Since(start), routeOf(r), rec.code()
			duration := m.duration.WithLabelValues(knownMethod(r.Method), route, strconv.Itoa(status))
			duration.Observe(took.Seconds())
			describe(r, route, status)
			attrs := []any{
				"method", knownMethod(r.Method), "route", route, "status", status, "bytes", rec.bytes,
				"ms", float64(took.Microseconds()) / 1000, "request_id", r.Header.Get(RequestIDHeader),
			}
			if rec.err != nil {
				attrs = append(attrs, "error", rec.err.Error())
			}
			slog.Log(r.Context(), accessLevel(route, status), "request", attrs...)
		}()
		next.ServeHTTP(rec, r)
	})
}

func accessLevel(route string, status int) slog.Level {
	switch {
	case route == "/healthz" || route == "/readyz" || route == "/metrics":
		return slog.LevelDebug
	case status == http.StatusInternalServerError:
		return slog.LevelError
	case status > http.StatusInternalServerError:
		return slog.LevelWarn
	case strings.HasPrefix(route, "/api/"), status >= http.StatusBadRequest:
		return slog.LevelInfo
	}
	return slog.LevelDebug // deliveries and internal calls, many to every request from outside
}

func routeOf(r *http.Request) string {
	if route := mux.CurrentRoute(r); route != nil {
		if template, err := route.GetPathTemplate(); err == nil {
			return withoutPatterns(template)
		}
	}
	return "unmatched"
}

// variable is a variable of a route with the pattern that it has to match, which may have braces of
// its own.
var variable = regexp.MustCompile(`\{(\w+):(?:[^{}]|\{[^{}]*\})*\}`)

// withoutPatterns leaves the names of a route's variables: /orders/{id:[a-z]{26}} becomes
// /orders/{id}.
func withoutPatterns(template string) string {
	if !strings.Contains(template, ":") {
		return template
	}
	if short, ok := shortened.Load(template); ok {
		return short.(string)
	}
	short := variable.ReplaceAllString(template, "{$1}")
	shortened.Store(template, short)
	return short
}

// shortened has what withoutPatterns has found out, by template: one for each route with a pattern.
var shortened sync.Map

func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions:
		return m
	}
	return "OTHER"
}

type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
	err    error // why the answer is an error of this service
}

// noteError leaves the reason of a failed request for its line in the log.
func noteError(w http.ResponseWriter, err error) bool {
	for {
		if rec, ok := w.(*recorder); ok {
			rec.err = err
			return true
		}
		unwrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = unwrapper.Unwrap()
	}
}

func (r *recorder) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}

// WriteHeader notes the status.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write notes the size.
func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
