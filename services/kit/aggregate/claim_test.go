package aggregate_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar/sidecartest"
)

// What a document presupposes is won under its intent, and before it is written. Should the
// document have been fenced off meanwhile, because another took over what was won, it has to be won
// again.
func TestAClaimIsMadeUnderTheIntentAndAgainForARepeatedWrite(t *testing.T) {
	w, p := newWorld(t), &sidecartest.Process{}
	a := w.parcels(p)
	claims := 0
	var begun []string
	claim := func(ctx context.Context) error {
		if claims++; claims == 1 {
			begun = w.journal.IDs()
			_, exists, err := w.parcels(&sidecartest.Process{}).Fence(ctx, "1")
			assert.False(t, exists, "nothing has been written yet")
			return err
		}
		return nil
	}
	_, created, err := a.Create(t.Context(), "1", pack("1"), aggregate.Claiming(claim))
	require.NoError(t, err)
	assert.True(t, created)
	assert.Equal(t, 2, claims)
	assert.Equal(t, []string{"parcel/1"}, begun, "the journal when the first claim was made")
	a.Drain(t.Context())
	doc, exists, err := a.Fence(t.Context(), "1")
	assert.True(t, err == nil && exists && doc.ID == "1",
		"what exists is fenced and returned: %v, %v", doc, err)
	w.settle()
	w.check("1", "packed", "shipped")
}

// A claim that is lost leaves nothing but an intent, which the settler gives back to the domain:
// fenced if it may yet be won.
func TestAClaimThatFailsWritesNoDocument(t *testing.T) {
	for name, failure := range map[string]error{
		"lost":    fault.New(fault.Conflict, "taken", "Somebody else has it."),
		"unknown": fault.New(fault.Unavailable, "unavailable", "no answer"),
	} {
		t.Run(name, func(t *testing.T) {
			w, p := newWorld(t), &sidecartest.Process{}
			a := w.parcels(p)
			_, created, err := a.Create(t.Context(), "1", pack("1"), aggregate.Note("name"),
				aggregate.Claiming(func(context.Context) error { return failure }))
			assert.ErrorIs(t, err, failure)
			assert.False(t, created)
			_, err = a.Get(t.Context(), "1")
			assert.True(t, fault.Is(err, fault.NotFound), "got %v", err)
			var given []string
			second := &sidecartest.Process{}
			b := w.parcels(second)
			b.DrivenBy(aggregate.Driver[parcel]{Absent: func(_ context.Context, id, note string) error {
				given = append(given, id+" "+note)
				return nil
			}})
			require.NoError(t, w.journal.Settle(t.Context(), second, kinds(b), 0))
			assert.Equal(t, []string{"1 name"}, given)
			assert.Empty(t, w.journal.IDs())
			fenced := false
			for _, call := range second.Calls() {
				fenced = fenced || call == "insert parcel/1"
			}
			assert.Equal(t, name == "unknown", fenced, "calls: %v", second.Calls())
		})
	}
}
