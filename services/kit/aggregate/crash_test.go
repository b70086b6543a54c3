package aggregate_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/sidecar/sidecartest"
)

func kinds(a journal.Settler) journal.Settler {
	return journal.NewKinds("", map[string]journal.Settler{"parcel": a})
}

func TestWhereverItDiesWhatWasAcknowledgedIsFinished(t *testing.T) {
	for name, opts := range map[string][]aggregate.CreateOption{
		"one after the other": nil, "side by side": {aggregate.Alongside()},
		"the intent first": {aggregate.Beforehand()},
	} {
		t.Run("created, "+name, func(t *testing.T) {
			sidecartest.EachCrash(t, func(t *testing.T, p *sidecartest.Process) {
				w := newWorld(t)
				a := w.parcels(p)
				_, created, err := a.Create(t.Context(), "1", pack("1"), opts...)
				a.Drain(t.Context())
				w.settle()
				if err == nil {
					assert.True(t, created)
					w.check("1", "packed", "shipped")
					return
				}
				again := w.parcels(&sidecartest.Process{}) // the client repeats its request
				_, _, err = again.Create(t.Context(), "1", pack("1"), opts...)
				require.NoError(t, err)
				w.settle()
				w.check("1", "packed", "shipped")
			})
		})
	}
	t.Run("changed after it was done", func(t *testing.T) {
		sidecartest.EachCrash(t, func(t *testing.T, p *sidecartest.Process) {
			w := newWorld(t)
			w.shipped("1")
			a := w.parcels(p)
			_, err := a.Change(t.Context(), "1", takeBack)
			a.Drain(t.Context())
			w.settle()
			if err != nil {
				_, err = w.parcels(&sidecartest.Process{}).Change(t.Context(), "1", takeBack)
				require.NoError(t, err)
				w.settle()
			}
			w.check("1", "packed", "shipped", "returned", "stored")
		})
	})
	t.Run("settled", func(t *testing.T) {
		sidecartest.EachCrash(t, func(t *testing.T, p *sidecartest.Process) {
			w := newWorld(t)
			a := w.parcels(&sidecartest.Process{})
			_, _, err := a.Create(t.Context(), "1", pack("1"))
			require.NoError(t, err)
			a.Drain(t.Context())
			for range 4 {
				w.hear()
				_ = w.journal.Settle(t.Context(), p, kinds(w.parcels(p)), time.Hour)
			}
			w.settle()
			w.check("1", "packed", "shipped")
		})
	})
}

// shipped makes a parcel whose business is finished.
func (w *world) shipped(id string) {
	w.Helper()
	a := w.parcels(&sidecartest.Process{})
	_, _, err := a.Create(w.Context(), id, pack(id))
	require.NoError(w, err)
	a.Drain(w.Context())
	w.settle()
}

// TestAWriteThatStallsWhileOthersSettleIsNotForgotten holds a write up between the intent and its
// effect, until another process has settled the id, long after which it is carried out.
func TestAWriteThatStallsWhileOthersSettleIsNotForgotten(t *testing.T) {
	stall := func(w *world, op sidecartest.Op) {
		once := false
		w.state.Before = func(_ context.Context, o sidecartest.Op, key string) error {
			if o == op && key == "parcel/1" && !once {
				once = true
				other := &sidecartest.Process{}
				for range 3 {
					require.NoError(w, w.journal.Settle(w.Context(), other, kinds(w.parcels(other)), time.Hour))
				}
			}
			return nil
		}
	}
	t.Run("an insert", func(t *testing.T) {
		w := newWorld(t)
		stall(w, sidecartest.OpInsert)
		a := w.parcels(&sidecartest.Process{})
		_, created, err := a.Create(t.Context(), "1", pack("1"))
		require.NoError(t, err)
		assert.True(t, created, "over the tombstone")
		a.Drain(t.Context())
		w.settle()
		w.check("1", "packed", "shipped")
	})
	t.Run("an update", func(t *testing.T) {
		w := newWorld(t)
		w.shipped("1")
		stall(w, sidecartest.OpUpdate)
		a := w.parcels(&sidecartest.Process{})
		_, err := a.Change(t.Context(), "1", takeBack)
		require.NoError(t, err)
		a.Drain(t.Context())
		w.settle()
		w.check("1", "packed", "shipped", "returned", "stored")
	})
}

