package aggregate_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/sidecar/sidecartest"
)

// stepping is the service of a process whose parcels are shipped by steps.
func (w *world) stepping(p *sidecartest.Process) *aggregate.Aggregates[parcel] {
	a := w.parcels(p)
	a.DrivenBy(a.Step(func(ctx context.Context, id string) error {
		_, err := w.drive(ctx, p, a, id)
		return err
	}))
	return a
}

func TestStepsLeadToTheEndWhereverItDies(t *testing.T) {
	sidecartest.EachCrash(t, func(t *testing.T, p *sidecartest.Process) {
		w := newWorld(t)
		a := w.stepping(p)
		_, _, err := a.Create(t.Context(), "1", pack("1"))
		a.Drain(t.Context())
		if err != nil {
			b := w.stepping(&sidecartest.Process{})
			_, _, err = b.Create(t.Context(), "1", pack("1"))
			require.NoError(t, err)
			b.Drain(t.Context())
		}
		w.told("1")
		doc, err := a.Get(t.Context(), "1")
		if !p.Dead() {
			require.NoError(t, err)
			assert.Equal(t, []string{"packed", "shipped"}, doc.Steps)
			assert.Equal(t, 1, w.carried["1"], "one step is enough while nothing dies")
		}
	})
}

func TestASlowStepHoldsNobodyUpAndIsNotTakenTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p := newWorld(t), &sidecartest.Process{}
		a := w.parcels(p)
		var steps atomic.Int32
		a.DrivenBy(a.Step(func(ctx context.Context, _ string) error {
			steps.Add(1)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Minute):
				return nil
			}
		}))
		start := time.Now()
		_, _, err := a.Create(t.Context(), "1", pack("1"))
		require.NoError(t, err)
		_, err = a.Change(t.Context(), "1", func(doc parcel) (parcel, error) { return doc.after("weighed"), nil })
		require.NoError(t, err)
		assert.Zero(t, time.Since(start), "who writes does not wait for the step")
		a.Drain(t.Context())
		assert.Equal(t, 10*time.Second, time.Since(start), "a step has an end")
		assert.EqualValues(t, 1, steps.Load())
	})
}
