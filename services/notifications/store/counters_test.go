package store_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/notifications/store"
)

func TestACounterCountsAMarkOnceAndStopsAtItsLimit(t *testing.T) {
	c := store.NewCounters(sidecartest.NewState())
	count := func(limit int, marks ...string) int {
		left, err := c.Count(t.Context(), "mail/x/1", limit, marks)
		require.NoError(t, err)
		return left
	}
	assert.Equal(t, 2, count(3, "a"))
	assert.Equal(t, 2, count(3, "a"), "the same again")
	assert.Equal(t, 0, count(3, "b", "c"), "with one of before it is the last")
	assert.Equal(t, -1, count(3, "d"))
	assert.Equal(t, 1, count(3, "b"), "what was counted may go out again")
	assert.Equal(t, 0, count(3, "c"), "and says the same again: that it is the last")
	assert.Equal(t, -1, count(3, "e", "f"), "the last is one too many")
	assert.Equal(t, -1, count(4, "g"), "and the one before it is counted")
	assert.Equal(t, 0, count(5, "g"))
}

func TestACounterIsExactWhenManyCountAtOnce(t *testing.T) {
	state := sidecartest.NewState()
	var allowed sync.Map
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			for { // a replica whose attempt comes to nothing is given the event again
				left, err := store.NewCounters(state).Count(t.Context(), "sms/x/1", 4, []string{fmt.Sprint(i)})
				if err == nil {
					allowed.Store(i, left >= 0)
					return
				}
			}
		})
	}
	wg.Wait()
	n := 0
	allowed.Range(func(_, ok any) bool {
		if ok.(bool) { //nolint:forcetypeassert // see above
			n++
		}
		return true
	})
	assert.Equal(t, 4, n)
}
