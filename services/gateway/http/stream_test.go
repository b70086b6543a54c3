package http_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/gateway"
	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/web"
)

const events = "/api/v1/orders/ord_1/events"

// grows answers with an order whose history is as long as n says.
func grows(n *atomic.Int32) http.HandlerFunc {
	statuses := []string{"pending", "paid"}
	return func(rw http.ResponseWriter, _ *http.Request) {
		var history []string
		count := int(n.Load())
		for _, s := range statuses[:count] {
			history = append(history, fmt.Sprintf(`{"status":%q,"at":"2026-03-01T10:00:00Z"}`, s))
		}
		rw.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(rw, `{"id":"ord_1","status":%q,"version":%d,"history":[%s]}`, statuses[count-1], count, strings.Join(history, ","))
	}
}

const (
	first  = "id: 1\nevent: status\ndata: {\"order_id\":\"ord_1\",\"status\":\"pending\",\"version\":1,\"at\":\"2026-03-01T10:00:00Z\"}\n\n"
	second = "id: 2\nevent: status\ndata: {\"order_id\":\"ord_1\",\"status\":\"paid\",\"version\":2,\"at\":\"2026-03-01T10:00:00Z\"}\n\n"
	end    = "event: end\ndata: {\"order_id\":\"ord_1\",\"status\":\"paid\",\"version\":2}\n\n"
)

func TestAStreamTellsTheHistoryAndEnds(t *testing.T) {
	w := newWorld(t)
	var n atomic.Int32
	n.Store(2)
	w.answers(grows(&n))
	rec := w.ask(http.MethodGet, events, w.token(t, auth.Customer))
	assert.Equal(t, "text/event-stream", rec.Header().Get("Content-Type"))
	assert.Equal(t, first+second+end, rec.Body.String())
	assert.Equal(t, "/api/v1/orders/ord_1", w.took()[0].URL.Path, "the service decides who may see it")
}

func TestAStreamIsResumed(t *testing.T) {
	w := newWorld(t)
	var n atomic.Int32
	n.Store(2)
	w.answers(grows(&n))
	for last, want := range map[string]string{"1": second + end, "2": end, "99": end} {
		assert.Equal(t, want, w.ask(http.MethodGet, events, w.token(t, auth.Customer), set(map[string]string{"Last-Event-ID": last})).Body.String(), "after %s", last)
	}
	rec := w.ask(http.MethodGet, events, w.token(t, auth.Customer), set(map[string]string{"Last-Event-ID": "x"}))
	assert.Equal(t, http.StatusBadRequest, rec.Code)
	assert.Equal(t, "invalid_request", code(t, rec))
}

func TestAStreamFollowsAnOrderThroughFailures(t *testing.T) {
	w := newWorld(t)
	var n, asked atomic.Int32
	n.Store(1)
	order := grows(&n)
	w.answers(func(rw http.ResponseWriter, r *http.Request) {
		switch asked.Add(1) {
		case 2:
			sidecarSays(rw, r) // orders is down for a moment
			return
		case 3:
			n.Store(2)
		}
		order(rw, r)
	})
	assert.Equal(t, first+second+end, w.ask(http.MethodGet, events, w.token(t, auth.Customer)).Body.String())
}

func TestAStreamOfAnotherUsersOrderIsTheServicesRefusal(t *testing.T) {
	w := newWorld(t)
	w.answers(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", web.ProblemType)
		rw.WriteHeader(http.StatusNotFound)
		_, _ = rw.Write([]byte(`{"status":404,"code":"not_found"}`))
	})
	rec := w.ask(http.MethodGet, events, w.token(t, auth.Customer))
	assert.Equal(t, http.StatusNotFound, rec.Code)
	assert.Equal(t, "not_found", code(t, rec))
}

func TestStreamsAreBoundedAndEndWithTheirClients(t *testing.T) {
	w := newWorld(t, func(cfg *gateway.Config) { cfg.MaxStreams = 1 })
	var n atomic.Int32
	n.Store(1)
	w.answers(grows(&n))
	token := w.token(t, auth.Customer)
	server := httptest.NewServer(w.handler)
	defer server.Close() // waits for handlers: it would hang on a stream that outlives its client
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+events, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	buf := make([]byte, len(first))
	_, err = resp.Body.Read(buf)
	require.NoError(t, err)

	rec := w.ask(http.MethodGet, events, token)
	assert.Equal(t, http.StatusServiceUnavailable, rec.Code)
	assert.Equal(t, "unavailable", code(t, rec))
	leave()
}
