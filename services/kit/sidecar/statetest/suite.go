// Package statetest is the contract of [sidecar.State] as tests. Whatever passes it can hold the
// system's state. It runs against the fake in package sidecartest and, through a real sidecar,
// against every store that can be reached.
package statetest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/sidecar"
)

// Store is a store under test.
type Store struct {
	State sidecar.State
	// Restart restarts what stands behind State, or is nil where nothing outlives a restart.
	Restart func(t *testing.T)
	// Expire makes d pass for the store; nil waits.
	Expire func(d time.Duration)
}

// Check is one part of the contract.
type Check struct {
	Name string // what the store does
	Test func(t *testing.T, s Store)
}

// Checks is the contract, part by part.
var Checks = []Check{
	{"an absent key is missing", absent},
	{"an inserted value is read back", insertGet},
	{"an insert of an existing key is refused", insertExists},
	{"of many concurrent inserts one succeeds", insertRace},
	{"an update with the ETag that was read succeeds, once", updateOnce},
	{"an update of an absent key is refused", updateAbsent},
	{"of many concurrent updates none is lost", updateRace},
	{"an update that changes nothing still uses the ETag up", updateSame},
	{"an update replaces the whole value", updateWhole},
	{"a delete needs the ETag that was read", deleteETag},
	{"a deleted key can be inserted again, and old ETags stay useless", reinsert},
	{"several keys are read at once, absent ones left out", bulkGet},
	{"an expired key is absent and can be inserted", expiry},
	{"large values are kept", large},
	{"any Unicode and every JSON number is kept", unicode},
	{"text and names that look like code are kept", looksLikeCode},
	{"keys may be long and have the usual punctuation", keys},
	{"a restart loses nothing that was acknowledged", restart},
}

// Run runs the whole contract.
func Run(t *testing.T, s Store) {
	for _, c := range Checks {
		t.Run(c.Name, func(t *testing.T) { c.Test(t, s) })
	}
}

func key() string { return "contract/" + uuid.NewString() }

func doc(n int) []byte { return fmt.Appendf(nil, `{"n":%d}`, n) }

func number(t *testing.T, value []byte) int {
	t.Helper()
	var d struct{ N int }
	require.NoError(t, json.Unmarshal(value, &d), "stored value %s", value)
	return d.N
}

func absent(t *testing.T, s Store) {
	_, err := s.State.Get(t.Context(), key())
	require.True(t, sidecar.IsMissing(err), "got %v", err)
}

func insertGet(t *testing.T, s Store) {
	k := key()
	require.NoError(t, s.State.Insert(t.Context(), k, doc(1)))
	item, err := s.State.Get(t.Context(), k)
	require.NoError(t, err)
	assert.Equal(t, 1, number(t, item.Value))
	assert.NotEmpty(t, item.ETag)
}

func insertExists(t *testing.T, s Store) {
	k := key()
	require.NoError(t, s.State.Insert(t.Context(), k, doc(1)))
	err := s.State.Insert(t.Context(), k, doc(2))
	require.True(t, sidecar.IsExists(err), "got %v", err)
	item, err := s.State.Get(t.Context(), k)
	require.NoError(t, err)
	assert.Equal(t, 1, number(t, item.Value), "the refused insert changed nothing")
}

const writers = 16

