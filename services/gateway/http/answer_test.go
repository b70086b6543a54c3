package http_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/web"
)

// breaks are the ways in which an answer ends too early: its connection is cut, or the sidecar
// ends it in order although the service's own has been lost.
var breaks = map[string]func(){
	"with its connection": func() { panic(http.ErrAbortHandler) },
	"in order":            func() {},
}

// breaksOff answers with less than the whole, as often as it is told to, and then with the whole.
func breaksOff(w *world, status int, whole string, by func(), times int32) *atomic.Int32 {
	var calls atomic.Int32
	w.answers(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		if status >= http.StatusBadRequest {
			rw.Header().Set("Content-Type", web.ProblemType)
		}
		rw.WriteHeader(status)
		if calls.Add(1) > times {
			_, _ = rw.Write([]byte(whole))
			return
		}
		_, _ = rw.Write([]byte(whole[:len(whole)/2]))
		_ = http.NewResponseController(rw).Flush()
		by()
	})
	return &calls
}

// TestAnAnswerThatBreaksOffIsAskedForAgain has a service, or its sidecar, die in the middle of it.
func TestAnAnswerThatBreaksOffIsAskedForAgain(t *testing.T) {
	long := `{"items":["` + strings.Repeat("x", 100_000) + `"]}`
	for name, c := range map[string]struct {
		path, whole string
		status      int
	}{
		"a small answer":      {"/api/v1/orders", `{"items":[]}`, http.StatusOK},
		"a large answer":      {"/api/v1/orders", long, http.StatusOK},
		"a service's refusal": {"/api/v1/orders/x", `{"status":404}`, http.StatusNotFound},
		"a stream's refusal":  {events, `{"status":404}`, http.StatusNotFound},
	} {
		for how, by := range breaks {
			t.Run(name+" "+how, func(t *testing.T) {
				w := newWorld(t)
				calls := breaksOff(w, c.status, c.whole, by, 1)
				rec := w.ask(http.MethodGet, c.path, w.token(t, auth.Customer), bodiless)
				assert.Equal(t, c.status, rec.Code)
				assert.Equal(t, c.whole, rec.Body.String())
				assert.EqualValues(t, 2, calls.Load())
			})
		}
	}
}

// TestAnAnswerThatBreaksOffIsNotPassedForAWholeOne where its request must not be sent again.
func TestAnAnswerThatBreaksOffIsNotPassedForAWholeOne(t *testing.T) {
	for how, by := range breaks {
		t.Run(how, func(t *testing.T) {
			w := newWorld(t)
			calls := breaksOff(w, http.StatusOK, `{"status":"cancelled"}`, by, 1)
			rec := w.ask(http.MethodPost, "/api/v1/orders/x/cancel", w.token(t, auth.Customer))
			assert.Equal(t, http.StatusServiceUnavailable, rec.Code)
			assert.Equal(t, "unavailable", code(t, rec))
			assert.EqualValues(t, 1, calls.Load())
		})
	}
}

// TestASuccessThatNoServiceGaveIsNotPassedOn plays what a sidecar may answer for a call whose
// connection to the service broke off.
func TestASuccessThatNoServiceGaveIsNotPassedOn(t *testing.T) {
	w := newWorld(t)
	w.answers(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Del(web.RequestIDHeader)
		rw.WriteHeader(http.StatusOK)
	})
	rec := w.ask(http.MethodPost, "/api/v1/orders", w.token(t, auth.Customer))
	assert.Equal(t, http.StatusServiceUnavailable, rec.Code, rec.Body.String())
	assert.Equal(t, "unavailable", code(t, rec))
}
