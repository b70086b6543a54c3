package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/aggregate/aggregatetest"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/sidecar/sidecartest"
)

func settler(p *Parcels) journal.Settler {
	return journal.NewKinds("", map[string]journal.Settler{"parcel": p.docs})
}

func TestWhatWasHeardIsShippedAndToldWhereverItDies(t *testing.T) {
	sidecartest.EachCrash(t, func(t *testing.T, p *sidecartest.Process) {
		state, bus, journal := sidecartest.NewState(), &sidecartest.Bus{}, aggregatetest.NewJournal()
		in := func(p *sidecartest.Process) *Parcels {
			carrier := bindingCarrier{p.Binding(&sidecartest.Binding{})}
			return NewParcels(p.State(state), journal.Of(p), p.Bus(bus), carrier)
		}
		paid := Paid{OrderID: "ord_1", UserID: "usr_ada"}
		parcels := in(p)
		err := parcels.Confirmed(t.Context(), event.Event{}, paid)
		parcels.docs.Drain(t.Context())

		lives := &sidecartest.Process{}
		parcels = in(lives)
		if err != nil { // it was not acknowledged, so it is delivered again
			require.NoError(t, parcels.Confirmed(t.Context(), event.Event{}, paid))
		}
		for range 3 {
			parcels.docs.Drain(t.Context())
			require.NoError(t, journal.Settle(t.Context(), lives, settler(parcels), time.Minute))
		}
		parcel, err := parcels.Of(t.Context(), "usr_ada", "ord_1")
		require.NoError(t, err)
		assert.Equal(t, Shipped, parcel.Status)
		assert.NotEmpty(t, bus.All("parcels"), "it was told")
		assert.Empty(t, journal.IDs(), "nothing is left to do")
	})
}
