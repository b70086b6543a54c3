package payments

import (
	"context"
	"errors"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// errUndecided says that a provider which was asked at once has not decided.
var errUndecided = fault.New(fault.Unavailable, "unavailable", "The payment provider has decided nothing.")

// decidedAtOnce makes the payment of an order. If the provider decides within [Config.Prompt], the
// payment is captured or declined already, and so it is written once; else it is pending, and is
// driven on after it is written. If there is a payment already, that one is returned with
// [aggregate.ErrUnchanged], and nothing is asked of the provider.
//
// While the provider is asked, nothing of the payment is durable. If the process dies meanwhile,
// the message that brought the order was not acknowledged, and orders publishes it again until it
// finds a payment: then the provider is asked again, under the same key. A cancellation that comes
// first asks the provider as well, and learns what it has done.
func (s *Service) decidedAtOnce(ctx context.Context, o Order) (Payment, error) {
	var p Payment
	if _, err := p.Place(o, s.now()); err != nil || s.Prompt <= 0 {
		return p, err
	}
	read, err := s.docs.Read(sidecar.Glance(ctx), p.ID) // what is overlooked the provider knows, and the insert finds
	if err != nil {
		return p, err
	}
	if read.Exists {
		return read.Doc, aggregate.ErrUnchanged
	}
	decided, err := s.chargeAtOnce(ctx, p)
	if err != nil {
		s.Log.DebugContext(ctx, "the provider did not decide at once", "payment_id", p.ID, "error", err.Error())
		return p, nil
	}
	return decided, nil
}

// chargeAtOnce asks the provider once, and takes the payment's place in the index meanwhile. An
// error leaves the outcome unknown.
func (s *Service) chargeAtOnce(ctx context.Context, p Payment) (Payment, error) {
	charge := p.charge()
	result, err := s.promptly(ctx, "authorize", charge, s.Provider.Authorize)
	if err != nil {
		return p, err
	}
	captured := make(chan error, 1)
	go func() {
		captured <- fault.Guard(ctx, func() (err error) {
			if result.State == ChargeAuthorized {
				charge.ChargeID = result.ChargeID
				result, err = s.promptly(ctx, "capture", charge, s.Provider.Capture)
			}
			return err
		})
	}()
	seq, err := s.Index.Append(ctx, indexPrefix, p.ID)
	if err = errors.Join(err, <-captured); err != nil {
		return p, err
	}
	if result.State != ChargeCaptured && result.State != ChargeDeclined {
		return p, errUndecided // it was voided: by whom, the payment will say that is there by now
	}
	p.ListSeq = seq
	return p, p.Decide(result, s.now())
}

// promptly asks the provider once, for as long as a handler may wait.
func (s *Service) promptly(ctx context.Context, operation string, c Charge,
	call func(context.Context, Charge) (Result, error),
) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Prompt)
	defer cancel()
	return askOnce(ctx, s, operation, func(ctx context.Context) (Result, error) { return call(ctx, c) })
}
