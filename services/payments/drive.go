package payments

import (
	"context"
	"errors"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/background"
	"sidecart.dev/kit/fault"
)

// maxSteps bounds one drive. A charge, a cancellation and a refund are three; conflicts add some.
const maxSteps = 2*MaxRefunds + 8

// drivenOn takes step after step until nothing is left to do for the payment, and returns it as it
// then is. It may begin at an outdated copy, stop anywhere and be repeated, also at the same time
// by other processes. What was done is never done again, because every call to the provider has a
// key that is derived from the payment, and every write depends on the ETag.
//
// Errors are transient: the outcome of the last step is unknown. The payment returned with one is
// the last that was read.
func (s *Service) drivenOn(ctx context.Context, p Payment) (Payment, error) {
	for range maxSteps {
		var next Payment
		var err error
		step, refund := p.Next()
		switch step {
		case StepNone:
			return p, nil
		case StepCharge:
			next, err = s.charge(ctx, p)
		case StepVoid:
			next, err = s.void(ctx, p)
		case StepRefund:
			next, err = s.refund(ctx, p, *refund)
			if r, ok := next.Refund(refund.ID); err == nil && ok && r.Status == RefundRefused {
				s.Attention(AttentionRefundRefused)
				s.Log.ErrorContext(ctx, "the provider refused a refund for good",
					"payment_id", p.ID, "refund_id", r.ID)
				// There is no use in trying again at once. A cancelled payment stays in the journal.
				return next, nil
			}
		case StepRefundOfRest:
			next, err = s.update(ctx, p.ID, func(p *Payment) error {
				if step, _ := p.Next(); step != StepRefundOfRest {
					return aggregate.ErrUnchanged
				}
				return p.AcceptRest(s.now())
			})
		}
		if err != nil {
			s.remind(ctx, p, step, refund, err)
			return p, err
		}
		p = next
	}
	return p, fault.New(fault.Unavailable, "unavailable",
		"The payment is changing too often; try again.")
}

// charge authorises, looks whether the order was cancelled meanwhile, captures, and writes down
// what the provider did. The place in the index is taken before the capture, so that no captured
// payment can be missing from the report.
func (s *Service) charge(ctx context.Context, p Payment) (Payment, error) {
	charge := p.charge()
	result, err := ask(ctx, s, "authorize", charge, s.Provider.Authorize)
	if err != nil {
		return s.giveUp(ctx, p, err)
	}
	read, seq, err := s.readAndAppend(ctx, p.ID)
	if err != nil {
		return p, err
	}
	if step, _ := read.Doc.Next(); step != StepCharge {
		return read.Doc, nil
	}
	if result.State == ChargeAuthorized {
		charge.ChargeID = result.ChargeID
		result, err = ask(ctx, s, "capture", charge, s.Provider.Capture)
		if err != nil {
			return s.giveUp(ctx, p, err)
		}
	}
	return s.decide(ctx, read, result, seq)
}

// void makes sure that nothing is captured, or learns that it was.
func (s *Service) void(ctx context.Context, p Payment) (Payment, error) {
	result, err := ask(ctx, s, "void", p.charge(), s.Provider.Void)
	if err != nil {
		return s.giveUp(ctx, p, err)
	}
	read, seq, err := s.readAndAppend(ctx, p.ID)
	if err != nil {
		return p, err
	}
	return s.decide(ctx, read, result, seq)
}

// readAndAppend reads the payment and takes its place in the index, at the same time.
func (s *Service) readAndAppend(
	ctx context.Context, id string,
) (read aggregate.Read[Payment], seq uint64, err error) {
	place := s.takePlace(ctx, id)
	read, err = s.docs.Read(ctx, id)
	seq, placeErr := place()
	return read, seq, errors.Join(err, placeErr)
}

// takePlace begins to append a payment to the index. What it returns waits for the position.
func (s *Service) takePlace(ctx context.Context, id string) func() (uint64, error) {
	var seq uint64
	wait := background.Beside(ctx, func() (err error) {
		seq, err = s.Index.Append(ctx, indexPrefix, id)
		return err
	})
	return func() (uint64, error) {
		err := wait()
		return seq, err
	}
}

// decide writes down what the provider did with a charge.
func (s *Service) decide(
	ctx context.Context, read aggregate.Read[Payment], result Result, seq uint64,
) (Payment, error) {
	if result.State == ChargeAuthorized || result.State == ChargeUnknown {
		return read.Doc, fault.Newf(fault.Unavailable, "unavailable",
			"The payment provider answered %q, which decides nothing.", result.State)
	}
	return s.docs.Advance(ctx, read, changing(func(p *Payment) error {
		switch {
		case p.Unresolved || p.unasked():
			if err := p.Resolve(result, s.now()); err != nil {
				return err
			}
		case p.Status != Pending:
			return aggregate.ErrUnchanged
		default:
			if err := p.Decide(result, s.now()); err != nil {
				return err
			}
			p.ListSeq = seq
		}
		if step, _ := p.Next(); step == StepRefundOfRest {
			return p.AcceptRest(s.now())
		}
		return nil
	}))
}

// refund lets the provider give money back, and writes down whether it did.
func (s *Service) refund(ctx context.Context, p Payment, r Refund) (Payment, error) {
	ok, err := ask(ctx, s, "refund", RefundOrder{
		Key: r.ID, ChargeKey: p.ID, ChargeID: p.ChargeID, Amount: r.Amount, CreatedAt: r.CreatedAt,
	}, s.Provider.Refund)
	if err != nil {
		return p, err
	}
	return s.update(ctx, p.ID, func(p *Payment) error {
		if r, found := p.Refund(r.ID); !found || r.Status != RefundPending {
			return aggregate.ErrUnchanged
		}
		return p.DecideRefund(r.ID, ok, s.now())
	})
}

// update reads a payment and takes a step on what it reads.
func (s *Service) update(
	ctx context.Context, id string, f func(*Payment) error,
) (Payment, error) {
	read, err := s.docs.Read(ctx, id)
	if err != nil {
		return Payment{}, err
	}
	return s.docs.Advance(ctx, read, changing(f))
}

// changing lets a function change a payment in place, as the methods of a payment do.
func changing(f func(*Payment) error) func(Payment) (Payment, error) {
	return func(p Payment) (Payment, error) {
		err := f(&p)
		return p, err
	}
}
