package payments

import (
	"context"
	"errors"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// errUndecided says that a provider which was asked at once has not decided.
var errUndecided = fault.New(fault.Unavailable, "unavailable",
	"The payment provider has decided nothing.")

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
	// A glance may overlook a payment: the provider knows of it then, and the insert finds it.
	read, err := s.docs.Read(sidecar.Glance(ctx), p.ID)
	if err != nil {
		return p, err
	}
	if read.Exists {
		return read.Doc, aggregate.ErrUnchanged
	}
	decided, err := s.chargeAtOnce(ctx, p)
	if err != nil {
		s.Log.DebugContext(ctx, "the provider did not decide at once",
			"payment_id", p.ID, "error", err.Error())
		return p, nil
	}
	return decided, nil
}

// chargeAtOnce asks the provider once, and takes the payment's place in the index meanwhile. An
// error leaves the outcome unknown.
func (s *Service) chargeAtOnce(ctx context.Context, p Payment) (Payment, error) {
	charge, limit := p.charge(), min(s.Prompt, s.ProviderTimeout)
	result, err := askOnce(ctx, s, limit, "authorize", charge, s.Provider.Authorize)
	if err != nil {
		return p, err
	}
	place := s.takePlace(ctx, p.ID)
	if result.State == ChargeAuthorized {
		charge.ChargeID = result.ChargeID
		result, err = askOnce(ctx, s, limit, "capture", charge, s.Provider.Capture)
	}
	seq, placeErr := place()
	if err = errors.Join(err, placeErr); err != nil {
		return p, err
	}
	if result.State != ChargeCaptured && result.State != ChargeDeclined {
		return p, errUndecided // it was voided, and by now there is a payment that says why
	}
	p.ListSeq = seq
	return p, p.Decide(result, s.now())
}
