package http_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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

func TestAStreamOutlivesAServiceThatShedsLoadAndEndsWithItsToken(t *testing.T) {
	w := newWorld(t)
	var n, asked atomic.Int32
	n.Store(1)
	order := grows(&n)
	refuse := func(rw http.ResponseWriter, status int) {
		rw.Header().Set("Content-Type", web.ProblemType)
		rw.WriteHeader(status)
		fmt.Fprintf(rw, `{"status":%d}`, status)
	}
	w.answers(func(rw http.ResponseWriter, r *http.Request) {
		switch asked.Add(1) {
		case 2:
			refuse(rw, http.StatusServiceUnavailable)
		case 4:
			refuse(rw, http.StatusUnauthorized)
		default:
			order(rw, r)
		}
	})
	assert.Equal(t, first, w.ask(http.MethodGet, events, w.token(t, auth.Customer)).Body.String(), "without an end event, so the client resumes it")
	assert.EqualValues(t, 4, asked.Load(), "a refusal of the moment does not end it, one of the user does")
}

// watch opens a stream of an order that stays pending and reads its first event. The stream lives
// until the returned function is called.
func (w *world) watch(t *testing.T, url, token string) (stream *bufio.Reader, leave func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+events, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	require.Equal(t, http.StatusOK, resp.StatusCode)
	stream = bufio.NewReader(resp.Body)
	got := make([]byte, len(first))
	_, err = io.ReadFull(stream, got)
	require.NoError(t, err)
	require.Equal(t, first, string(got))
	return stream, cancel
}

// paid are the events of an order that is at its end, so that its stream ends at once. Other orders
// of [world.serves] stay pending.
const paid = "/api/v1/orders/paid/events"

// serves starts a server of the gateway. When the test ends it waits for handlers: it would hang on
// a stream that outlives its client.
func (w *world) serves(t *testing.T) string {
	t.Helper()
	var one, two atomic.Int32
	one.Store(1)
	two.Store(2)
	pending, ended := grows(&one), grows(&two)
	w.answers(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/paid") {
			ended(rw, r)
			return
		}
		pending(rw, r)
	})
	server := httptest.NewServer(w.handler)
	t.Cleanup(server.Close)
	return server.URL
}

func subject(id string) func(*auth.Claims) {
	return func(c *auth.Claims) { c.Subject = id }
}

func TestStreamsAreBoundedAndEndWithTheirClients(t *testing.T) {
	w := newWorld(t, func(cfg *gateway.Config) { cfg.MaxStreams = 1 })
	url := w.serves(t)
	_, leave := w.watch(t, url, w.token(t, auth.Customer))
	another := w.token(t, auth.Customer, subject("usr_2"))
	rec := w.ask(http.MethodGet, paid, another)
	assert.Equal(t, http.StatusServiceUnavailable, rec.Code)
	assert.Equal(t, "unavailable", code(t, rec))
	assert.NotEmpty(t, rec.Header().Get("Retry-After"))
	leave()
	assert.Eventually(t, func() bool { return w.ask(http.MethodGet, paid, another).Code == http.StatusOK },
		10*time.Second, 5*time.Millisecond, "the place of a client that left is free again")
}

func TestAUserHasSoManyStreams(t *testing.T) {
	w := newWorld(t, func(cfg *gateway.Config) { cfg.UserStreams = 2 })
	url := w.serves(t)
	token := w.token(t, auth.Customer)
	w.watch(t, url, token)
	_, leave := w.watch(t, url, token)
	rec := w.ask(http.MethodGet, paid, token)
	assert.Equal(t, http.StatusTooManyRequests, rec.Code)
	assert.Equal(t, "rate_limited", code(t, rec))
	assert.NotEmpty(t, rec.Header().Get("Retry-After"))
	w.watch(t, url, w.token(t, auth.Customer, subject("usr_2"))) // others are not affected
	leave()
	assert.Eventually(t, func() bool { return w.ask(http.MethodGet, paid, token).Code == http.StatusOK },
		10*time.Second, 5*time.Millisecond, "the place of a stream that ended is free again")
}

// TestAStreamIsResumedAtAnotherReplica has one end with its program, as in a rollout, and its
// client go on at a replica that has never heard of it.
func TestAStreamIsResumedAtAnotherReplica(t *testing.T) {
	ending, staying := newWorld(t), newWorld(t)
	staying.public = ending.public // both verify with the keys of users
	token := ending.token(t, auth.Customer)
	stream, _ := ending.watch(t, ending.serves(t), token)
	close(ending.closing)
	rest, err := io.ReadAll(stream)
	require.NoError(t, err)
	assert.Empty(t, string(rest), "no end event")

	var history atomic.Int32
	history.Store(2)
	staying.answers(grows(&history))
	last := set(map[string]string{"Last-Event-ID": "1"})
	rec := staying.ask(http.MethodGet, events, token, last)
	assert.Equal(t, second+end, rec.Body.String(), "what came since, once, and the end")
}

func TestStreamsEndWhenTheProgramIsAboutTo(t *testing.T) {
	w := newWorld(t)
	url := w.serves(t)
	token := w.token(t, auth.Customer)
	stream, _ := w.watch(t, url, token)
	close(w.closing)
	rest, err := io.ReadAll(stream)
	require.NoError(t, err, "the answer ends in order")
	assert.Empty(t, string(rest), "without an end event, so the client resumes it elsewhere")
	assert.Equal(t, first, w.ask(http.MethodGet, events, token).Body.String(), "who comes now is told what there is, and ends too")
}
