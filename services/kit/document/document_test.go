package document_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/document"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/sidecar/sidecartest"
)

type counter struct{ N int }

func increment(c counter, _ bool) (counter, error) { return counter{c.N + 1}, nil }

// elsewhere changes the counter before each write of a key, as often as it is told to.
func elsewhere(state *sidecartest.State, times int) {
	other := document.New[counter](state, "counter")
	state.Before = func(ctx context.Context, op sidecartest.Op, _ string) error {
		if op.Write() && times > 0 {
			times--
			before := state.Before
			state.Before = nil
			defer func() { state.Before = before }()
			_, err := other.Change(ctx, "1", increment)
			return err
		}
		return nil
	}
}

func TestADocumentIsMadeChangedAndRemoved(t *testing.T) {
	ctx, state := t.Context(), sidecartest.NewState()
	docs := document.New[counter](state, "counter")
	for n := 1; n <= 2; n++ {
		doc, err := docs.Change(ctx, "1", func(c counter, exists bool) (counter, error) {
			assert.Equal(t, n > 1, exists)
			return increment(c, exists)
		})
		require.NoError(t, err)
		assert.Equal(t, n, doc.N)
	}
	assert.Equal(t, []string{"counter/1"}, state.Keys())
	writes := state.Calls(sidecartest.OpUpdate)
	doc, err := docs.Change(ctx, "1", func(c counter, _ bool) (counter, error) {
		return c, document.ErrUnchanged
	})
	require.NoError(t, err)
	assert.Equal(t, 2, doc.N)
	assert.Equal(t, writes, state.Calls(sidecartest.OpUpdate), "it was to be left as it is")

	all, err := docs.ReadAll(ctx, []string{"1", "2"})
	require.NoError(t, err)
	assert.Len(t, all, 1)
	assert.Equal(t, 2, all["1"].Doc.N)
	require.NoError(t, docs.Remove(ctx, "1"))
	require.NoError(t, docs.Remove(ctx, "1"), "it is gone already")
	assert.Empty(t, state.Keys())
}

func TestWhatIsReadIsWrittenOverOrDeletedOnlyIfItIsUnchanged(t *testing.T) {
	ctx := t.Context()
	docs := document.New[counter](sidecartest.NewState(), "counter")
	absent, err := docs.Read(ctx, "1")
	require.NoError(t, err)
	assert.False(t, absent.Exists)
	require.NoError(t, docs.Insert(ctx, "1", counter{1}))
	assert.True(t, sidecar.IsExists(docs.Insert(ctx, "1", counter{2})))
	assert.True(t, sidecar.IsExists(docs.Write(ctx, absent, counter{2})))
	read, err := docs.Read(ctx, "1")
	require.NoError(t, err)
	require.NoError(t, docs.Write(ctx, read, counter{3}))
	assert.True(t, sidecar.IsConflict(docs.Write(ctx, read, counter{4})))
	assert.True(t, sidecar.IsConflict(docs.Delete(ctx, read)))
	read, err = docs.Read(ctx, "1")
	require.NoError(t, err)
	assert.Equal(t, 3, read.Doc.N)
	require.NoError(t, docs.Delete(ctx, read))
}

func TestChangesMadeAtTheSameMomentAreAllMade(t *testing.T) {
	state := sidecartest.NewState()
	var all sync.WaitGroup
	const writers, each = 8, 5
	for range writers {
		docs := document.New[counter](state, "counter") // a replica's
		all.Go(func() {
			for range each {
				for {
					_, err := docs.Change(t.Context(), "1", increment)
					if err == nil {
						break
					}
					assert.ErrorIs(t, err, document.ErrBusy)
				}
			}
		})
	}
	all.Wait()
	read, err := document.New[counter](state, "counter").Read(t.Context(), "1")
	require.NoError(t, err)
	assert.Equal(t, writers*each, read.Doc.N)
}

