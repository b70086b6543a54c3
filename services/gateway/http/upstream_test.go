package http_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/web"
)

// sidecarSays is what a sidecar answers in place of a service that it cannot reach.
func sidecarSays(rw http.ResponseWriter, _ *http.Request) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(http.StatusInternalServerError)
	_, _ = rw.Write([]byte(`{"errorCode":"ERR_DIRECT_INVOKE","message":"failed to invoke, id: orders, err: dial tcp 10.0.0.1:50002"}`))
}

func TestAServiceThatIsDownIsAQuickHonest503(t *testing.T) {
	w := newWorld(t)
	w.answers(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get(sidecar.AppIDHeader) == "orders" {
			sidecarSays(rw, r)
			return
		}
		_, _ = rw.Write([]byte("{}"))
	})
	for range 10 {
		rec := w.ask(http.MethodGet, "/api/v1/products", "")
		assert.Equal(t, http.StatusServiceUnavailable, rec.Code)
		assert.Equal(t, "unavailable", code(t, rec))
		assert.NotEmpty(t, rec.Header().Get("Retry-After"))
		assert.NotContains(t, rec.Body.String(), "10.0.0.1", "what the sidecar says stays inside")
	}
	assert.Len(t, w.took(), 5, "after five failures in a row the service is left alone for a while")
	assert.Equal(t, http.StatusOK, w.ask(http.MethodGet, "/.well-known/jwks.json", "").Code, "other services are not affected")
}

func TestAServicesOwnErrorIsPassedOn(t *testing.T) {
	w := newWorld(t)
	w.answers(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", web.ProblemType)
		rw.Header().Set("Retry-After", "7")
		rw.WriteHeader(http.StatusServiceUnavailable)
		_, _ = rw.Write([]byte(`{"status":503,"code":"unavailable","detail":"Too much work is waiting."}`))
	})
	for range 10 {
		rec := w.ask(http.MethodGet, "/api/v1/products", "")
		assert.Equal(t, http.StatusServiceUnavailable, rec.Code)
		assert.Equal(t, "7", rec.Header().Get("Retry-After"))
		assert.Contains(t, rec.Body.String(), "Too much work")
	}
	assert.Len(t, w.took(), 10, "a service that answers is there")
}

func TestABodyThatIsTooLargeIsRefused(t *testing.T) {
	w := newWorld(t)
	w.answers(func(rw http.ResponseWriter, r *http.Request) {
		buf := make([]byte, 1<<20)
		for {
			if _, err := r.Body.Read(buf); err != nil {
				break
			}
		}
		rw.WriteHeader(http.StatusOK)
	})
	rec := w.ask(http.MethodPost, "/api/v1/sessions", "", func(r *http.Request) {
		large := strings.NewReader(strings.Repeat("x", web.MaxBody+1))
		*r = *newRequest(http.MethodPost, "/api/v1/sessions", large)
	})
	assert.Equal(t, http.StatusRequestEntityTooLarge, rec.Code)
	assert.Equal(t, "body_too_large", code(t, rec))
}

func TestAQueryIsReadOnce(t *testing.T) {
	w := newWorld(t)
	assert.Equal(t, http.StatusBadRequest, w.ask(http.MethodGet, "/api/v1/products?a=%25&b=%zz", "").Code)
	assert.Equal(t, http.StatusBadRequest, w.ask(http.MethodGet, "/api/v1/products?a=1;b=2", "").Code)
	assert.Empty(t, w.took())
	w.ask(http.MethodGet, "/api/v1/products?limit=5&cursor=a%2Fb", "")
	assert.Equal(t, "cursor=a%2Fb&limit=5", w.took()[0].URL.RawQuery)
}

func TestLargeAnswersAreCompressedForWhoAsks(t *testing.T) {
	w := newWorld(t)
	w.answers(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		_, _ = rw.Write([]byte(`{"text":"` + strings.Repeat("sidecart ", 1000) + `"}`))
	})
	asked := set(map[string]string{"Accept-Encoding": "gzip"})
	rec := w.ask(http.MethodGet, "/api/v1/products", "", asked)
	assert.Equal(t, "gzip", rec.Header().Get("Content-Encoding"))
	assert.Less(t, rec.Body.Len(), 1000)
	assert.Empty(t, w.ask(http.MethodGet, "/api/v1/products", "").Header().Get("Content-Encoding"))
	assert.Empty(t, w.ask(http.MethodPost, "/api/v1/sessions", "", asked).Header().Get("Content-Encoding"), "tokens are not compressed")
}

