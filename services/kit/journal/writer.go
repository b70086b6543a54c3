package journal

import (
	"context"
	"errors"
	"time"

	"sidecart.dev/kit/fault"
)

// request is a Begin on its way. Its fields are guarded by Journal.mu.
type request struct {
	id     string
	at     time.Time // when it arrived
	since  time.Time
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

// answer ends a Begin, unless its caller has given up. Journal.mu is held.
func (j *Journal) answer(r *request, t *Ticket, err error) {
	if r.state == stateDone {
		return
	}
	j.waiting--
	r.state, r.ticket, r.err = stateDone, t, err
	close(r.done)
}

// write appends what waits, batch by batch, to a lane that this writer has for itself. It ends when the journal is closed
// and nothing waits.
func (j *Journal) write(ctx context.Context) {
	var l *lane
	failures := 0
	for {
		var err error
		if l, err = j.lane(ctx, l); err != nil {
			j.unready(err)
			if j.isClosed() {
				return
			}
			failures++
			pause(j.closing, nil, nil, j.retryDelay(failures))
			continue
		}
		failures = 0
		if wait := j.patience(); wait > 0 {
			pause(j.closing, j.queued, l.gone, wait)
			continue
		}
		reqs, closed := j.take()
		switch {
		case len(reqs) > 0:
			l.append(ctx, reqs)
		case closed:
			return
		}
	}
}

// pause waits until one of the channels can be received from, or d has passed.
func pause(a, b, c <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-a:
	case <-b:
	case <-c:
	case <-timer.C:
	}
}

// retryDelay is the pause after a number of failures to get a lane: short at first, for Begins are waiting.
func (j *Journal) retryDelay(failures int) time.Duration {
	d := min(50*time.Millisecond<<min(failures, 5), j.cfg.lease/6)
	return j.jitter(d)
}

// jitter spreads d over [¾ d, 1¼ d).
func (j *Journal) jitter(d time.Duration) time.Duration {
	return d*3/4 + time.Duration(float64(d)/2*float64(j.cfg.rand()>>11)/(1<<53))
}

// lane returns a lane to append to, whose lease is good for a while: the present one, another that is held, or a new one.
func (j *Journal) lane(ctx context.Context, l *lane) (*lane, error) {
	if l == nil || l.isGone() {
		var err error
		if l, err = j.open(ctx); err != nil {
			return nil, err
		}
	}
	j.mu.Lock()
	stale := time.Until(l.valid) < j.cfg.lease/6
	j.mu.Unlock()
	if stale {
		if err := l.beat(ctx); err != nil {
			if errors.Is(err, errTaken) {
				return j.lane(ctx, nil)
			}
			return l, err
		}
	}
	return l, nil
}

func (l *lane) isGone() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}

// open finds a lane for a writer.
func (j *Journal) open(ctx context.Context) (*lane, error) {
	j.claiming.lock()
	defer j.claiming.unlock()
	j.mu.Lock()
	for _, l := range j.held {
		if !l.writing && time.Now().Before(l.valid) {
			l.writing = true
			j.mu.Unlock()
			return l, nil
		}
	}
	j.mu.Unlock()
	found, err := j.survey(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range j.choose(found, left, free, dead) {
		l, err := j.claim(ctx, c)
		if err == nil {
			j.hold(ctx, l, true, c.standing)
			return l, nil
		}
		if fault.Is(err, fault.Unavailable) || fault.Is(err, fault.Timeout) {
			return nil, err
		}
		if !errors.Is(err, errTaken) {
			j.cfg.Logger.Error("a lane of the journal cannot be used", "journal", j.cfg.Name, "lane", c.lane, "error", err)
		}
	}
	j.ask(ctx, found)
	return nil, fault.Newf(fault.Unavailable, "unavailable", "All %d lanes of the journal are held by other replicas.", j.cfg.lanes)
}

// hold makes a claimed lane one of this replica's.
func (j *Journal) hold(ctx context.Context, l *lane, writing bool, found standing) {
	j.mu.Lock()
	l.writing = writing
	j.held[l.n] = l
	backlog := len(l.entries)
	j.mu.Unlock()
	if found != free {
		j.metrics.takeovers.Inc()
		j.cfg.Logger.Info("took a journal lane over", "journal", j.cfg.Name, "lane", l.n, "backlog", backlog)
	}
	j.keepers.Go(func() { l.keep(ctx) })
}

// patience returns how long the writer waits for something to append, or for more of it.
func (j *Journal) patience() time.Duration {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch n := len(j.queue); {
	case j.closed || n >= j.cfg.maxBatch:
		return 0
	case n == 0:
		return j.cfg.lease
	default:
		return j.window.Wait(time.Now(), j.queue[0].at, n)
	}
}

// take removes the next batch from the queue.
func (j *Journal) take() (batch []*request, closed bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for _, r := range j.queue {
		if len(batch) == j.cfg.maxBatch {
			break
		}
		n++
		if r.state == stateQueued {
			r.state = stateTaken
			batch = append(batch, r)
		}
	}
	if n > 0 {
		now := time.Now()
		j.window.Sent(now, now.Sub(j.queue[0].at), n)
	}
	clear(j.queue[:n])
	if j.queue = j.queue[n:]; len(j.queue) > 0 {
		j.wake() // for another writer
	}
	return batch, j.closed
}

// wake tells one writer that something waits. Journal.mu is held, or nothing depends on it.
func (j *Journal) wake() {
	select {
	case j.queued <- struct{}{}:
	default:
	}
}

// requeue puts requests back to the front of the queue.
func (j *Journal) requeue(reqs []*request) {
	j.mu.Lock()
	defer j.mu.Unlock()
	back := make([]*request, 0, len(reqs)+len(j.queue))
	for _, r := range reqs {
		if r.state == stateTaken {
			r.state = stateQueued
			back = append(back, r)
		}
	}
	j.queue = append(back, j.queue...)
	j.wake()
}

// fail answers requests with a transient fault.
func (j *Journal) fail(reqs []*request, cause error) {
	err := unavailable(cause)
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range reqs {
		j.answer(r, nil, err)
	}
}

// unready fails what waits, unless another writer has a lane to write it to.
func (j *Journal) unready(cause error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.notReady = cause
	for _, l := range j.held {
		if l.writing && time.Now().Before(l.valid) && !j.closed {
			j.wake()
			return
		}
	}
	err := unavailable(cause)
	for _, r := range j.queue {
		j.answer(r, nil, err)
	}
	j.queue = nil
}

func unavailable(cause error) error {
	return &fault.Error{
		Kind: fault.Unavailable, Code: "unavailable", RetryAfter: time.Second, Err: cause,
		Message: "The request could not be recorded. Try again.",
	}
}