func TestWhoeverIsOvertakenStartsOverWithWhatIsThereNow(t *testing.T) {
	for name, there := range map[string]bool{"nothing was there": false, "something was there": true} {
		t.Run(name, func(t *testing.T) {
			state := sidecartest.NewState()
			docs := document.New[counter](state, "counter")
			want := 3
			if there {
				require.NoError(t, docs.Insert(t.Context(), "1", counter{10}))
				want = 13
			}
			elsewhere(state, 2)
			doc, err := docs.Change(t.Context(), "1", increment)
			require.NoError(t, err)
			assert.Equal(t, want, doc.N)
		})
	}
	t.Run("it was to be removed", func(t *testing.T) {
		state := sidecartest.NewState()
		docs := document.New[counter](state, "counter")
		require.NoError(t, docs.Insert(t.Context(), "1", counter{10}))
		elsewhere(state, 2)
		require.NoError(t, docs.Remove(t.Context(), "1"))
		assert.Empty(t, state.Keys())
	})
}

func TestOnlyWhoIsOvertakenWaitsAndNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := sidecartest.NewState()
		docs := document.New[counter](state, "counter")
		began := time.Now()
		_, err := docs.Change(t.Context(), "1", increment)
		require.NoError(t, err)
		assert.Zero(t, time.Since(began), "nobody was in the way")

		elsewhere(state, 1000)
		_, err = docs.Change(t.Context(), "1", increment)
		assert.ErrorIs(t, err, document.ErrBusy)
		assert.True(t, fault.Is(err, fault.Unavailable), "got %v", err)
		assert.Positive(t, time.Since(began), "tries follow one another after a pause")
		assert.Less(t, time.Since(began), 3*time.Second)
	})
}

func TestNothingIsTriedAgainAfterTheContextHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		tries := 0
		err := document.UntilWritten(ctx, func() (bool, error) {
			if tries++; tries == 3 {
				cancel()
			}
			return false, nil
		})
		assert.True(t, fault.Is(err, fault.Timeout), "got %v", err)
		assert.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, 3, tries)
	})
}

// A write that was not answered may have happened: to make it again could do a thing twice.
func TestAFailureIsNotTriedAgain(t *testing.T) {
	lost := fault.New(fault.Timeout, "timeout", "no answer")
	state := sidecartest.NewState()
	docs := document.New[counter](state, "counter")
	state.After = func(_ context.Context, op sidecartest.Op, _ string) error {
		if op.Write() {
			return lost
		}
		return nil
	}
	_, err := docs.Change(t.Context(), "1", increment)
	require.ErrorIs(t, err, lost)
	assert.Equal(t, 1, state.Calls(sidecartest.OpInsert))

	state.After = nil
	foreign := fault.New(fault.Conflict, sidecar.CodeConflict, "another document has changed")
	calls := 0
	_, err = docs.Change(t.Context(), "1", func(c counter, _ bool) (counter, error) {
		calls++
		return c, foreign
	})
	require.ErrorIs(t, err, foreign)
	assert.Equal(t, 1, calls, "the function's own errors are its caller's")
	assert.Zero(t, state.Calls(sidecartest.OpUpdate))
}

func TestADocumentExpiresAfterItsLastWrite(t *testing.T) {
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	state := sidecartest.NewState()
	state.Now = func() time.Time { return now }
	docs := document.New[counter](state, "counter", document.Expiring(time.Minute))
	for range 2 {
		_, err := docs.Change(t.Context(), "1", increment)
		require.NoError(t, err)
		now = now.Add(50 * time.Second)
	}
	read, err := docs.Read(t.Context(), "1")
	require.NoError(t, err)
	assert.Equal(t, 2, read.Doc.N)
	now = now.Add(10 * time.Second)
	read, err = docs.Read(t.Context(), "1")
	require.NoError(t, err)
	assert.False(t, read.Exists)
}

func TestADocumentThatCannotBeReadIsAnErrorThatDoesNotTellItsKey(t *testing.T) {
	ctx, state := t.Context(), sidecartest.NewState()
	docs := document.New[counter](state, "counter")
	require.NoError(t, state.Insert(ctx, "counter/secret", []byte(`{"N":"one"}`)))
	_, err1 := docs.Read(ctx, "secret")
	_, err2 := docs.ReadAll(ctx, []string{"secret"})
	_, err3 := docs.Change(ctx, "secret", increment)
	for _, err := range []error{err1, err2, err3} {
		assert.True(t, fault.Is(err, fault.Internal), "got %v", err)
		assert.NotContains(t, err.Error(), "secret")
	}
}
