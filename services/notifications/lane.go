package notifications

import (
	"context"
	"sync"
	"time"
)

// lane is the queue of one channel. An outage of its provider fills it, and touches no other lane.
//
// After some failures in a row, whoever they were for, the lane opens its circuit: it pauses, tries
// one message, and goes on when one was taken. So an outage costs a few attempts, not one of every
// message, and its end is noticed in seconds. It is safe for concurrent use.
type lane struct {
	channel Channel
	sender  Sender
	cfg     Config

	mu        sync.Mutex
	queue     []job
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

// maxDelayed bounds what a lane remembers of failures; the journal remembers all.
const maxDelayed = 10_000

func newLane(c Channel, sender Sender, cfg Config) *lane {
	return &lane{
		channel: c, sender: sender, cfg: cfg,
		busy: map[string]struct{}{}, changed: make(chan struct{}), delayed: map[string]struct{}{},
	}
}

// push adds a job, unless the record is in the lane already, and reports whether it did. A nil lane
// takes nothing.
func (l *lane) push(j job) bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.busy[j.id]; ok {
		return false
	}
	if len(l.queue) >= l.cfg.Buffered && j.first == nil {
		j.record = nil
	}
	l.busy[j.id] = struct{}{}
	delete(l.delayed, j.id)
	l.queue = append(l.queue, j)
	l.wake()
	return true
}

// prompt reports whether a message that is added now is likely to be sent soon.
func (l *lane) prompt() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.open() && time.Duration(len(l.queue))*l.pace <= l.cfg.Prompt/2*time.Duration(l.cfg.Concurrency[l.channel])
}

// paced notes what an attempt took.
func (l *lane) paced(took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pace += (took - l.pace) / 8
}

// holds reports whether the record is in the lane, and whether it failed here and is to be tried
// again.
func (l *lane) holds(id string) (busy, delayed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, busy = l.busy[id]
	_, delayed = l.delayed[id]
	return busy, delayed
}

func (l *lane) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// next waits for a job that may be tried now. It returns ok = false when ctx has ended.
func (l *lane) next(ctx context.Context) (job, bool) {
	for {
		if ctx.Err() != nil {
			return job{}, false
		}
		j, ok, changed, pause := l.take()
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

func (l *lane) take() (j job, ok bool, changed <-chan struct{}, pause time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		return job{}, false, l.changed, 0
	}
	if l.open() {
		if l.probing {
			return job{}, false, l.changed, 0
		}
		if pause := l.pausedTo.Sub(l.cfg.Now()); pause > 0 {
			return job{}, false, l.changed, pause
		}
		l.probing = true
	}
	j = l.queue[0]
	l.queue[0] = job{}
	l.queue = l.queue[1:]
	return j, true, nil, 0
}

func (l *lane) open() bool { return l.failures >= l.cfg.Breaker }

// outcome is what came of a job.
type outcome int

const (
	untried outcome = iota // nothing was tried
	taken                  // the provider answered, for good or ill
	refused                // a transient failure
)

// tried notes what came of a job. It returns the ids that are due at once, because the provider has
// recovered.
func (l *lane) tried(id string, o outcome) (due []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.probing = false
	switch o {
	case untried:
	case taken:
		due = l.close()
	case refused:
		l.failures++
		if len(l.delayed) < maxDelayed {
			l.delayed[id] = struct{}{}
		}
		if l.open() {
			pause := l.cfg.BreakerPause << min(l.failures-l.cfg.Breaker, 16)
			l.pausedTo = l.cfg.Now().Add(min(pause, l.cfg.BreakerMax))
		}
	}
	l.wake()
	return due
}

// done ends a job: what came of it is recorded, or nothing was tried.
func (l *lane) done(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.busy, id)
	l.wake()
}

// close notes that the provider works. If the circuit was open, everything that failed meanwhile is
// due.
func (l *lane) close() (due []string) {
	if l.open() {
		l.recovered = l.cfg.Now()
		for id := range l.delayed {
			due = append(due, id)
		}
	}
	l.failures = 0
	return due
}

// due reports whether a queued delivery should be tried now: its time has come, or what it failed
// of is over.
func (l *lane) due(d *Delivery, now time.Time) bool {
	if l == nil || now.Before(d.Claimed) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return !now.Before(d.NextAttempt) || !d.LastAttempt.IsZero() && d.LastAttempt.Before(l.recovered)
}

// state returns what the lane's metrics show.
func (l *lane) state() (waiting int, oldest time.Time, open bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) > 0 {
		oldest = l.queue[0].since
	}
	return len(l.busy), oldest, l.open()
}
