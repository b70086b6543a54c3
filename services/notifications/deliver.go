package notifications

import (
	"context"
	"errors"
	"time"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// deliver makes one attempt, and has recorded what came of it when it calls done. The call returns
// before that, so that the next message can be sent meanwhile.
func (s *Service) deliver(ctx context.Context, q *queue, j job, done func()) {
	ctx, end := j.span(ctx, q.channel)
	var h held
	var ok bool
	err := fault.Guard(ctx, func() error {
		h, ok = s.take(ctx, q, j)
		return nil
	})
	ok = ok && err == nil
	if ok {
		err = fault.Guard(ctx, func() error { return s.attempt(ctx, q, h.record) })
		// If the service stops, the outcome is not known, and not the provider's fault.
		ok = (err == nil || ctx.Err() == nil) && !errors.Is(err, errNotTried)
	}
	if !ok {
		q.tried(j.id, untried)
		q.done(j.id)
		j.answer(false, nil)
		end(err)
		done()
		return
	}
	o := taken
	if err != nil && fault.KindOf(err).Transient() {
		o = refused
	}
	due := q.tried(j.id, o)
	j.answer(true, err)
	go func() {
		defer done()
		// An outcome that a panic kept from being recorded is the settler's to find out.
		_ = fault.Guard(ctx, func() error {
			if j.first != nil {
				s.noteFirst(ctx, j.first, h, q.channel, err)
			} else {
				s.note(ctx, h, q.channel, err)
			}
			return nil
		})
		q.done(j.id)
		end(err)
		s.records.Poke(due...)
	}()
}

// held is a record that this process alone may send.
type held struct {
	record Record
	read   *aggregate.Read[Record] // as what it was read, if it was and has not been written since
	asOf   time.Time               // when that was
}

// take returns the record to send, or ok = false if it is not to be sent by us, or not now.
//
// No other process is offered what this one has accepted and still owns in the journal, so that
// needs no claim. While it is fresh it is sent as it is in memory. Later it is read again, because
// its user may have been deleted. Everything else is claimed first.
//
// A first attempt that somebody waits for is made before there is a record; the list of its user
// keeps other processes from it.
func (s *Service) take(ctx context.Context, q *queue, j job) (h held, ok bool) {
	if j.first != nil {
		if j.first.start() {
			return held{record: *j.record}, true
		}
		if !j.first.stands(ctx) {
			return h, false
		}
	}
	owned := j.mine && s.records.Owned(j.id)
	if owned && j.record != nil && s.cfg.Now().Sub(j.since) < s.cfg.Fresh {
		return held{record: *j.record}, true
	}
	asOf := time.Now()
	read, err := s.records.Read(ctx, j.id)
	switch {
	case err != nil || !read.Exists || !s.sendable(&read.Doc, q.channel):
	case owned:
		return held{read.Doc, &read, asOf}, true
	default:
		h.record, ok, err = s.claim(ctx, read, q.channel)
	}
	if err != nil {
		s.warn(ctx, "record not read or not claimed", j.id, err) // the settler offers it again
	}
	return h, ok
}

// sendable reports whether the delivery is to be made, and nobody is making it.
func (s *Service) sendable(r *Record, c Channel) bool {
	d := r.Delivery(c)
	return d != nil && d.Status == Queued && r.Content != nil && !s.cfg.Now().Before(d.Claimed)
}

// claim marks a delivery so that no other process makes it.
func (s *Service) claim(ctx context.Context, read aggregate.Read[Record],
	c Channel,
) (r Record, claimed bool, err error) {
	r, err = s.records.Advance(ctx, read, func(r Record) (Record, error) {
		claimed = s.sendable(&r, c)
		if !claimed {
			return r, aggregate.ErrUnchanged
		}
		r.Delivery(c).Claimed = s.cfg.Now().Add(s.cfg.Claim)
		return r, nil
	})
	return r, claimed && err == nil, err
}

// attempt renders and sends. What came too late is not sent. errNotTried says that it may have,
// which could not be found out.
func (s *Service) attempt(ctx context.Context, q *queue, r Record) error {
	d := *r.Delivery(q.channel)
	if !r.Content.Expires.IsZero() && !s.cfg.Now().Before(r.Content.Expires) {
		return fault.New(fault.Unprocessable, "expired", ReasonExpired)
	}
	m, ok := MessageOf(r.EventType)
	if !ok {
		return errStale // accepted by an earlier release, which still told this
	}
	inTurn, err := s.inTurn(ctx, q.channel, m, r)
	if err != nil {
		return err
	}
	defer inTurn()
	rendered, err := s.Renderer.Render(m.Template, *r.Content)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.SendTimeout)
	defer cancel()
	began := time.Now()
	err = q.sender.Send(ctx, Outgoing{ID: d.ID, To: d.Recipient, Rendered: rendered})
	q.paced(time.Since(began))
	s.meters.attempted(q.channel, err)
	return err
}