// race calls f from several goroutines and returns how many calls returned true.
func race(f func(i int) bool) int {
	var wg sync.WaitGroup
	var won atomic.Int64
	for i := range writers {
		wg.Go(func() {
			if f(i) {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	return int(won.Load())
}

func insertRace(t *testing.T, s Store) {
	k := key()
	won := race(func(i int) bool {
		err := s.State.Insert(t.Context(), k, doc(i))
		if err != nil && !sidecar.IsExists(err) {
			t.Errorf("insert: %v", err)
		}
		return err == nil
	})
	assert.Equal(t, 1, won)
}

func updateOnce(t *testing.T, s Store) {
	k := key()
	require.NoError(t, s.State.Insert(t.Context(), k, doc(1)))
	item, err := s.State.Get(t.Context(), k)
	require.NoError(t, err)
	require.NoError(t, s.State.Update(t.Context(), k, doc(2), item.ETag))
	err = s.State.Update(t.Context(), k, doc(3), item.ETag)
	require.True(t, sidecar.IsConflict(err), "the ETag was used up; got %v", err)
	item, err = s.State.Get(t.Context(), k)
	require.NoError(t, err)
	assert.Equal(t, 2, number(t, item.Value))
}

func updateAbsent(t *testing.T, s Store) {
	k := key()
	require.NoError(t, s.State.Insert(t.Context(), k, doc(1)))
	item, err := s.State.Get(t.Context(), k)
	require.NoError(t, err)
	require.NoError(t, s.State.Delete(t.Context(), k, item.ETag))
	err = s.State.Update(t.Context(), k, doc(2), item.ETag)
	require.True(t, sidecar.IsConflict(err), "got %v", err)
	_, err = s.State.Get(t.Context(), k)
	require.True(t, sidecar.IsMissing(err), "the refused update wrote nothing; got %v", err)
}

func updateRace(t *testing.T, s Store) {
	k, ctx := key(), t.Context()
	require.NoError(t, s.State.Insert(ctx, k, doc(0)))
	won := race(func(int) bool { return increment(ctx, s.State, k) })
	item, err := s.State.Get(ctx, k)
	require.NoError(t, err)
	assert.Equal(t, won, number(t, item.Value), "every acknowledged increment is there")
	assert.Positive(t, won)
}

func increment(ctx context.Context, state sidecar.State, k string) bool {
	for range 200 {
		item, err := state.Get(ctx, k)
		if err != nil {
			return false
		}
		var d struct{ N int }
		if json.Unmarshal(item.Value, &d) != nil {
			return false
		}
		err = state.Update(ctx, k, doc(d.N+1), item.ETag)
		if !sidecar.IsConflict(err) {
			return err == nil
		}
	}
	return false
}

func updateSame(t *testing.T, s Store) {
	k := key()
	require.NoError(t, s.State.Insert(t.Context(), k, doc(1)))
	item, err := s.State.Get(t.Context(), k)
	require.NoError(t, err)
	require.NoError(t, s.State.Update(t.Context(), k, doc(1), item.ETag))
	err = s.State.Update(t.Context(), k, doc(2), item.ETag)
	require.True(t, sidecar.IsConflict(err), "got %v", err)
}

func deleteETag(t *testing.T, s Store) {
	k := key()
	require.NoError(t, s.State.Insert(t.Context(), k, doc(1)))
	old, err := s.State.Get(t.Context(), k)
	require.NoError(t, err)
	require.NoError(t, s.State.Update(t.Context(), k, doc(2), old.ETag))
	err = s.State.Delete(t.Context(), k, old.ETag)
	require.True(t, sidecar.IsConflict(err), "got %v", err)
	item, err := s.State.Get(t.Context(), k)
	require.NoError(t, err)
	require.NoError(t, s.State.Delete(t.Context(), k, item.ETag))
	_, err = s.State.Get(t.Context(), k)
	require.True(t, sidecar.IsMissing(err), "got %v", err)
}

func reinsert(t *testing.T, s Store) {
	k := key()
	require.NoError(t, s.State.Insert(t.Context(), k, doc(1)))
	old, err := s.State.Get(t.Context(), k)
	require.NoError(t, err)
	require.NoError(t, s.State.Delete(t.Context(), k, old.ETag))
	require.NoError(t, s.State.Insert(t.Context(), k, doc(2)))
	fresh, err := s.State.Get(t.Context(), k)
	require.NoError(t, err)
	assert.Equal(t, 2, number(t, fresh.Value))
}

func bulkGet(t *testing.T, s Store) {
	var all []string
	for i := range 40 {
		k := key()
		all = append(all, k)
		if i%4 != 0 {
			require.NoError(t, s.State.Insert(t.Context(), k, doc(i)))
		}
	}
	items, err := s.State.BulkGet(t.Context(), all)
	require.NoError(t, err)
	assert.Len(t, items, 30)
	for i, k := range all {
		item, ok := items[k]
		require.Equal(t, i%4 != 0, ok, "key %d", i)
		if ok {
			assert.Equal(t, i, number(t, item.Value))
			err := s.State.Update(t.Context(), k, doc(i+1), item.ETag)
			require.NoError(t, err, "the ETag of a bulk get is good for an update")
		}
	}
	none, err := s.State.BulkGet(t.Context(), nil)
	require.NoError(t, err)
	assert.Empty(t, none)
}

func expiry(t *testing.T, s Store) {
	k, lasting, ctx := key(), key(), t.Context()
	require.NoError(t, s.State.Insert(ctx, k, doc(1), sidecar.WithTTL(time.Second)))
	require.NoError(t, s.State.Insert(ctx, lasting, doc(1)))
	if s.Expire != nil {
		s.Expire(2 * time.Second)
	}
	require.Eventually(t, func() bool {
		_, err := s.State.Get(ctx, k)
		return sidecar.IsMissing(err)
	}, 2*time.Minute, 50*time.Millisecond, "the key did not expire")
	require.NoError(t, s.State.Insert(ctx, k, doc(2)), "an expired key is absent")
	item, err := s.State.Get(ctx, k)
	require.NoError(t, err)
	assert.Equal(t, 2, number(t, item.Value))
	_, err = s.State.Get(ctx, lasting)
	require.NoError(t, err, "other keys stay")
}

func restart(t *testing.T, s Store) {
	if s.Restart == nil {
		t.Skip("nothing outlives a restart of this store")
	}
	k := key()
	require.NoError(t, s.State.Insert(t.Context(), k, doc(1)))
	item, err := s.State.Get(t.Context(), k)
	require.NoError(t, err)
	require.NoError(t, s.State.Update(t.Context(), k, doc(2), item.ETag))
	s.Restart(t)
	require.Eventually(t, func() bool {
		item, err = s.State.Get(t.Context(), k)
		return err == nil
	}, 2*time.Minute, 50*time.Millisecond, "the store did not come back")
	assert.Equal(t, 2, number(t, item.Value))
}
