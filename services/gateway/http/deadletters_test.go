package http_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/web"
)

const letters = "/api/v1/admin/dead-letters"

func TestDeadLettersAreListedServiceByService(t *testing.T) {
	w := newWorld(t)
	w.answers(func(rw http.ResponseWriter, r *http.Request) {
		app := r.Header.Get(sidecar.AppIDHeader)
		switch {
		case app == "payments":
			sidecarSays(rw, r)
		case r.URL.Query().Get("cursor") == "bad":
			rw.Header().Set("Content-Type", web.ProblemType)
			rw.WriteHeader(http.StatusBadRequest)
			_, _ = rw.Write([]byte(`{"status":400,"code":"invalid_cursor","detail":"No."}`))
		case app == "orders" && r.URL.Query().Get("cursor") == "":
			fmt.Fprint(rw, `{"items":[{"id":"orders.1"}],"next_cursor":"abc"}`)
		case app == "orders":
			fmt.Fprint(rw, `{"items":[{"id":"orders.2"}],"next_cursor":null}`)
		default:
			fmt.Fprint(rw, `{"items":[{"id":"notifications.1"}],"next_cursor":null}`)
		}
	})
	operator := w.token(t, auth.Operator)
	pages := []struct{ query, want string }{
		{"", `{"items":[{"id":"orders.1"}],"next_cursor":"orders.abc","unavailable":[]}`},
		{"?cursor=orders.abc", `{"items":[{"id":"orders.2"}],"next_cursor":"payments.","unavailable":[]}`},
		{"?cursor=payments.", `{"items":[{"id":"notifications.1"}],"next_cursor":null,"unavailable":["payments"]}`},
		{"?service=notifications", `{"items":[{"id":"notifications.1"}],"next_cursor":null,"unavailable":[]}`},
	}
	for _, page := range pages {
		rec := w.ask(http.MethodGet, letters+page.query, operator)
		assert.Equal(t, http.StatusOK, rec.Code)
		assert.JSONEq(t, page.want, rec.Body.String(), page.query)
	}
	for query, want := range map[string]string{"?service=users": "invalid_request", "?cursor=users.x": "invalid_cursor", "?cursor=orders.bad": "invalid_cursor"} {
		rec := w.ask(http.MethodGet, letters+query, operator)
		assert.Equal(t, http.StatusBadRequest, rec.Code, query)
		assert.Equal(t, want, code(t, rec), query)
	}
}

func TestADeadLettersServiceIsInItsID(t *testing.T) {
	w := newWorld(t)
	w.ask(http.MethodPost, letters+"/payments.abc/replay", w.token(t, auth.Operator))
	reached := w.took()
	assert.Len(t, reached, 1)
	assert.Equal(t, "payments", reached[0].Header.Get(sidecar.AppIDHeader))
	assert.Equal(t, letters+"/payments.abc/replay", reached[0].URL.Path)
}