// note writes what came of an attempt into the record, trying until it is written: as long as it is
// not, the message may be sent again.
func (s *Service) note(ctx context.Context, h held, c Channel, result error) {
	s.untilDone(ctx, h.record.ID, func() error {
		err := s.noteOnce(ctx, h, c, result)
		h.read = nil // whether it was written is not known
		return err
	})
}

func (s *Service) noteOnce(ctx context.Context, h held, c Channel, result error) error {
	id := h.record.ID
	if h.read == nil {
		h.asOf = time.Now()
		read, err := s.records.Read(ctx, id)
		if err != nil {
			return err
		}
		h.read = &read
	}
	var ended *Delivery
	r, err := s.records.Advance(ctx, *h.read, func(r Record) (Record, error) {
		if ended = r.Delivery(c); ended == nil || ended.Status == Sent {
			ended = nil
			return r, aggregate.ErrUnchanged
		}
		s.apply(&r, ended, result)
		return r, nil
	})
	if sidecar.IsMissing(err) || err == nil && ended == nil {
		return nil
	}
	if err != nil {
		return err
	}
	s.meters.ended(r, *ended)
	if r.Ended() {
		s.allEnded(r, h.asOf)
	} else if ended.Status == Queued {
		// The journal offers it again anyway, but not to the second.
		time.AfterFunc(time.Until(ended.NextAttempt), func() { s.records.Poke(id) })
	}
	return nil
}

// apply changes a delivery by the result of an attempt.
func (s *Service) apply(r *Record, d *Delivery, result error) {
	now := s.cfg.Now().UTC()
	d.Attempts++
	d.LastAttempt, d.Claimed = now, time.Time{}
	switch {
	case result == nil:
		r.end(d, Sent, "", now)
	case d.Status != Queued: // erased meanwhile
	case errors.Is(result, errStale):
		r.end(d, Suppressed, ReasonStale, now)
	case fault.KindOf(result).Transient() && now.Sub(r.CreatedAt) > s.cfg.GiveUp:
		r.end(d, Failed, ReasonGaveUp, now)
	case fault.KindOf(result).Transient():
		d.NextAttempt, d.Reason = now.Add(s.cfg.retryAfter(d.Attempts)), ReasonRetrying
	default:
		r.end(d, Failed, reasonOf(result), now)
	}
}

func reasonOf(err error) string {
	//nolint:errorlint // senders and attempt return faults as they are
	if f, ok := err.(*fault.Error); ok {
		return f.Message
	}
	return ReasonRejected
}

// allEnded tells the journal that every delivery of a record came to an end, as was read then or
// later. A deletion goes on with erasing.
func (s *Service) allEnded(r Record, read time.Time) {
	if !r.Done() {
		s.records.Poke(r.ID)
		return
	}
	s.records.Finish(read, r.ID)
}
