package notifications

import (
	"context"
	"sync"
	"time"
)

// queue holds what is to be sent over one channel. An outage of its provider fills it, and touches
// no other queue.
//
// After some failures in a row, whoever they were for, the queue opens its circuit: it pauses,
// tries one message, and goes on when one was taken. So an outage costs a few attempts, not one of
// every message, and its end is noticed in seconds. It is safe for concurrent use.
type queue struct {
	channel Channel
	sender  Sender
	cfg     Config

	mu        sync.Mutex
	waiting   []job
	busy      map[string]struct{} // queued here, being sent or being recorded
	changed   chan struct{}       // closed and replaced when a waiting worker should look again
	failures  int                 // in a row
	pausedTo  time.Time
	probing   bool
	pace      time.Duration       // what an attempt takes on average
	recovered time.Time           // when the circuit last closed
	delayed   map[string]struct{} // what failed and is not back yet
}

// job is a delivery that is due.
type job struct {
	id     string    // of the record
	record *Record   // as it was written, not to be changed; nil: to be read
	mine   bool      // this process has accepted the event
	since  time.Time // when it was journalled or offered
	first  *first    // somebody waits for this attempt before the record is written; nil: nobody
	// For the span of the attempt: which order it is about, if any, and where the record was accepted
	// in the trace of its event, if that is recorded.
	about, traceparent string
}

// maxDelayed bounds what a queue remembers of failures; the journal remembers all.
const maxDelayed = 10_000

func newQueue(c Channel, sender Sender, cfg Config) *queue {
	return &queue{
		channel: c, sender: sender, cfg: cfg,
		busy: map[string]struct{}{}, changed: make(chan struct{}), delayed: map[string]struct{}{},
	}
}

// push adds a job, unless the record is in the queue already, and reports whether it did. A nil
// queue takes nothing.
func (q *queue) push(j job) bool {
	if q == nil {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, ok := q.busy[j.id]; ok {
		return false
	}
	if len(q.waiting) >= q.cfg.Buffered && j.first == nil {
		j.record = nil
	}
	q.busy[j.id] = struct{}{}
	delete(q.delayed, j.id)
	q.waiting = append(q.waiting, j)
	q.wake()
	return true
}

// prompt reports whether a message that is added now is likely to be sent soon.
func (q *queue) prompt() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	before := time.Duration(len(q.waiting)) * q.pace / time.Duration(q.cfg.Concurrency[q.channel])
	return !q.open() && before <= q.cfg.Prompt/2
}

// paced notes what an attempt took.
func (q *queue) paced(took time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pace += (took - q.pace) / 8
}

// holds reports whether the record is in the queue, and whether it failed here and is to be tried
// again.
func (q *queue) holds(id string) (busy, delayed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, busy = q.busy[id]
	_, delayed = q.delayed[id]
	return busy, delayed
}

func (q *queue) wake() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// next waits for a job that may be tried now. It returns ok = false when ctx has ended.
func (q *queue) next(ctx context.Context) (job, bool) {
	for {
		if ctx.Err() != nil {
			return job{}, false
		}
		j, ok, changed, pause := q.take()
		if ok {
			return j, true
		}
		var timer <-chan time.Time
		if pause > 0 {
			timer = time.After(pause)
		}
		select {
		case <-changed:
		case <-timer:
		case <-ctx.Done():
		}
	}
}

func (q *queue) take() (j job, ok bool, changed <-chan struct{}, pause time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return job{}, false, q.changed, 0
	}
	if q.open() {
		if q.probing {
			return job{}, false, q.changed, 0
		}
		if pause := q.pausedTo.Sub(q.cfg.Now()); pause > 0 {
			return job{}, false, q.changed, pause
		}
		q.probing = true
	}
	j = q.waiting[0]
	q.waiting[0] = job{}
	q.waiting = q.waiting[1:]
	return j, true, nil, 0
}

func (q *queue) open() bool { return q.failures >= q.cfg.Breaker }

// outcome is what came of a job.
type outcome int

const (
	untried outcome = iota // nothing was tried
	taken                  // the provider answered, for good or ill
	refused                // a transient failure
)

// tried notes what came of a job. It returns the ids that are due at once, because the provider has
// recovered.
func (q *queue) tried(id string, o outcome) (due []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.probing = false
	switch o {
	case untried:
	case taken:
		due = q.close()
	case refused:
		q.failures++
		if len(q.delayed) < maxDelayed {
			q.delayed[id] = struct{}{}
		}
		if q.open() {
			pause := q.cfg.BreakerPause << min(q.failures-q.cfg.Breaker, 16)
			q.pausedTo = q.cfg.Now().Add(min(pause, q.cfg.BreakerMax))
		}
	}
	q.wake()
	return due
}

// done ends a job: what came of it is recorded, or nothing was tried.
func (q *queue) done(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.busy, id)
	q.wake()
}

// close notes that the provider works. If the circuit was open, everything that failed meanwhile is
// due.
func (q *queue) close() (due []string) {
	if q.open() {
		q.recovered = q.cfg.Now()
		for id := range q.delayed {
			due = append(due, id)
		}
	}
	q.failures = 0
	return due
}

// due reports whether a queued delivery should be tried now: its time has come, or what it failed
// of is over.
func (q *queue) due(d *Delivery, now time.Time) bool {
	if q == nil || now.Before(d.Claimed) {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return !now.Before(d.NextAttempt) || !d.LastAttempt.IsZero() && d.LastAttempt.Before(q.recovered)
}

// state returns what the queue's metrics show.
func (q *queue) state() (waiting int, oldest time.Time, open bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) > 0 {
		oldest = q.waiting[0].since
	}
	return len(q.busy), oldest, q.open()
}
