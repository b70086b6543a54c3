package daprclient

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// recorder is a call that takes a while, or for ever.
type recorder struct {
	mu    sync.Mutex
	calls [][]int
	took  []time.Duration // since the start, when each call began
	start time.Time
	hangs int // the number of calls, from the first, that do not end for an hour
}

func (r *recorder) call(requests []int) {
	r.mu.Lock()
	r.calls, r.took = append(r.calls, requests), append(r.took, time.Since(r.start))
	hang := len(r.calls) <= r.hangs
	r.mu.Unlock()
	if hang {
		time.Sleep(time.Hour)
	}
	time.Sleep(2 * time.Millisecond)
}

func inCompany(t *testing.T, hangs, limit int, play func(c *company[int])) *recorder {
	r := &recorder{hangs: hangs}
	synctest.Test(t, func(*testing.T) {
		r.start = time.Now()
		c := &company[int]{limit: limit, call: r.call}
		play(c)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		assert.Zero(t, c.calls, "calls are counted down")
	})
	return r
}

func TestACallThatFindsNothingUnderWayGoesAtOnce(t *testing.T) {
	r := inCompany(t, 0, 9, func(c *company[int]) {
		c.add(1)
		time.Sleep(3 * time.Millisecond)
		c.add(2)
	})
	assert.Equal(t, [][]int{{1}, {2}}, r.calls)
	assert.Equal(t, []time.Duration{0, 3 * time.Millisecond}, r.took)
}

func TestWhatArrivesDuringACallSharesTheNext(t *testing.T) {
	r := inCompany(t, 0, 9, func(c *company[int]) {
		for n := range 5 {
			c.add(n)
		}
	})
	assert.Equal(t, [][]int{{0}, {1, 2, 3, 4}}, r.calls)
}

func TestOneCallCarriesNoMoreThanItsLimit(t *testing.T) {
	r := inCompany(t, 0, 2, func(c *company[int]) {
		for n := range 5 {
			c.add(n)
		}
	})
	assert.ElementsMatch(t, [][]int{{0}, {1, 2}, {3, 4}}, r.calls)
}

func TestACallThatHangsHoldsNobodyElseUp(t *testing.T) {
	r := inCompany(t, 1, 9, func(c *company[int]) {
		c.add(0)
		c.add(1)
		time.Sleep(time.Minute)
		c.add(2)
	})
	assert.Equal(t, [][]int{{0}, {1}, {2}}, r.calls)
	assert.Equal(t, []time.Duration{0, maxWait, time.Minute + maxWait}, r.took)
}