func TestWhatIsFencedOffDoesNotExist(t *testing.T) {
	w, p := newWorld(t), &sidecartest.Process{}
	a := w.parcels(p)
	_, err := w.journal.Of(p).Begin(t.Context(), "parcel/1")
	require.NoError(t, err)
	w.settle()
	assert.Equal(t, []string{"parcel/1"}, w.state.Keys(), "the tombstone")
	_, err = a.Get(t.Context(), "1")
	assert.True(t, sidecar.IsMissing(err), "got %v", err)
	all, err := a.GetAll(t.Context(), []string{"1"})
	require.NoError(t, err)
	assert.Empty(t, all)
	_, err = a.Change(t.Context(), "1", takeBack)
	assert.True(t, fault.Is(err, fault.NotFound), "got %v", err)
	doc, err := a.Put(t.Context(), "1", func(_ parcel, exists bool) (parcel, error) {
		assert.False(t, exists)
		return pack("1")()
	})
	require.NoError(t, err)
	assert.Equal(t, int64(1), doc.Version)
	assert.Equal(t, []string{"parcel/1"}, w.journal.IDs(), "a new intent")
}

func TestADocumentThatCannotBeReadIsAnErrorAndKeepsNoOtherFromItsEnd(t *testing.T) {
	w, p := newWorld(t), &sidecartest.Process{}
	a := w.parcels(p)
	for _, id := range []string{"1", "2"} {
		_, err := w.journal.Of(p).Begin(t.Context(), "parcel/"+id)
		require.NoError(t, err)
	}
	require.NoError(t, w.state.Insert(t.Context(), "parcel/1", []byte(`{"version":"one"}`)))
	_, err := a.Get(t.Context(), "1")
	assert.True(t, fault.Is(err, fault.Internal), "got %v", err)
	assert.Error(t, w.journal.Settle(t.Context(), p, kinds(a), time.Hour))
	assert.Equal(t, []string{"parcel/1"}, w.journal.IDs())
}

// TestAWriteOfUnknownOutcomeIsMadeImpossibleBeforeItIsForgotten plays a store that answers a write
// with an error and carries it out later.
func TestAWriteOfUnknownOutcomeIsMadeImpossibleBeforeItIsForgotten(t *testing.T) {
	w := newWorld(t)
	var late []byte
	w.state.Before = func(_ context.Context, op sidecartest.Op, _ string) error {
		if op == sidecartest.OpInsert && late == nil {
			late, _ = json.Marshal(parcel{ID: "1"}.after("packed"))
			return fault.New(fault.Timeout, "timeout", "no answer")
		}
		return nil
	}
	_, _, err := w.parcels(&sidecartest.Process{}).Create(t.Context(), "1", pack("1"))
	require.True(t, fault.Is(err, fault.Timeout), "got %v", err)
	w.settle()
	assert.True(t, sidecar.IsExists(w.state.Insert(t.Context(), "parcel/1", late)), "the late write")
}

// TestALateWriteUnderTheFenceKeepsTheIntent plays a write that was prepared by a process that died,
// and is carried out after a settler has read the document and before it fences it.
func TestALateWriteUnderTheFenceKeepsTheIntent(t *testing.T) {
	w, dead := newWorld(t), &sidecartest.Process{}
	w.shipped("1")
	_, err := w.journal.Of(dead).Begin(t.Context(), "parcel/1")
	require.NoError(t, err)
	item, err := w.state.Get(t.Context(), "parcel/1")
	require.NoError(t, err)
	late := false
	w.state.Before = func(_ context.Context, op sidecartest.Op, _ string) error {
		if op != sidecartest.OpInsert || late {
			return nil
		}
		late = true
		var doc parcel
		require.NoError(t, json.Unmarshal(item.Value, &doc))
		raw, err := json.Marshal(doc.after("returned"))
		require.NoError(t, err)
		return w.state.Update(t.Context(), "parcel/1", raw, item.ETag)
	}
	w.settle()
	require.True(t, late)
	w.check("1", "packed", "shipped", "returned", "stored")
}

// TestAnEventIsOwedAlsoByWhatStaysDone lets the process die before it can tell of a change that
// leaves nothing else to do.
func TestAnEventIsOwedAlsoByWhatStaysDone(t *testing.T) {
	sidecartest.EachCrash(t, func(t *testing.T, p *sidecartest.Process) {
		w := newWorld(t)
		w.shipped("1")
		inspect := func(doc parcel) (parcel, error) {
			if doc.last() == "inspected" {
				return doc, aggregate.ErrUnchanged
			}
			return doc.after("inspected"), nil
		}
		a := w.parcels(p)
		_, err := a.Change(t.Context(), "1", inspect)
		a.Drain(t.Context())
		if err != nil {
			_, err = w.parcels(&sidecartest.Process{}).Change(t.Context(), "1", inspect)
			require.NoError(t, err)
		}
		w.settle()
		w.check("1", "packed", "shipped", "inspected")
	})
}
