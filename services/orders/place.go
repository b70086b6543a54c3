package orders

import (
	"context"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/fault"
)

// Place places an order, or finds the one that the same customer has placed under the same key; replayed says which.
//
// An order is answered only when it is durable and its id is in the journal, so that it comes to its end whatever fails
// next. The steps, and what is left if the process dies after each:
//
//  1. journal and list, side by side: an id without an order, which the settler fences off and forgets, and an entry that
//     no order claims, which readers skip
//  2. insert: an order the customer has no answer about; it is driven on like any other, and the same key finds it
//  3. answer and, side by side, publish order.placed.v1: the settler publishes it again if payments has not heard of it
func (s *Service) Place(ctx context.Context, userID, key string, req Request) (o Order, replayed bool, err error) {
	if err := ValidateKey(key); err != nil {
		return Order{}, false, err
	}
	if err := req.Validate(); err != nil {
		return Order{}, false, err
	}
	p := Placement{ID: IDFor(userID, key), UserID: userID, Fingerprint: req.Fingerprint()}
	p.Quote, err = s.quote(ctx, req)
	if err != nil {
		return s.replayInstead(ctx, p, err)
	}
	if err := s.deps.Ready(); err != nil {
		return Order{}, false, err // while the journal refuses work the list is left alone
	}
	o, created, err := s.orders.Create(ctx, p.ID, func() (Order, error) {
		var err error
		if p.Seq, err = s.lists.Append(ctx, listOf(p.UserID), p.ID); err != nil {
			return Order{}, err
		}
		p.At = s.cfg.Now()
		return Place(p)
	}, aggregate.Alongside()) // neither needs the other
	switch {
	case err != nil:
		return Order{}, false, err
	case !created:
		return replay(o, p.Fingerprint)
	}
	s.cfg.Observe(Placed, Applied)
	return o, false, nil
}

func (s *Service) quote(ctx context.Context, req Request) (Quote, error) {
	catalogue, err := s.deps.Products.Catalogue(ctx)
	if err != nil {
		return Quote{}, err
	}
	return catalogue.Quote(req, s.cfg.Limits)
}

// replayInstead answers a request that could not be placed now, because products or their prices have changed, with the order
// it has placed before. Without one nothing is stored: the key is as good as new.
func (s *Service) replayInstead(ctx context.Context, p Placement, cause error) (Order, bool, error) {
	if !fault.Is(cause, fault.Unprocessable) && !fault.Is(cause, fault.Conflict) {
		return Order{}, false, cause
	}
	o, err := s.Get(ctx, p.ID, p.UserID, false)
	switch {
	case fault.Is(err, fault.NotFound):
		return Order{}, false, cause
	case err != nil:
		return Order{}, false, err
	}
	return replay(o, p.Fingerprint)
}

func replay(o Order, fingerprint string) (Order, bool, error) {
	if o.fingerprint != fingerprint {
		return Order{}, false, fault.New(fault.Unprocessable, "idempotency_key_reused",
			"This Idempotency-Key was used for another order. Use a new key for a new order.")
	}
	return o, true, nil
}
