package payments

import (
	"context"
	"errors"
	"time"

	"sidecart.dev/kit/aggregate"
)

// giveUp ends a charge if the provider has not told its outcome for too long. err says why there is
// no answer. In all other cases it returns the payment and err as they are. One of them is an order
// that was cancelled: it has ended, its customer knows, and the provider can be asked for as long
// as it takes.
func (s *Service) giveUp(ctx context.Context, p Payment, err error) (Payment, error) {
	tooEarly := s.now().Sub(p.CreatedAt) < s.GiveUpAfter
	if p.Status != Pending || p.Cancellation != nil || tooEarly {
		return p, err
	}
	read, seq, readErr := s.readAndAppend(ctx, p.ID)
	if readErr != nil {
		return p, errors.Join(err, readErr)
	}
	givenUp := false
	next, writeErr := s.docs.Advance(ctx, read, changing(func(p *Payment) error {
		if givenUp = p.Status == Pending; !givenUp {
			return aggregate.ErrUnchanged
		}
		p.ListSeq = seq
		return p.GiveUp(s.now())
	}))
	if writeErr != nil {
		return p, errors.Join(err, writeErr)
	}
	if givenUp {
		s.Attention(AttentionGivenUp)
		s.Log.ErrorContext(ctx, "the provider does not say whether a charge was made: "+
			"the payment counts as declined, and is given back if it was",
			"payment_id", p.ID, "error", err.Error())
	}
	return next, nil
}

// remind tells operators of a void or a refund that has not been decided for too long. Unlike a
// charge it is never given up, because the money is not this system's: the provider is asked for as
// long as it takes.
func (s *Service) remind(ctx context.Context, p Payment, step Step, refund *Refund, err error) {
	var attention string
	var since time.Time
	switch {
	case step == StepRefund:
		attention, since = AttentionRefundOverdue, refund.CreatedAt
	case step == StepVoid && p.Cancellation != nil:
		attention, since = AttentionVoidOverdue, p.Cancellation.At
	case step == StepVoid:
		attention, since = AttentionVoidOverdue, p.DecidedAt
	default:
		return
	}
	if s.now().Sub(since) < s.GiveUpAfter {
		return
	}
	s.Attention(attention)
	s.Log.ErrorContext(ctx, "a payment waits for its provider too long; it is asked on",
		"payment_id", p.ID, "what", attention, "since", since, "error", err.Error())
}
