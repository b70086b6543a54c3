package journal

import (
	"errors"
	"sync"
	"time"

	"sidecart.dev/kit/batch"
	"sidecart.dev/kit/fault"
)

// request is a Begin on its way. Its fields are guarded by queue.mu.
type request struct {
	id     string
	at     time.Time // when it arrived
	state  requestState
	done   chan struct{} // closed with the answer
	ticket *Ticket
	err    error
}

type requestState int

const (
	stateQueued requestState = iota // waits for a writer
	stateTaken                      // is being written
	stateDone                       // answered, or given up by its caller
)

// queue holds the Begins that wait for a writer. While its lock is held no other is taken, and the
// store is not called.
type queue struct {
	p       *process
	filled  signal        // something is in the queue
	closing chan struct{} // closed when no more is accepted

	mu       sync.Mutex
	running  bool
	closed   bool
	notReady error
	requests []*request
	window   *batch.Window // how long they wait for each other
	waiting  int           // requests without an answer, here or being written
}

func newQueue(p *process) *queue {
	return &queue{
		p: p, filled: newSignal(), closing: make(chan struct{}), window: batch.NewWindow(p.cfg.Window),
	}
}

// open lets the queue accept requests. It reports false if it has done so before.
func (q *queue) open() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.running || q.closed {
		return false
	}
	q.running = true
	return true
}

// close lets the queue accept no more.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	close(q.closing)
}

func (q *queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// add puts a request into the queue. backlog is the number of unfinished ids in the lanes.
func (q *queue) add(r *request, backlog int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case !q.running || q.closed:
		return unavailable(errors.New("journal: not running"))
	case backlog+len(q.requests) >= q.p.cfg.maxBacklog:
		q.p.metrics.shed.Inc()
		return &fault.Error{
			Kind: fault.Unavailable, Code: "unavailable", RetryAfter: 5 * time.Second,
			Message: "Too much work is waiting to be finished. Try again later.",
		}
	}
	q.requests = append(q.requests, r)
	q.waiting++
	q.window.Arrived(r.at, q.waiting)
	q.filled.send()
	return nil
}

// wait returns how long the writer waits for something to append, or for more of it.
func (q *queue) wait() time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch n := len(q.requests); {
	case q.closed || n >= q.p.cfg.maxBatch:
		return 0
	case n == 0:
		return q.p.cfg.lease
	default:
		return q.window.Wait(time.Now(), q.requests[0].at, n)
	}
}

// take removes the next batch.
func (q *queue) take() (reqs []*request, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for _, r := range q.requests {
		if len(reqs) == q.p.cfg.maxBatch {
			break
		}
		n++
		if r.state == stateQueued {
			r.state = stateTaken
			reqs = append(reqs, r)
		}
	}
	if n > 0 {
		now := time.Now()
		q.window.Sent(now, now.Sub(q.requests[0].at), n)
	}
	clear(q.requests[:n])
	if q.requests = q.requests[n:]; len(q.requests) > 0 {
		q.filled.send() // for another writer
	}
	return reqs, q.closed
}

// putBack puts requests back to the front.
func (q *queue) putBack(reqs []*request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	back := make([]*request, 0, len(reqs)+len(q.requests))
	for _, r := range reqs {
		if r.state == stateTaken {
			r.state = stateQueued
			back = append(back, r)
		}
	}
	q.requests = append(back, q.requests...)
	q.filled.send()
}

// answer ends a request with its ticket, or reports false if its caller has given it up.
func (q *queue) answer(r *request, t *Ticket) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if r.state == stateDone {
		return false
	}
	q.end(r, t, nil)
	return true
}

// fail ends requests with an error, those that have not been answered.
func (q *queue) fail(reqs []*request, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range reqs {
		q.end(r, nil, err)
	}
}

// end answers a request. The lock is held.
func (q *queue) end(r *request, t *Ticket, err error) {
	if r.state == stateDone {
		return
	}
	q.waiting--
	r.state, r.ticket, r.err = stateDone, t, err
	close(r.done)
}

// unready takes note of why there is no lane, and fails what waits unless another writer has one to
// write it to.
func (q *queue) unready(cause error, writable bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.notReady = cause
	if writable && !q.closed {
		q.filled.send()
		return
	}
	for _, r := range q.requests {
		q.end(r, nil, unavailable(cause))
	}
	q.requests = nil
}

// ready says why a Begin would fail, with or without a lane to write it to.
func (q *queue) ready(writable bool) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case !q.running || q.closed:
		return unavailable(fault.New(fault.Unavailable, "unavailable", "The journal is not running."))
	case writable:
		return nil
	case q.notReady != nil:
		return unavailable(q.notReady)
	}
	return unavailable(fault.New(fault.Unavailable, "unavailable", "The journal has no lane yet."))
}

func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.requests)
}

func unavailable(cause error) error {
	return &fault.Error{
		Kind: fault.Unavailable, Code: "unavailable", RetryAfter: time.Second, Err: cause,
		Message: "The request could not be recorded. Try again.",
	}
}
