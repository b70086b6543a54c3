package batch_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"sidecart.dev/kit/batch"
)

func TestOneAtATimeTheNextCallTakesAllThatCameDuringTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sizes := make(chan int, 10) // of the calls
		var answered atomic.Int32
		b := batch.OneAtATime(0, 2, func(requests []int) {
			time.Sleep(time.Second)
			sizes <- len(requests)
		}, func(int) { answered.Add(1) })
		for n := range 10 {
			b.Add(n)
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		close(sizes)
		assert.Equal(t, 1, <-sizes)
		assert.Equal(t, 9, <-sizes, "what came during the first call goes together")
		assert.Zero(t, <-sizes, "there is no third call")
		assert.EqualValues(t, 10, answered.Load())
	})
}
