package deadletter_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gorilla/mux"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/deadletter"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/service/servicetest"
	"sidecart.dev/kit/sidecar/sidecartest"
)

// desk is the store behind its routes, with tokens that are really verified.
type desk struct {
	*mux.Router
	*deadletter.Store
	sidecar *servicetest.Sidecar
	outcome error // of a replay
}

func open(t *testing.T) *desk {
	t.Helper()
	d := &desk{
		Router: mux.NewRouter(), Store: deadletter.New(sidecartest.NewState(), "payments"),
		sidecar: servicetest.NewSidecar(t),
	}
	d.Routes(d.sidecar.Access(t, "payments", d.Router), d)
	return d
}

// Handle makes the desk its own consumer.
func (d *desk) Handle(ctx context.Context, topic string, e event.Event) error {
	return replayed(d.outcome)(ctx, topic, e)
}

func (d *desk) do(method, path, authorization string) *httptest.ResponseRecorder {
	w, r := httptest.NewRecorder(), httptest.NewRequest(method, "/api/v1/admin/dead-letters"+path, nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	d.ServeHTTP(w, r)
	return w
}

func TestOnlyOperatorsSeeAndTouchDeadLetters(t *testing.T) {
	d := open(t)
	id := only(t, d.Store, poison(t, "ord_1", 1)).ID
	customer := d.sidecar.AsUser(t, "usr_1", auth.Customer)
	for _, route := range []struct{ method, path string }{
		{http.MethodGet, ""}, {http.MethodGet, "/" + id}, {http.MethodPost, "/" + id + "/replay"}, {http.MethodDelete, "/" + id},
	} {
		for authorization, status := range map[string]int{"": 401, "Bearer nonsense": 401, customer: 403} {
			w := d.do(route.method, route.path, authorization)
			assert.Equal(t, status, w.Code, "%s %s", route.method, route.path)
			assert.NotContains(t, w.Body.String(), "ord_1")
		}
	}
	assert.Len(t, all(t, d.Store), 1, "nobody has replayed or discarded it")
}

func TestOperatorsListInspectReplayAndDiscard(t *testing.T) {
	d := open(t)
	for _, id := range []string{"ord_1", "ord_2", "ord_3"} {
		require.NoError(t, d.Keep(t.Context(), poison(t, id, 1)))
	}
	operator := d.sidecar.AsUser(t, "usr_1", auth.Operator)
	list := func(query string) (items []deadletter.Letter, next *string) {
		w := d.do(http.MethodGet, query, operator)
		require.Equal(t, 200, w.Code)
		var page struct {
			Items []deadletter.Letter `json:"items"`
			Next  *string             `json:"next_cursor"`
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &page))
		return page.Items, page.Next
	}
	first, next := list("?limit=2")
	require.Len(t, first, 2)
	require.NotNil(t, next)
	rest, end := list("?limit=2&cursor=" + *next)
	require.Len(t, rest, 1)
	assert.Nil(t, end)
	assert.Equal(t, []string{"ord_3:1:order.placed.v1", "ord_2:1:order.placed.v1", "ord_1:1:order.placed.v1"},
		[]string{first[0].EventID, first[1].EventID, rest[0].EventID})

	inspect := d.do(http.MethodGet, "/"+first[0].ID, operator)
	assert.Equal(t, 200, inspect.Code)
	assert.Contains(t, inspect.Body.String(), `"attempts":1`)

	d.outcome = errors.New("still no total")
	assert.Equal(t, 202, d.do(http.MethodPost, "/"+first[0].ID+"/replay", operator).Code, "it was replayed, and failed")
	assert.Contains(t, d.do(http.MethodGet, "/"+first[0].ID, operator).Body.String(), "still no total")
	d.outcome = nil
	assert.Equal(t, 202, d.do(http.MethodPost, "/"+first[0].ID+"/replay", operator).Code)
	assert.Equal(t, 404, d.do(http.MethodPost, "/"+first[0].ID+"/replay", operator).Code)
	assert.Equal(t, 204, d.do(http.MethodDelete, "/"+first[1].ID, operator).Code)
	assert.Equal(t, 404, d.do(http.MethodDelete, "/"+first[1].ID, operator).Code)
	assert.Equal(t, 404, d.do(http.MethodGet, "/"+first[1].ID, operator).Code)
	for _, query := range []string{"?limit=0", "?limit=x", "?cursor=nonsense"} {
		assert.Equal(t, 400, d.do(http.MethodGet, query, operator).Code, query)
	}
	left, _ := list("")
	assert.Len(t, left, 1)
}
