package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/tracing"
	"sidecart.dev/kit/tracing/tracingtest"
	"sidecart.dev/kit/web"
)

func TestARequestsSpanSaysWhatWasAskedForAndNothingThatWasTyped(t *testing.T) {
	spans := tracingtest.Record(t)
	r := mux.NewRouter()
	r.Use(web.Trace("secret"), web.NewMetrics(prometheus.NewRegistry()).Observe)
	r.Handle("/orders/{order_id:[^/]{1,64}}", web.Handler(func(w http.ResponseWriter, r *http.Request) error {
		if mux.Vars(r)["order_id"] == "broken" {
			panic(http.ErrAbortHandler)
		}
		return web.WriteJSON(w, http.StatusBadGateway, nil)
	}))
	const id = "ord_abcdefghijklmnopqrstuvwxyz"
	for _, path := range []string{"/orders/" + id + "?email=jane@example.com", "/orders/jane@example.com"} {
		r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
	}
	require.Len(t, spans.Ended(), 2)
	for i, span := range spans.Ended() {
		assert.Equal(t, "GET /orders/{order_id}", span.Name())
		attrs := map[string]string{}
		for _, a := range span.Attributes() {
			attrs[string(a.Key)] = a.Value.String()
		}
		want := map[string]string{
			"http.request.method": "GET", "http.route": "/orders/{order_id}", "http.response.status_code": "502",
			"url.scheme": "http", "error.type": "502",
		}
		if i == 0 {
			want["sidecart.resource.id"] = id
		}
		assert.Equal(t, want, attrs)
	}
}

func TestOnlyTheOwnSidecarSaysWhatIsSampled(t *testing.T) {
	const sampled, unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
	for _, c := range []struct {
		appToken, shown, sent string
		share                 float64
		want                  bool
	}{
		{"secret", "secret", sampled, 0, true},
		{"secret", "secret", unsampled, 1, false},
		{"secret", "wrong", sampled, 0, false},
		{"secret", "", sampled, 0, false},
		{"secret", "", unsampled, 1, true},
		{"", "", sampled, 0, false},
	} {
		tracingtest.Record(t)
		tracing.SampleShare(c.share)
		var recorded bool
		h := web.Trace(c.appToken)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			recorded = tracing.Recording(r.Context())
		}))
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("traceparent", c.sent)
		r.Header.Set("dapr-api-token", c.shown)
		h.ServeHTTP(w, r)
		assert.Equal(t, c.want, recorded, "%+v", c)
		assert.Contains(t, w.Header().Get("traceparent"), "4bf92f3577b34da6a3ce929d0e0e4736", "the client finds its trace again")
	}
}
