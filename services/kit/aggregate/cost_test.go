package aggregate_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar/sidecartest"
)

// TestWhatAWriteCosts holds each kind of write to the calls it needs.
func TestWhatAWriteCosts(t *testing.T) {
	w := newWorld(t)
	cost := func(work func(p *sidecartest.Process)) []string {
		p := &sidecartest.Process{}
		work(p)
		return p.Calls()
	}
	create := func(p *sidecartest.Process) {
		a := w.parcels(p)
		_, _, err := a.Create(t.Context(), "1", pack("1"))
		require.NoError(t, err)
		a.Drain(t.Context())
	}
	assert.Equal(t, []string{"begin parcel/1", "insert parcel/1", "publish parcels"},
		cost(create), "created")
	assert.Equal(t, []string{"begin parcel/1", "insert parcel/1", "get parcel/1"},
		cost(create), "created again")
	change := func(step string) func(p *sidecartest.Process) {
		return func(p *sidecartest.Process) {
			a := w.parcels(p)
			next := func(doc parcel) (parcel, error) { return doc.after(step), nil }
			_, err := a.Change(t.Context(), "1", next)
			require.NoError(t, err)
			a.Drain(t.Context())
		}
	}
	assert.Equal(t, []string{"get parcel/1", "update parcel/1", "publish parcels"},
		cost(change("shipped")), "what is not done is in the journal already")
	assert.Equal(t,
		[]string{"get parcel/1", "begin parcel/1", "update parcel/1", "publish parcels"},
		cost(change("returned")), "what was done may have been forgotten")
	assert.Equal(t, []string{"get parcel/1"}, cost(func(p *sidecartest.Process) {
		_, err := w.parcels(p).Change(t.Context(), "1", takeBack)
		require.NoError(t, err)
	}), "unchanged")
}

func TestWhatMayNotChangeIsNeitherBegunNorWritten(t *testing.T) {
	w, p := newWorld(t), &sidecartest.Process{}
	a := w.parcels(p)
	_, _, err := a.Create(t.Context(), "1", func() (parcel, error) {
		return parcel{}, fault.New(fault.Invalid, "invalid", "too heavy")
	})
	assert.True(t, fault.Is(err, fault.Invalid), "got %v", err)
	assert.Empty(t, p.Calls())
	_, _, err = a.Create(t.Context(), "1", pack("1"))
	require.NoError(t, err)
	a.Drain(t.Context())
	_, err = a.Change(t.Context(), "1", takeBack)
	assert.True(t, fault.Is(err, fault.Conflict), "got %v", err)
	w.settle()
	w.check("1", "packed", "shipped")
}
