package http_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/mux"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/gateway"
	gatewayhttp "sidecart.dev/gateway/http"
	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/chassis"
	"sidecart.dev/kit/web"
)

// attempt is a request as it reached the sidecar.
type attempt struct {
	at    time.Duration // since the first
	body  string
	left  string // the time that the service is told it has, in milliseconds
	ended bool   // by the gateway, before there was an answer
}

// replicas is a sidecar in front of a service. What becomes of an attempt says its number.
type replicas struct {
	becomes func(n int) fate

	signer world // of tokens

	mu    sync.Mutex
	start time.Time
	took  []*attempt
}

// fate is what becomes of an attempt, after a while.
type fate struct {
	after  time.Duration // 0 and no loss: never
	lost   bool
	status int // of the answer; 0: OK
}

var hangs = fate{}

func answers(after time.Duration) fate { return fate{after: after} }

func (f *replicas) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	f.mu.Lock()
	if len(f.took) == 0 {
		f.start = time.Now()
	}
	a := &attempt{
		at: time.Since(f.start), body: string(body), left: r.Header.Get(web.TimeoutHeader),
	}
	f.took = append(f.took, a)
	fate := f.becomes(len(f.took))
	f.mu.Unlock()
	var over <-chan time.Time
	if fate != hangs {
		over = time.After(fate.after)
	}
	select {
	case <-r.Context().Done():
		f.mu.Lock()
		defer f.mu.Unlock()
		a.ended = true
		return nil, r.Context().Err()
	case <-over:
	}
	if fate.lost {
		return nil, errors.New("connection reset")
	}
	if fate.status != 0 {
		return &http.Response{
			StatusCode: fate.status, Request: r, Body: io.NopCloser(strings.NewReader(`{"code":"busy"}`)),
			Header: http.Header{"Content-Type": {web.ProblemType}},
		}, nil
	}
	return &http.Response{
		StatusCode: http.StatusOK, Request: r, Body: io.NopCloser(strings.NewReader(`{"from":"a service"}`)),
		Header: http.Header{web.RequestIDHeader: {"r1"}, "Content-Type": {"application/json"}},
	}, nil
}

// attempts returns what reached the sidecar, once nothing is under way any more.
func (f *replicas) attempts() []*attempt {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.took
}

// before is a gateway before the replicas, whose requests may take 10 s.
func (f *replicas) before(t *testing.T) http.Handler {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	f.signer.private = private
	keys := auth.NewKeyCache(func(context.Context) (auth.JWKS, error) {
		return auth.JWKS{Keys: []auth.JWK{auth.NewJWK("k1", public)}}, nil
	}, nil)
	server, err := gatewayhttp.New(gatewayhttp.Deps{
		Verifier: auth.NewVerifier(keys, nil),
		Config: gateway.Config{
			Config: chassis.Config{Timeout: 10 * time.Second}, AddressRate: 1e6, UserRate: 1e6,
			SensitiveRate: 1e6, ForwardedHeader: gateway.ForwardedFor,
		},
		SidecarAddr: "sidecar", Transport: f,
	})
	require.NoError(t, err)
	r := mux.NewRouter()
	r.UseEncodedPath()
	server.Routes(r)
	return server.Around(r)
}

func read(h http.Handler) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/products", http.NoBody))
	return w
}

func (f *replicas) write(t *testing.T, h http.Handler, key string) *httptest.ResponseRecorder {
	t.Helper()
	w, r := httptest.NewRecorder(), newRequest(http.MethodPost, "/api/v1/orders", strings.NewReader("{}"))
	r.Header.Set("Authorization", "Bearer "+f.signer.token(t, auth.Customer))
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	h.ServeHTTP(w, r)
	return w
}

func TestARequestThatHangsIsAskedOnceMoreWhileThereIsTime(t *testing.T) {
	type asking func(*replicas, *testing.T, http.Handler) *httptest.ResponseRecorder
	for name, ask := range map[string]asking{
		"a read": func(_ *replicas, _ *testing.T, h http.Handler) *httptest.ResponseRecorder { return read(h) },
		"a write with a key": func(f *replicas, t *testing.T, h http.Handler) *httptest.ResponseRecorder {
			return f.write(t, h, "k")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &replicas{becomes: func(n int) fate {
					if n == 1 {
						return hangs
					}
					return answers(time.Millisecond)
				}}
				start := time.Now()
				rec := ask(f, t, f.before(t))
				assert.Equal(t, http.StatusOK, rec.Code, rec.Body)
				assert.Equal(t, 2001*time.Millisecond, time.Since(start))
				took := f.attempts()
				require.Len(t, took, 2)
				assert.True(t, took[0].ended, "nobody waits for the first one any more")
				assert.Equal(t, "10000", took[0].left)
				assert.Equal(t, "8000", took[1].left)
				assert.Equal(t, took[0].body, took[1].body, "the body is whole each time")
			})
		})
	}
}

