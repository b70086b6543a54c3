package http_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/auth"
)

// deadlines notes the write deadlines that a handler sets.
type deadlines struct {
	*httptest.ResponseRecorder
	set []time.Time
}

// SetWriteDeadline implements what [http.ResponseController] looks for.
func (d *deadlines) SetWriteDeadline(at time.Time) error {
	d.set = append(d.set, at)
	return nil
}

func TestAClientThatDoesNotReadIsCutOff(t *testing.T) {
	w := newWorld(t)
	token := w.token(t, auth.Customer)
	ask := func(path string) []time.Time {
		r := newRequest(http.MethodGet, path, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		d := &deadlines{ResponseRecorder: httptest.NewRecorder()}
		w.handler.ServeHTTP(d, r)
		require.Equal(t, http.StatusOK, d.Code)
		return d.set
	}
	for _, path := range []string{"/", "/api/v1/products", "/healthz"} {
		set := ask(path)
		require.Len(t, set, 1, path)
		assert.False(t, set[0].IsZero(), "%s: an answer has an end", path)
	}
	var n, asked atomic.Int32
	n.Store(1)
	order := grows(&n)
	w.answers(func(rw http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 3 {
			n.Store(2)
		}
		order(rw, r)
	})
	set := ask(events)
	require.Len(t, set, 4, "the request's, and one for each time that something may be written")
	for i := 1; i < len(set); i++ {
		assert.False(t, set[i].IsZero())
	}
	assert.True(t, set[3].After(set[1]), "a stream whose client reads goes on")
}
