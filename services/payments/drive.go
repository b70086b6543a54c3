package payments

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/tracing"
)

// run lets the runner drive a payment on, and publish the news and what is new after that; then the
// ticket is ended. Whatever the runner does not take, or does not finish, the settler finds in the
// journal. ended is closed when the payment has been driven on; it is nil if the runner has too
// much to do. begunBy names the trace that began the payment's business where the work is taken up
// again, and is empty where it belongs to the trace of ctx.
//
// A write of unknown outcome by a step of driving needs no fence, see the second rule of the
// package documentation: so the ticket is ended as if all writes had been answered.
func (s *Service) run(
	ctx context.Context, p Payment, news []event.Event, ticket aggregate.Ticket, begunBy string,
) (ended <-chan struct{}) {
	ended, taken := s.Runner.Go(ctx, p.ID, func(ctx context.Context) {
		defer ticket.Wrote()
		ctx, end := driveSpan(ctx, p, begunBy)
		err := s.driveAndTell(ctx, p, news)
		end(err)
		if err != nil {
			level := s.Log.WarnContext
			if fault.KindOf(err).Transient() {
				level = s.Log.InfoContext
			}
			level(ctx, "payment is left to the settler", "payment_id", p.ID, "error", err.Error())
		}
	})
	if !taken {
		ticket.Wrote()
	}
	return ended
}

// driveSpan starts the span of driving a payment on: where it is taken up again, in a trace of its
// own.
func driveSpan(ctx context.Context, p Payment, begunBy string) (context.Context, func(error)) {
	const name = "drive " + KindPayment
	if begunBy != "" {
		return tracing.Resume(ctx, name, []string{begunBy}, tracing.About(p.OrderID))
	}
	return tracing.Start(ctx, name, tracing.About(p.OrderID))
}

// runAgain drives on what nobody has changed, and tells everything again: whoever asks has not
// heard of it. begunBy is as for run.
func (s *Service) runAgain(ctx context.Context, p Payment, begunBy string) <-chan struct{} {
	events, err := p.Events(0)
	if err != nil {
		s.Log.ErrorContext(ctx, "the events of a payment cannot be made", "payment_id", p.ID, "error", err.Error())
	}
	return s.run(ctx, p, events, aggregate.NoTicket, begunBy)
}

// driveAndTell drives a payment on, and publishes the news and what is new after that.
func (s *Service) driveAndTell(ctx context.Context, p Payment, news []event.Event) error {
	ctx, cancel := context.WithTimeout(ctx, s.DriveTimeout)
	defer cancel()
	driven, err := s.drivenOn(ctx, p)
	newer, eventsErr := driven.Events(p.Version)
	s.decided(newer)
	return errors.Join(err, eventsErr, s.docs.Publish(ctx, slices.Concat(news, newer)...))
}

// maxSteps bounds one drive. A charge, a cancellation and a refund are three; conflicts add some.
const maxSteps = 2*MaxRefunds + 8

// drivenOn takes step after step until nothing is left to do for the payment, and returns it as it
// then is. It may begin at an outdated copy, stop anywhere and be repeated, also at the same time
// by other processes: what was done is never done again, because every call to the provider has a
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
				s.Log.ErrorContext(ctx, "the provider refused a refund for good", "payment_id", p.ID, "refund_id", r.ID)
				return next, nil // no use in trying again at once; a cancelled payment stays in the journal
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
	return p, fault.New(fault.Unavailable, "unavailable", "The payment is changing too often; try again.")
}

// charge authorises, looks whether the order was cancelled meanwhile, captures and records. The
// place in the index is taken before the capture, so that no captured payment can be missing from
// the report.
func (s *Service) charge(ctx context.Context, p Payment) (Payment, error) {
	result, err := ask(ctx, s, "authorize", func(ctx context.Context) (Result, error) { return s.Provider.Authorize(ctx, p.charge()) })
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
		charge := p.charge()
		charge.ChargeID = result.ChargeID
		result, err = ask(ctx, s, "capture", func(ctx context.Context) (Result, error) { return s.Provider.Capture(ctx, charge) })
		if err != nil {
			return s.giveUp(ctx, p, err)
		}
	}
	return s.decide(ctx, read, result, seq)
}

// void makes sure that nothing is captured, or learns that it was.
func (s *Service) void(ctx context.Context, p Payment) (Payment, error) {
	result, err := ask(ctx, s, "void", func(ctx context.Context) (Result, error) { return s.Provider.Void(ctx, p.charge()) })
	if err != nil {
		return s.giveUp(ctx, p, err)
	}
	read, seq, err := s.readAndAppend(ctx, p.ID)
	if err != nil {
		return p, err
	}
	return s.decide(ctx, read, result, seq)
}

