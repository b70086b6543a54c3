package aggregate_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar/sidecartest"
)

// unasked is the service of a process that has nobody to ask which events were accepted.
func (w *world) unasked(p *sidecartest.Process) *aggregate.Aggregates[parcel] {
	a := w.parcels(p)
	a.DrivenBy(aggregate.Driver[parcel]{
		Drive: func(ctx context.Context, open []aggregate.Open[parcel]) (map[string]parcel, error) {
			return nil, aggregate.Each(ctx, open, func(o aggregate.Open[parcel]) error {
				_, err := w.drive(ctx, p, a, o.ID)
				return err
			})
		},
	})
	return a
}

// told fails the test unless every event of the parcel has reached the bus and nothing is left to
// do.
func (w *world) told(id string) {
	w.Helper()
	p := &sidecartest.Process{}
	a := w.unasked(p)
	for range 4 {
		require.NoError(w, w.journal.Settle(w.Context(), p, kinds(a), time.Hour))
	}
	assert.Empty(w, w.journal.IDs())
	doc, err := a.Get(w.Context(), id)
	require.NoError(w, err)
	events, err := doc.events()
	require.NoError(w, err)
	onTheBus := map[string]bool{}
	for _, m := range w.bus.All("parcels") {
		e, err := event.Parse(m.Body)
		require.NoError(w, err)
		onTheBus[e.ID] = true
	}
	require.NotEmpty(w, events)
	for _, e := range events {
		assert.True(w, onTheBus[e.ID], "the bus has never had %s", e.ID)
	}
}

func TestWithNobodyToAskEveryEventReachesTheBusWhereverItDies(t *testing.T) {
	sidecartest.EachCrash(t, func(t *testing.T, p *sidecartest.Process) {
		w := newWorld(t)
		a := w.unasked(p)
		_, _, err := a.Create(t.Context(), "1", pack("1"))
		a.Drain(t.Context())
		if err != nil {
			_, _, err = w.unasked(&sidecartest.Process{}).Create(t.Context(), "1", pack("1"))
			require.NoError(t, err)
		} else {
			_ = w.journal.Settle(t.Context(), p, kinds(a), time.Hour)
		}
		w.told("1")
	})
}

func TestWithNobodyToAskEveryEventReachesTheBusAfterItWasDown(t *testing.T) {
	w := newWorld(t)
	down := true
	w.bus.Before = func(context.Context, string) error {
		if down {
			return fault.New(fault.Unavailable, "unavailable", "no bus")
		}
		return nil
	}
	p := &sidecartest.Process{}
	a := w.unasked(p)
	_, _, err := a.Create(t.Context(), "1", pack("1"))
	require.NoError(t, err)
	a.Drain(t.Context())
	for range 3 {
		_ = w.journal.Settle(t.Context(), p, kinds(a), time.Hour)
	}
	assert.NotEmpty(t, w.journal.IDs(), "it still has something to tell")
	down = false
	w.told("1")
}
