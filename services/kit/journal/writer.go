package journal

import (
	"context"
	"errors"
	"time"
)

// writer appends what waits in the queue, batch by batch, to a lane that it has for itself.
type writer struct {
	p         *process
	lanes     *lanes
	ownership *ownership
	queue     *queue
}

// run ends when the queue is closed and nothing waits.
func (w *writer) run(ctx context.Context) {
	var l *lane
	var out *appender
	failures := 0
	for {
		var err error
		if l, err = w.lane(ctx, l); err != nil {
			w.queue.unready(err, w.lanes.writable())
			if w.queue.isClosed() {
				return
			}
			failures++
			pause(w.queue.closing, nil, nil, w.retryDelay(failures))
			continue
		}
		failures = 0
		if wait := w.queue.wait(); wait > 0 {
			pause(w.queue.closing, w.queue.filled, l.gone, wait)
			continue
		}
		if out == nil || out.lane != l {
			out = &appender{p: w.p, lane: l, queue: w.queue}
		}
		reqs, closed := w.queue.take()
		switch {
		case len(reqs) > 0:
			out.write(ctx, reqs)
		case closed:
			return
		}
	}
}

// retryDelay is the pause after a number of failures to get a lane: short at first, for Begins are
// waiting.
func (w *writer) retryDelay(failures int) time.Duration {
	return w.p.jitter(min(50*time.Millisecond<<min(failures, 5), w.p.cfg.lease/6))
}

// lane returns a lane to append to, whose lease is good for a while: the present one, another that
// is held, or a new one.
func (w *writer) lane(ctx context.Context, l *lane) (*lane, error) {
	if l == nil || l.isGone() {
		var err error
		if l, err = w.ownership.open(ctx); err != nil {
			return nil, err
		}
	}
	if l.stale() {
		err := keeper{w.p, l}.beat(ctx)
		if errors.Is(err, errTaken) {
			return w.lane(ctx, nil)
		}
		if err != nil {
			return l, err
		}
	}
	return l, nil
}
