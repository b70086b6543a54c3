package daprclient

import (
	"sync"
	"time"
)

// company lets calls that arrive while another one is under way share the next, as group commit does for writes. A call that finds
// nothing under way goes at once and alone, so that an idle process is as fast as without. It is safe for concurrent use.
type company[R any] struct {
	// call carries out one call for all of the requests, and answers each of them.
	call func(requests []R)
	// limit is the number of requests that one call may carry.
	limit int

	mu      sync.Mutex
	calls   int // under way
	waiting []R
}

// maxWait bounds how long requests wait for the call before them: one that hangs must not hold up the others.
const maxWait = 5 * time.Millisecond

// add hands a request over. It does not wait.
func (c *company[R]) add(request R) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, request)
	switch {
	case c.calls == 0 || len(c.waiting) >= c.limit:
		c.start()
	case len(c.waiting) == 1:
		time.AfterFunc(maxWait, c.hurry)
	}
}

// hurry sends what waits, although a call is still under way. After what it was set for has gone, it only makes others go earlier.
func (c *company[R]) hurry() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) > 0 {
		c.start()
	}
}

// start sends what waits. The lock is held.
func (c *company[R]) start() {
	c.calls++
	go c.run(c.take())
}

func (c *company[R]) take() []R {
	requests := c.waiting
	c.waiting = nil
	return requests
}

// run makes calls until nothing waits, or until another call will see to it.
func (c *company[R]) run(requests []R) {
	for len(requests) > 0 {
		c.call(requests)
		c.mu.Lock()
		c.calls--
		if requests = nil; c.calls == 0 && len(c.waiting) > 0 {
			c.calls++
			requests = c.take()
		}
		c.mu.Unlock()
	}
}
