package background_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"sidecart.dev/kit/background"
	"sidecart.dev/kit/fault"
)

func TestEveryItemIsWorkedOnWhateverFailsAndNoMoreThanAllowedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done, running, most atomic.Int32
		broken := errors.New("broken")
		errs := background.Each(t.Context(), 2, []int{1, 2, 3, 4, 5, 6}, func(n int) error {
			now := running.Add(1)
			defer running.Add(-1)
			time.Sleep(time.Millisecond)
			most.Store(max(most.Load(), now))
			switch n {
			case 1:
				return broken
			case 2:
				panic("poison")
			}
			done.Add(1)
			return nil
		})
		assert.Len(t, errs, 2)
		assert.ErrorIs(t, errors.Join(errs...), broken)
		assert.EqualValues(t, 4, done.Load())
		assert.EqualValues(t, 2, most.Load())
	})
}

func TestWorkBesideItsCallerIsWaitedForAndGuarded(t *testing.T) {
	release := make(chan struct{})
	done := false
	wait := background.Beside(t.Context(), func() error { <-release; done = true; return nil })
	close(release) // the caller has gone on
	assert.NoError(t, wait())
	assert.True(t, done)
	wait = background.Beside(t.Context(), func() error { panic("beside") })
	assert.True(t, fault.Is(wait(), fault.Internal))
}
