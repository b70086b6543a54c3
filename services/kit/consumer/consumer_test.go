package consumer_test

import (
	"cmp"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/consumer"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
)

type letters struct {
	kept []event.DeadLetter
	err  error
}

func (l *letters) Keep(ctx context.Context, letter event.DeadLetter) error {
	if err := cmp.Or(l.err, ctx.Err()); err != nil {
		return err
	}
	l.kept = append(l.kept, letter)
	return nil
}

func message(t *testing.T) string {
	t.Helper()
	e, err := event.New("orders", "order.placed.v1", "ord_1", 1, time.Unix(0, 0), map[string]string{"order_id": "ord_1"})
	require.NoError(t, err)
	raw, err := e.Encode()
	require.NoError(t, err)
	return string(raw)
}

func TestTheOutcomeDecidesWhatTheBusDoes(t *testing.T) {
	cases := []struct {
		name    string
		body    string
		handler event.Handler
		status  int
		answer  string
		kept    string // reason of the dead letter
	}{
		{"applied", message(t), func(context.Context, event.Event) error { return nil }, 200, "", ""},
		{"a transient failure", message(t), func(context.Context, event.Event) error { return fault.New(fault.Unavailable, "unavailable", "later") }, 503, "", ""},
		{"an unknown failure", message(t), func(context.Context, event.Event) error { return assert.AnError }, 500, "", ""},
		{"poison", message(t), func(context.Context, event.Event) error {
			return fault.New(fault.Invalid, "invalid_event", "bad total")
		}, 200, "DROP", "bad total"},
		{"a handler that panics", message(t), func(context.Context, event.Event) error { panic("index out of range") }, 500, "", ""},
		{"no event at all", "hello", nil, 200, "DROP", "not a CloudEvent"},
		{"an event of a type nobody handles", strings.ReplaceAll(message(t), "order.placed.v1", "order.eaten.v9"), func(context.Context, event.Event) error { return assert.AnError }, 200, "", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			store := &letters{}
			w := deliver(store, c.handler, "/events/orders", c.body)
			assert.Equal(t, c.status, w.Code)
			if c.status == http.StatusOK && c.answer == "" {
				assert.Empty(t, w.Body.String(), "an acknowledgement has no body")
			}
			assert.Contains(t, w.Body.String(), c.answer)
			if c.kept == "" {
				assert.Empty(t, store.kept)
				return
			}
			require.Len(t, store.kept, 1)
			assert.Contains(t, store.kept[0].Reason, c.kept)
			assert.Equal(t, "orders", store.kept[0].Topic)
			assert.Equal(t, c.body, string(store.kept[0].Raw))
		})
	}
}

func deliver(store *letters, h event.Handler, path, body string) *httptest.ResponseRecorder {
	c := consumer.New("payments", store)
	c.On("orders", "order.placed.v1", h)
	r := mux.NewRouter()
	c.Routes(r)
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)))
	return w
}

func TestPoisonIsNotDroppedUntilItIsKept(t *testing.T) {
	store := &letters{err: fault.New(fault.Unavailable, "unavailable", "no store")}
	w := deliver(store, func(context.Context, event.Event) error { return fault.New(fault.Invalid, "x", "bad") }, "/events/orders", message(t))
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
}

func TestTheSameFactHasTheSameID(t *testing.T) {
	assert.Equal(t, event.ID("ord_1", 2, "order.cancelled.v1"), event.ID("ord_1", 2, "order.cancelled.v1"))
	assert.NotEqual(t, event.ID("ord_1", 2, "order.cancelled.v1"), event.ID("ord_1", 3, "order.cancelled.v1"))
}