// cuts closes the connection instead of answering.
func cuts(t *testing.T, rw http.ResponseWriter) {
	conn, _, err := http.NewResponseController(rw).Hijack()
	if assert.NoError(t, err) {
		_ = conn.Close()
	}
}

func TestAReadIsRepeatedWhenItsConnectionWasLost(t *testing.T) {
	w := newWorld(t)
	w.ask(http.MethodGet, "/api/v1/products", "", bodiless)
	require.Len(t, w.took(), 1, "and its connection is kept")
	var cut atomic.Bool
	w.answers(func(rw http.ResponseWriter, _ *http.Request) {
		if cut.CompareAndSwap(false, true) {
			cuts(t, rw)
			return
		}
		_, _ = rw.Write([]byte("{}"))
	})
	assert.Equal(t, http.StatusOK, w.ask(http.MethodGet, "/api/v1/products", "", bodiless).Code, "a sidecar that was restarted is not noticed")
	assert.Len(t, w.took(), 2)
}

func bodiless(r *http.Request) { r.Body, r.ContentLength = http.NoBody, 0 }

func TestAWriteIsSentOnce(t *testing.T) {
	w := newWorld(t)
	w.ask(http.MethodGet, "/api/v1/products", "", bodiless)
	w.took()
	w.answers(func(rw http.ResponseWriter, _ *http.Request) { cuts(t, rw) })
	for _, change := range []func(*http.Request){func(*http.Request) {}, bodiless} {
		rec := w.ask(http.MethodPost, "/api/v1/orders/x/cancel", w.token(t, auth.Customer), change)
		assert.Equal(t, http.StatusServiceUnavailable, rec.Code)
		assert.Equal(t, "unavailable", code(t, rec))
		assert.Len(t, w.took(), 1, "whether to repeat it is the client's to say")
	}
}

func TestTheLogOfAFailureDoesNotTellTheQuery(t *testing.T) {
	w := newWorld(t)
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	w.answers(func(rw http.ResponseWriter, _ *http.Request) { cuts(t, rw) })
	w.ask(http.MethodGet, "/api/v1/products?cursor=hidden", "")
	assert.Contains(t, log.String(), `error="The service orders is not available`, "that it failed is told")
	assert.NotContains(t, log.String(), "hidden")
}

// unreachableFirst lets the sidecar say of the first calls that it cannot reach the service.
func unreachableFirst(w *world, times int32) *atomic.Int32 {
	var calls atomic.Int32
	w.answers(func(rw http.ResponseWriter, r *http.Request) {
		if calls.Add(1) <= times {
			sidecarSays(rw, r)
			return
		}
		rw.Header().Set("Content-Type", web.ProblemType)
		rw.WriteHeader(http.StatusConflict)
		if n, _ := io.Copy(rw, r.Body); n == 0 {
			_, _ = rw.Write([]byte("{}"))
		}
	})
	return &calls
}

func TestWhatCanBeAskedAgainOutlivesAReplicaThatEnds(t *testing.T) {
	for name, ask := range map[string]func(*world) *httptest.ResponseRecorder{
		"a read": func(w *world) *httptest.ResponseRecorder {
			return w.ask(http.MethodGet, "/api/v1/products", "", func(r *http.Request) { r.Body, r.ContentLength = http.NoBody, 0 })
		},
		"a write with an idempotency key": func(w *world) *httptest.ResponseRecorder {
			keyed := func(r *http.Request) { r.Header.Set("Idempotency-Key", "k") }
			return w.ask(http.MethodPost, "/api/v1/orders", w.token(t, auth.Customer), keyed)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			calls := unreachableFirst(w, 2)
			rec := ask(w)
			assert.Equal(t, http.StatusConflict, rec.Code, "the answer of the service")
			assert.EqualValues(t, 3, calls.Load())
			if name != "a read" {
				assert.JSONEq(t, `{}`, rec.Body.String(), "the body is sent whole each time")
			}
		})
	}
}

func TestAWriteWithoutAKeyIsSentOnce(t *testing.T) {
	w := newWorld(t)
	calls := unreachableFirst(w, 1)
	rec := w.ask(http.MethodPost, "/api/v1/users", "")
	assert.Equal(t, http.StatusServiceUnavailable, rec.Code)
	assert.EqualValues(t, 1, calls.Load())
}
