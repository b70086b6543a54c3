package service_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/service/servicetest"
	"sidecart.dev/kit/web"
)

// TestItStopsInOneOrder holds shutting down against its order: requests in flight finish, then what
// is under way in the background, while the journal still takes intents, and then the journal is
// closed.
func TestItStopsInOneOrder(t *testing.T) {
	s := servicetest.Fake(t, "parcels", servicetest.NewSidecar(t), nil)
	var mu sync.Mutex
	var order []string
	note := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, what)
	}
	inFlight, release := make(chan struct{}), make(chan struct{})
	s.ThroughSidecar().Handle("/slow", web.Handler(func(w http.ResponseWriter, _ *http.Request) error {
		close(inFlight)
		<-release
		note("request")
		w.WriteHeader(http.StatusOK)
		return nil
	}))
	s.Settles("parcel", journal.SettlerFunc(func(context.Context, []journal.Entry) ([]string, error) { return nil, nil }))
	s.Drains(func(ctx context.Context) {
		_, err := s.Journal.Begin(ctx, "parcel/1")
		assert.NoError(t, err, "the journal is open while others drain")
		note("drained")
	})
	url, stop := servicetest.Start(t, s)
	answered := make(chan int, 1)
	go func() {
		resp, err := http.Get(url + "/slow")
		if err != nil {
			answered <- 0
			return
		}
		_ = resp.Body.Close()
		answered <- resp.StatusCode
	}()
	<-inFlight
	time.AfterFunc(50*time.Millisecond, func() { close(release) })
	require.NoError(t, stop())
	assert.Equal(t, http.StatusOK, <-answered)
	assert.Equal(t, []string{"request", "drained"}, order)
	assert.Error(t, s.Journal.Ready(), "closed")
}

// TestASuccessorTakesOverAtOnce needs the name that a process has in common with the one before it
// at the same place.
func TestASuccessorTakesOverAtOnce(t *testing.T) {
	sidecar := servicetest.NewSidecar(t)
	first := servicetest.Fake(t, "parcels", sidecar, nil)
	settled := make(chan string, 10)
	settles := journal.SettlerFunc(func(_ context.Context, entries []journal.Entry) (ids []string, err error) {
		for _, e := range entries {
			settled <- e.ID
			ids = append(ids, e.ID)
		}
		return ids, nil
	})
	first.Settles("parcel", journal.SettlerFunc(func(context.Context, []journal.Entry) ([]string, error) { return nil, nil }))
	_, stop := servicetest.Start(t, first)
	_, err := first.Journal.Begin(t.Context(), "parcel/1")
	require.NoError(t, err)
	_, err = first.Journal.Begin(t.Context(), "2")
	require.NoError(t, err)
	require.NoError(t, stop())

	second := servicetest.Fake(t, "parcels", sidecar, nil)
	second.Settles("parcel", settles)
	servicetest.Start(t, second)
	got := map[string]bool{<-settled: true, <-settled: true}
	assert.Equal(t, map[string]bool{"1": true, "2": true}, got, "an id from before there were kinds is of the first")
}
