package web

import (
	"crypto/subtle"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/gorilla/mux"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"sidecart.dev/kit/tracing"
)

// RequestIDHeader carries the id of a request. One sent by the client is kept if it is well-formed,
// which is 1 to 128 letters, digits, dots, hyphens and underscores of ASCII, and replaced
// otherwise.
const RequestIDHeader = "X-Request-Id"

// Trace continues the caller's trace (W3C Trace Context) or begins one, and gives every request an
// id. The answer carries both. Whether a trace is sampled is taken only from this app's own
// sidecar, which shows the app API token; for everybody else it is decided here.
func Trace(appToken string) mux.MiddlewareFunc {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			from := tracing.FromStranger
			if FromSidecar(r, appToken) {
				from = tracing.From
			}
			ctx := from(r.Context(), propagation.HeaderCarrier(r.Header))
			kind := trace.WithSpanKind(trace.SpanKindServer)
			ctx, span := tracing.Tracer().Start(ctx, knownMethod(r.Method), kind)
			defer span.End()
			id := r.Header.Get(RequestIDHeader)
			if !validID(id) {
				id = uuid.NewString()
				r.Header.Set(RequestIDHeader, id)
			}
			w.Header().Set(RequestIDHeader, id)
			otel.GetTextMapPropagator().Inject(ctx, propagation.HeaderCarrier(w.Header()))
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}

// FromSidecar reports whether the request shows the app API token, which this app's own sidecar
// alone knows.
func FromSidecar(r *http.Request, appToken string) bool {
	shown := []byte(r.Header.Get("dapr-api-token"))
	return appToken != "" && subtle.ConstantTimeCompare(shown, []byte(appToken)) == 1
}

// describe says in the request's span what was asked for and how it was answered. The address
// itself and its query may hold what people typed, so only the route's template and a well-formed
// id are written.
func describe(r *http.Request, route string, status int) {
	span := trace.SpanFromContext(r.Context())
	if !span.IsRecording() {
		return
	}
	span.SetName(knownMethod(r.Method) + " " + route)
	span.SetAttributes(
		semconv.HTTPRequestMethodKey.String(knownMethod(r.Method)), semconv.HTTPRoute(route),
		semconv.HTTPResponseStatusCode(status), semconv.URLScheme("http"))
	for _, id := range mux.Vars(r) {
		tracing.Mention(r.Context(), id)
	}
	if status >= http.StatusInternalServerError {
		span.SetAttributes(semconv.ErrorTypeKey.String(strconv.Itoa(status)))
		span.SetStatus(codes.Error, "")
	}
}

// inIDs are the characters that an id may have.
const inIDs = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

func validID(id string) bool {
	return id != "" && len(id) <= 128 && strings.TrimLeft(id, inIDs) == ""
}
