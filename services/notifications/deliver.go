package notifications

import (
	"context"
	"errors"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// deliver makes one attempt, and has recorded what came of it when it calls done. The call returns before that, so that the next
// message can be sent meanwhile.
func (s *Service) deliver(ctx context.Context, l *lane, j job, done func()) {
	var r Record
	var ok bool
	err := fault.Guard(ctx, func() error {
		r, ok = s.claim(ctx, l, j)
		return nil
	})
	ok = ok && err == nil
	if ok {
		err = fault.Guard(ctx, func() error { return s.attempt(ctx, l, r, *r.Delivery(l.channel)) })
		// If the service stops, the outcome is not known, and not the provider's fault.
		ok = (err == nil || ctx.Err() == nil) && !errors.Is(err, errNotTried)
	}
	if !ok {
		l.tried(j.id, untried)
		l.done(j.id)
		done()
		return
	}
	o := taken
	if err != nil && fault.KindOf(err).Transient() {
		o = refused
	}
	due := l.tried(j.id, o)
	go func() {
		defer done()
		// An outcome that a panic kept from being recorded is the settler's to find out.
		_ = fault.Guard(ctx, func() error {
			s.record(ctx, r.ID, l.channel, err)
			return nil
		})
		l.done(j.id)
		s.poke(due)
	}()
}

// poke makes records due for the settler. None is none; to the journal it would be all.
func (s *Service) poke(ids []string) {
	if len(ids) > 0 {
		s.Journal.Poke(ids...)
	}
}

// claim returns the record to send: the one in hand while no other process can have it, else as it is now, and marked so that no
// other process sends it. ok is false if it is not to be sent by us, or not now.
func (s *Service) claim(ctx context.Context, l *lane, j job) (r Record, ok bool) {
	if j.record != nil && s.cfg.Now().Sub(j.since) < s.cfg.Fresh {
		return *j.record, true
	}
	for ctx.Err() == nil {
		stored, found, err := s.Store.Load(ctx, j.id)
		if err != nil {
			s.warn(ctx, "record not read", j.id, err)
			return Record{}, false // the settler offers it again
		}
		r := stored.Record
		d := r.Delivery(l.channel)
		now := s.cfg.Now()
		if !found || !stored.Exists || d == nil || d.Status != Queued || r.Content == nil || now.Before(d.Claimed) {
			return Record{}, false
		}
		d.Claimed = now.Add(s.cfg.Claim)
		err = s.Store.Update(ctx, r, stored.ETag)
		if err == nil {
			return r, true
		}
		if !isConflict(err) {
			s.warn(ctx, "record not claimed", j.id, err)
			return Record{}, false
		}
	}
	return Record{}, false
}

// attempt renders and sends. What came too late is not sent. errNotTried says that it may have, which could not be found out.
func (s *Service) attempt(ctx context.Context, l *lane, r Record, d Delivery) error {
	if !r.Content.Expires.IsZero() && !s.cfg.Now().Before(r.Content.Expires) {
		return fault.New(fault.Unprocessable, "expired", ReasonExpired)
	}
	m, ok := MessageOf(r.EventType)
	if !ok {
		return errStale // accepted by an earlier release, which still told this
	}
	inTurn, err := s.inTurn(ctx, l.channel, m, r)
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
	err = l.sender.Send(ctx, Outgoing{ID: d.ID, To: d.Recipient, Rendered: rendered})
	s.meters.attempted(l.channel, err)
	return err
}

// record writes what came of an attempt, trying until it is written: as long as it is not, the message may be sent again.
func (s *Service) record(ctx context.Context, id string, c Channel, result error) {
	pause := 10 * time.Millisecond
	for {
		err := s.recordOnce(ctx, id, c, result)
		if err == nil {
			return
		}
		if !isConflict(err) {
			s.warn(ctx, "outcome not recorded yet", id, err)
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
			pause = min(2*pause, time.Second)
		}
	}
}

func (s *Service) recordOnce(ctx context.Context, id string, c Channel, result error) error {
	read := time.Now()
	stored, found, err := s.Store.Load(ctx, id)
	if err != nil {
		return err
	}
	r := stored.Record
	d := r.Delivery(c)
	if !found || !stored.Exists || d == nil || d.Status == Sent {
		return nil
	}
	s.apply(&r, d, result)
	err = s.Store.Update(ctx, r, stored.ETag)
	if sidecar.IsMissing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	s.meters.ended(r, *d)
	if r.Settled() {
		s.settled(r, read)
	} else if d.Status == Queued {
		// The journal offers it again anyway, but not to the second.
		time.AfterFunc(time.Until(d.NextAttempt), func() { s.Journal.Poke(id) })
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
	if f, ok := err.(*fault.Error); ok { //nolint:errorlint // senders and attempt return faults as they are
		return f.Message
	}
	return ReasonRejected
}

// settled tells the journal that every delivery of a record came to an end, as was read then or later. A deletion goes on with erasing.
func (s *Service) settled(r Record, read time.Time) {
	if m, _ := MessageOf(r.EventType); m.Erases {
		s.Journal.Poke(r.ID)
		return
	}
	s.Journal.Finish(read, r.ID)
}
