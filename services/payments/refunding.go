package payments

import (
	"context"
	"time"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/fault"
)

// Refund gives a part or all of a captured payment back, once per idempotency key. It waits for the
// provider for as long as [Config.RefundWait]. A refund that is still pending then is carried out
// all the same. replayed says that the key had been used for the same request before.
//
// Errors are NotFound, those of [Payment.AcceptRefund], and transient ones, after which the same
// request may be made again with the same key.
func (s *Service) Refund(
	ctx context.Context, paymentID string, req RefundRequest,
) (refund Refund, replayed bool, err error) {
	if !validID(paymentID) {
		return Refund{}, false, notFound()
	}
	var ended <-chan struct{}
	added := false
	accept := func(p Payment, exists bool) (_ Payment, err error) {
		if !exists {
			return p, notFound()
		}
		refund, added, err = p.AcceptRefund(req, s.now())
		if err == nil && !added {
			err = aggregate.ErrUnchanged
		}
		return p, err
	}
	p, err := s.docs.PutThen(ctx, paymentID, accept,
		func(ctx context.Context, w aggregate.Written[Payment]) {
			ended = s.run(ctx, w.Doc, w.News, w.Ticket, "")
		})
	if err != nil {
		return Refund{}, false, err
	}
	if !added {
		ended = s.runAgain(ctx, p, "")
	}
	if refund.Status == RefundPending {
		refund = s.await(ctx, p.ID, refund, ended)
	}
	return refund, !added, nil
}

// await waits for the drive of a payment to end and returns the refund as it then is.
func (s *Service) await(
	ctx context.Context, paymentID string, refund Refund, ended <-chan struct{},
) Refund {
	timer := time.NewTimer(s.RefundWait)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		return refund
	case <-ctx.Done():
		return refund
	}
	p, err := s.docs.Get(ctx, paymentID)
	if err != nil {
		return refund // accepted and durable; how it ended can be read later
	}
	if r, ok := p.Refund(refund.ID); ok {
		return *r
	}
	return refund
}

// ChargeOnRecord is what the provider itself has on record for an order.
type ChargeOnRecord struct {
	OrderID string
	Key     string
	Result
}

// ProviderCharges asks the provider for its own record of the orders' charges. Orders it knows
// nothing of are left out.
func (s *Service) ProviderCharges(
	ctx context.Context, orderIDs []string,
) ([]ChargeOnRecord, error) {
	charges := make([]ChargeOnRecord, 0, len(orderIDs))
	for _, orderID := range orderIDs {
		key := IDOf(orderID)
		result, err := s.Provider.Lookup(ctx, key)
		if err != nil {
			return nil, fault.Wrap(err, fault.Unavailable, "unavailable",
				"The payment provider does not answer.")
		}
		if result.State != ChargeUnknown {
			charges = append(charges, ChargeOnRecord{OrderID: orderID, Key: key, Result: result})
		}
	}
	return charges, nil
}