// A login with a key is not one of the requests that services recognise by their key.
func TestAKeyWhereNoServiceLooksAtItMakesNothingRepeatable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &replicas{becomes: func(int) fate { return hangs }}
		r := newRequest(http.MethodPost, "/api/v1/sessions", strings.NewReader("{}"))
		r.Header.Set("Idempotency-Key", "k")
		w := httptest.NewRecorder()
		f.before(t).ServeHTTP(w, r)
		assert.Equal(t, http.StatusGatewayTimeout, w.Code)
		assert.Len(t, f.attempts(), 1)
	})
}

func TestAReplicaThatRefusesTakesNothingFromASlowOneThatDoesIt(t *testing.T) {
	refuses := fate{after: time.Millisecond, status: http.StatusServiceUnavailable}
	for name, c := range map[string]struct {
		first fate
		code  int
		after time.Duration
	}{
		"the slow one answers": {answers(3 * time.Second), 200, 3 * time.Second},
		"the slow one is lost": {fate{after: 3 * time.Second, lost: true}, 503, 3 * time.Second},
		"the slow one hangs":   {hangs, 503, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &replicas{becomes: func(n int) fate { return []fate{c.first, refuses}[n-1] }}
				start := time.Now()
				assert.Equal(t, c.code, read(f.before(t)).Code)
				assert.Equal(t, c.after, time.Since(start))
				assert.Len(t, f.attempts(), 2)
			})
		})
	}
}

func TestAWriteWithoutAKeyThatHangsIsSentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &replicas{becomes: func(int) fate { return hangs }}
		start := time.Now()
		rec := f.write(t, f.before(t), "")
		assert.Equal(t, http.StatusGatewayTimeout, rec.Code)
		assert.Equal(t, 10*time.Second, time.Since(start))
		assert.Len(t, f.attempts(), 1)
	})
}

func TestASlowServiceIsNotCutOff(t *testing.T) {
	for after, asked := range map[time.Duration]int{
		1900 * time.Millisecond: 1, 4500 * time.Millisecond: 3, 9900 * time.Millisecond: 5,
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &replicas{becomes: func(n int) fate {
				if n == 1 {
					return answers(after)
				}
				return hangs
			}}
			start := time.Now()
			rec := read(f.before(t))
			assert.Equal(t, http.StatusOK, rec.Code)
			assert.Equal(t, after, time.Since(start), "the first attempt has the answer")
			took := f.attempts()
			assert.Len(t, took, asked)
			assert.False(t, took[0].ended)
		})
	}
}

func TestAnAttemptThatIsLostBesideOneThatHangsIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &replicas{becomes: func(n int) fate {
			return []fate{hangs, {lost: true}, {lost: true}, answers(time.Millisecond)}[n-1]
		}}
		start := time.Now()
		assert.Equal(t, http.StatusOK, read(f.before(t)).Code)
		assert.Equal(t, 2601*time.Millisecond, time.Since(start), "2 s, and pauses of 200 and 400 ms")
	})
}

func TestWhatAllReplicasLeaveUnansweredIsA504AfterFiveAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &replicas{becomes: func(int) fate { return hangs }}
		start := time.Now()
		assert.Equal(t, http.StatusGatewayTimeout, read(f.before(t)).Code)
		assert.Equal(t, 10*time.Second, time.Since(start))
		var at []time.Duration
		for _, a := range f.attempts() {
			at = append(at, a.at)
			assert.True(t, a.ended)
		}
		assert.Equal(t, []time.Duration{0, 2 * time.Second, 4 * time.Second, 6 * time.Second, 8 * time.Second}, at)
	})
}

// TestAServiceThatHasTooMuchToDoIsNotBuried asks a service that answers nobody at all.
func TestAServiceThatHasTooMuchToDoIsNotBuried(t *testing.T) {
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(slog.DiscardHandler))
	synctest.Test(t, func(t *testing.T) {
		f := &replicas{becomes: func(int) fate { return hangs }}
		h := f.before(t)
		const clients = 500
		var all sync.WaitGroup
		for range clients {
			all.Go(func() { read(h) })
		}
		time.Sleep(9 * time.Second)
		assert.Equal(t, clients+200, len(f.attempts()))
		all.Wait()
	})
}
