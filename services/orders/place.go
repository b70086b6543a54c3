package orders

import (
	"context"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/list"
)

// Place places an order, or finds the one that the same customer has placed under the same key;
// replayed says which.
//
// An order is answered only when it is durable and its id is in the journal, so that it comes to
// its end whatever fails next. The steps, and what is left if the process dies after each or in the
// middle of it:
//
//  1. begin in the journal and, side by side, read where the customer's list ends: an id without an
//     order, which the settler fences off and forgets
//  2. insert the order at the position that it is likely to have and, side by side, write the list:
//     an order the customer has no answer about, which is driven on like any other, and which the
//     same key finds; or an entry whose position no order holds, which readers skip. An order that
//     does not stand at the position it holds is given another one, by this process if somebody was
//     faster, by the settler if it died: no order leaves the journal that is not in the list
//  3. answer and, side by side, publish order.placed.v1: the settler publishes it again if payments
//     has not heard of it
func (s *Service) Place(
	ctx context.Context, userID, key string, req Request,
) (o Order, replayed bool, err error) {
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
	var entry list.Ahead
	o, created, err := s.orders.Create(ctx, p.ID, func() (Order, error) {
		entry = s.lists.AppendAhead(ctx, listOf(p.UserID), p.ID)
		var err error
		if p.Seq, err = entry.Likely(ctx); err != nil {
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
	seq, err := entry.Seq(ctx)
	if err != nil {
		return Order{}, false, err
	}
	o, err = s.putAt(ctx, o, seq)
	return o, false, err
}

func (s *Service) quote(ctx context.Context, req Request) (Quote, error) {
	catalogue, err := s.deps.Products.Catalogue(ctx)
	if err != nil {
		return Quote{}, err
	}
	return catalogue.Quote(req, s.cfg.Limits)
}

// replayInstead answers a request that could not be placed now, because products or their prices
// have changed, with the order it has placed before. Without one nothing is stored: the key is as
// good as new.
func (s *Service) replayInstead(
	ctx context.Context, p Placement, cause error,
) (Order, bool, error) {
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