// giveUp ends a charge whose outcome the provider has not told for too long, which err says. Before
// that it returns the payment and err as they are, and so it does for an order that was cancelled:
// that order has ended, its customer knows, and the provider can be asked for as long as it takes.
func (s *Service) giveUp(ctx context.Context, p Payment, err error) (Payment, error) {
	if p.Status != Pending || p.Cancellation != nil || s.now().Sub(p.CreatedAt) < s.GiveUpAfter {
		return p, err
	}
	read, seq, readErr := s.readAndAppend(ctx, p.ID)
	if readErr != nil {
		return p, errors.Join(err, readErr)
	}
	given := false
	next, writeErr := s.docs.Advance(ctx, read, changing(func(p *Payment) error {
		if given = p.Status == Pending; !given {
			return aggregate.ErrUnchanged
		}
		p.ListSeq = seq
		return p.GiveUp(s.now())
	}))
	if writeErr != nil {
		return p, errors.Join(err, writeErr)
	}
	if given {
		s.Attention(AttentionGivenUp)
		s.Log.ErrorContext(ctx, "the provider does not say whether a charge was made: the payment counts as declined, "+
			"and is given back if it was", "payment_id", p.ID, "error", err.Error())
	}
	return next, nil
}

// remind tells operators of a void or a refund that has not been decided for too long. Unlike a
// charge it is not given up: the money is not this system's, so the provider is asked for as long
// as it takes.
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

// readAndAppend reads the payment and takes its place in the index, at the same time.
func (s *Service) readAndAppend(ctx context.Context, id string) (aggregate.Read[Payment], uint64, error) {
	type appended struct {
		seq uint64
		err error
	}
	done := make(chan appended, 1)
	go func() {
		var a appended
		a.err = fault.Guard(ctx, func() (err error) {
			a.seq, err = s.Index.Append(ctx, indexPrefix, id)
			return err
		})
		done <- a
	}()
	read, err := s.docs.Read(ctx, id)
	place := <-done
	return read, place.seq, errors.Join(err, place.err)
}

func (s *Service) decide(
	ctx context.Context, read aggregate.Read[Payment], result Result, seq uint64,
) (Payment, error) {
	if result.State == ChargeAuthorized || result.State == ChargeUnknown {
		return read.Doc, fault.Newf(fault.Unavailable, "unavailable", "The payment provider answered %q, which decides nothing.", result.State)
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

// refund lets the provider give money back and records it.
func (s *Service) refund(ctx context.Context, p Payment, r Refund) (Payment, error) {
	ok, err := ask(ctx, s, "refund", func(ctx context.Context) (bool, error) {
		return s.Provider.Refund(ctx, RefundOrder{
			Key: r.ID, ChargeKey: p.ID, ChargeID: p.ChargeID, Amount: r.Amount, CreatedAt: r.CreatedAt,
		})
	})
	if err != nil {
		return p, err
	}
	return s.update(ctx, p.ID, func(p *Payment) error {
		if r, found := p.Refund(r.ID); !found || r.Status != RefundPending {
			return aggregate.ErrUnchanged
		}
		return p.SettleRefund(r.ID, ok, s.now())
	})
}

// update reads a payment and takes a step on what it reads.
func (s *Service) update(ctx context.Context, id string, f func(*Payment) error) (Payment, error) {
	read, err := s.docs.Read(ctx, id)
	if err != nil {
		return Payment{}, err
	}
	return s.docs.Advance(ctx, read, changing(f))
}

func changing(f func(*Payment) error) func(Payment) (Payment, error) {
	return func(p Payment) (Payment, error) {
		err := f(&p)
		return p, err
	}
}

// quickTries is how often a call to the provider is made before it is left to the settler, and
// firstPause the first pause between them, which doubles.
const (
	quickTries = 4
	firstPause = 100 * time.Millisecond
)

// ask calls the provider, and asks again with the same key while the outcome is unknown.
func ask[T any](ctx context.Context, s *Service, operation string, call func(context.Context) (T, error)) (answer T, err error) {
	for try := range quickTries {
		if try > 0 {
			if s.Wait(ctx, firstPause<<(try-1)) != nil {
				break
			}
		}
		answer, err = askOnce(ctx, s, operation, call)
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return answer, fmt.Errorf("provider: %s: %w", operation, err)
	}
	return answer, nil
}

func askOnce[T any](ctx context.Context, s *Service, operation string, call func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, s.ProviderTimeout)
	defer cancel()
	ctx, end := tracing.StartCall(ctx, "provider", operation)
	start := time.Now()
	answer, err := call(ctx)
	outcome := "answered"
	if err != nil {
		outcome = "unknown"
	}
	s.Seen(operation, outcome, time.Since(start))
	end(err)
	return answer, err
}

func (p *Payment) charge() Charge {
	return Charge{Key: p.ID, OrderID: p.OrderID, Amount: p.Amount, Method: p.Method, CreatedAt: p.CreatedAt}
}
