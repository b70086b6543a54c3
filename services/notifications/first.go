package notifications

import (
	"context"
	"slices"
	"sync"
	"time"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/tracing"
)

// first is the first attempt at a delivery while whoever has accepted the event waits for it, so
// that the record is written once, with what came of the attempt. It is safe for concurrent use.
type first struct {
	answered chan struct{} // closed when the attempt has an outcome
	written  chan struct{} // closed when the record is written, or cannot be

	mu      sync.Mutex
	over    bool // nobody waits any more: the attempt is not started before the record is written
	tried   bool // the provider has answered
	result  error
	used    bool // the record has the outcome
	created bool // the record is the one of whoever waited
	failed  bool // it was not written
}

func newFirst() *first {
	return &first{answered: make(chan struct{}), written: make(chan struct{})}
}

// start reports whether the attempt may be made before the record is written.
func (f *first) start() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.over
}

// answer says what came of the attempt, or that none was made.
func (f *first) answer(tried bool, result error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tried, f.result = tried, result
	close(f.answered)
}

// leave ends the wait, and returns the outcome if the provider has answered.
//
//nolint:revive // the error is a value here, not the function's
func (f *first) leave() (result error, tried bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over, f.used = true, f.tried
	return f.result, f.tried
}

// wrote says what came of writing the record.
func (f *first) wrote(created bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.created, f.failed = created, err != nil
	close(f.written)
}

// stands waits until the record is written, and reports whether it is, as that of whoever waited.
func (f *first) stands(ctx context.Context) bool {
	select {
	case <-f.written:
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.created
	case <-ctx.Done():
		return false
	}
}

// atOnce makes the first attempts at a new record's deliveries that can be made now, waits for them
// for a while, and notes in the record what came of them. The caller must say of each whether the
// record was written. Nothing else may be sending the record: it is new in the list of its user.
func (s *Service) atOnce(ctx context.Context, r *Record) []*first {
	var firsts []*first
	var channels []Channel
	for i := range r.Deliveries {
		d := &r.Deliveries[i]
		q := s.queue(d.Channel)
		if d.Status != Queued || q == nil || !q.prompt() {
			continue
		}
		f, inHand := newFirst(), *r
		inHand.Deliveries = slices.Clone(r.Deliveries)
		added := q.push(job{
			id: r.ID, record: &inHand, mine: true, since: s.cfg.Now(), first: f,
			about: r.OrderID, traceparent: tracing.TraceParent(ctx),
		})
		if added {
			firsts, channels = append(firsts, f), append(channels, d.Channel)
		}
	}
	timer := time.NewTimer(s.cfg.Prompt)
	defer timer.Stop()
	for _, f := range firsts {
		select {
		case <-f.answered:
			continue
		case <-timer.C:
		case <-ctx.Done():
		}
		break
	}
	for i, f := range firsts {
		if result, tried := f.leave(); tried {
			s.apply(r, r.Delivery(channels[i]), result)
		}
	}
	return firsts
}

// prompt reports whether some queue is likely to send soon what it is given now.
func (s *Service) prompt() bool {
	for _, q := range s.queues {
		if q.prompt() {
			return true
		}
	}
	return false
}

// noteFirst notes what came of a first attempt, unless the record was written with it.
func (s *Service) noteFirst(ctx context.Context, f *first, h held, c Channel, result error) {
	select {
	case <-f.written:
	case <-ctx.Done():
		return
	}
	f.mu.Lock()
	has, failed := f.created && f.used, f.failed
	f.mu.Unlock()
	switch {
	case has:
	case failed:
		s.noteAnew(ctx, h.record, c, result)
	default:
		s.note(ctx, h, c, result)
	}
}

// noteAnew writes what came of an attempt where the record itself could not be written, trying
// until it is: as long as it is not, the message may be sent again.
func (s *Service) noteAnew(ctx context.Context, r Record, c Channel, result error) {
	s.untilDone(ctx, r.ID, func() error {
		_, err := s.records.Put(ctx, r.ID, func(stands Record, exists bool) (Record, error) {
			if !exists {
				stands = r
				stands.Deliveries = slices.Clone(r.Deliveries)
			}
			d := stands.Delivery(c)
			if d == nil || d.Status == Sent {
				return stands, aggregate.ErrUnchanged
			}
			s.apply(&stands, d, result)
			return stands, nil
		})
		return err
	})
}

// untilDone repeats the writing of an outcome until it succeeds or ctx ends.
func (s *Service) untilDone(ctx context.Context, id string, write func() error) {
	pause := 10 * time.Millisecond
	for {
		err := write()
		if err == nil {
			return
		}
		s.warn(ctx, "outcome not recorded yet", id, err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, time.Second)
	}
}

// postpone leaves a record's deliveries to another process that is sending them, for as long as it
// takes one that lives.
func (r *Record) postpone(until time.Time) {
	for i := range r.Deliveries {
		if d := &r.Deliveries[i]; d.Status == Queued {
			d.NextAttempt = until
		}
	}
}

// errInHand says that what became of an order may be on its way to the customer.
var errInHand = fault.New(fault.Unavailable, "unavailable",
	"Another message to this customer is being sent.")

// answer tells whoever waits for the job, if anybody does, what came of it.
func (j job) answer(tried bool, result error) {
	if j.first != nil {
		j.first.answer(tried, result)
	}
}
