package heard_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/consumer"
	"sidecart.dev/kit/deadletter"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/heard"
	"sidecart.dev/kit/sidecar/sidecartest"
)

func TestAnEventIsSaidToBeAcceptedOnceItsHandlerHasSucceededAndNotBefore(t *testing.T) {
	state := sidecartest.NewState()
	events := heard.New(state)
	c := consumer.New("orders", deadletter.New(state, "orders"))
	fails := true
	handler := func(context.Context, event.Event) error {
		if fails {
			return fault.New(fault.Unavailable, "unavailable", "not now")
		}
		return nil
	}
	noted := events.Registrar(c, "user.deleted.v1")
	noted.On("users", "user.deleted.v1", handler)
	noted.On("users", "user.registered.v1", handler)

	deleted := event.Event{SpecVersion: "1.0", ID: "usr_a:3:user.deleted.v1", Source: "/sidecart/users", Type: "user.deleted.v1"}
	registered := event.Event{SpecVersion: "1.0", ID: "usr_a:1:user.registered.v1", Source: "/sidecart/users", Type: "user.registered.v1"}
	ask := func() []string {
		accepted, err := events.Accepted(t.Context(), []string{deleted.ID, "usr_b:3:user.deleted.v1", registered.ID})
		require.NoError(t, err)
		return accepted
	}
	require.Error(t, c.Handle(t.Context(), "users", deleted))
	assert.Empty(t, ask(), "its handler has failed")
	fails = false
	for range 2 {
		require.NoError(t, c.Handle(t.Context(), "users", deleted))
	}
	require.NoError(t, c.Handle(t.Context(), "users", registered))
	assert.Equal(t, []string{deleted.ID}, ask(), "other types are not remembered")

	lost := fault.New(fault.Unavailable, "unavailable", "no store")
	state.Before = func(_ context.Context, _ sidecartest.Op, key string) error {
		if strings.HasPrefix(key, "heard/") {
			return lost
		}
		return nil
	}
	_, err := events.Accepted(t.Context(), []string{deleted.ID})
	assert.ErrorIs(t, err, lost, "not knowing is no answer")
	deleted.ID = "usr_c:3:user.deleted.v1"
	assert.ErrorIs(t, c.Handle(t.Context(), "users", deleted), lost, "what is not remembered has to come again")
}

func TestTheQuestionIsBounded(t *testing.T) {
	answer := heard.Answer(heard.New(sidecartest.NewState()).Accepted)
	ids := func(n int, id string) string {
		raw, err := json.Marshal(map[string]any{"event_ids": strings.Split(strings.Repeat(id+" ", n-1)+id, " ")})
		require.NoError(t, err)
		return string(raw)
	}
	for body, want := range map[string]int{
		ids(500, "a"): 200, ids(501, "a"): 400, ids(1, strings.Repeat("a", 257)): 400, `{"event_ids":[""]}`: 400, `{"ids":[]}`: 400, `{"event_ids":[]}`: 200,
	} {
		w := httptest.NewRecorder()
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/internal/orders/accepted", strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		answer.ServeHTTP(w, req)
		assert.Equal(t, want, w.Code, fmt.Sprintf("%.60s: %s", body, w.Body))
	}
}
