package orders

import (
	"context"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// attempts bounds how often a write is tried again because somebody else was faster.
const attempts = 16

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
	ticket, err := s.open(ctx, &p)
	if err != nil {
		return Order{}, false, err
	}
	p.At = s.cfg.Now()
	if o, err = Place(p); err != nil {
		ticket.Wrote()
		return Order{}, false, err
	}
	written, err := s.write(ctx, ticket, o, "")
	if err != nil {
		return Order{}, false, err
	}
	if !written {
		return s.placeOver(ctx, o)
	}
	return o, false, nil
}

func (s *Service) quote(ctx context.Context, req Request) (Quote, error) {
	catalogue, err := s.deps.Products.Catalogue(ctx)
	if err != nil {
		return Quote{}, err
	}
	return catalogue.Quote(req, s.cfg.Limits)
}

// replayInstead answers a request that could not be placed now, because products or their prices have changed, with the order it
// has placed before. Without one nothing is stored: the key is as good as new.
func (s *Service) replayInstead(ctx context.Context, p Placement, cause error) (Order, bool, error) {
	if !fault.Is(cause, fault.Unprocessable) && !fault.Is(cause, fault.Conflict) {
		return Order{}, false, cause
	}
	stored, err := s.load(ctx, p.ID)
	switch {
	case fault.Is(err, fault.NotFound):
		return Order{}, false, cause
	case err != nil:
		return Order{}, false, err
	}
	return replay(*stored.Order, p.Fingerprint)
}

// open makes the intent durable and takes a place in the customer's list. Neither needs the other, so they happen at the same time:
// an entry without an order is harmless. While the journal refuses work the list is left alone.
func (s *Service) open(ctx context.Context, p *Placement) (Ticket, error) {
	if err := s.deps.Journal.Ready(); err != nil {
		return nil, err
	}
	type begun struct {
		ticket Ticket
		err    error
	}
	opened := make(chan begun, 1)
	go func() {
		var b begun
		b.err = fault.Guard(ctx, func() (err error) {
			b.ticket, err = s.deps.Journal.Begin(ctx, p.ID)
			return err
		})
		opened <- b
	}()
	seq, err := s.deps.Repository.Append(ctx, p.UserID, p.ID)
	b := <-opened
	if b.err != nil {
		return nil, b.err
	}
	if err != nil {
		b.ticket.Wrote() // there was nothing to write
		return nil, err
	}
	p.Seq = seq
	return b.ticket, nil
}

// write makes the order durable under the ticket and publishes it: by insert, or over the fence that was read with the
// ETag. It reports false if something is there already, or something else than the fence.
func (s *Service) write(ctx context.Context, ticket Ticket, o Order, etag string) (bool, error) {
	var err error
	if etag == "" {
		err = s.deps.Repository.Insert(ctx, o)
	} else {
		err = s.deps.Repository.Replace(ctx, o, etag)
	}
	switch {
	case sidecar.IsExists(err) || sidecar.IsConflict(err):
		ticket.Wrote()
		return false, nil
	case err != nil:
		ticket.Release() // it may have been written, or may yet be
		return false, err
	}
	e, err := o.PlacedEvent()
	if err != nil {
		ticket.Wrote()
		return true, err
	}
	s.cfg.Observe(Placed, Applied)
	s.announcer.announce(ctx, e, ticket.Wrote) // held until then, so that the settler does not publish it as well
	return true, nil
}

// placeOver places an order where there is something already: the order itself, from an earlier or concurrent request, or
// a fence from an attempt that came to nothing, which is replaced under an intent begun after the fence was read
// (the journal's rule 2).
func (s *Service) placeOver(ctx context.Context, o Order) (Order, bool, error) {
	for range attempts {
		stored, err := s.deps.Repository.Load(ctx, o.id)
		switch {
		case err != nil:
			return Order{}, false, err
		case stored.Err != nil:
			return Order{}, false, stored.Err
		case stored.Order != nil:
			return replay(*stored.Order, o.fingerprint)
		}
		ticket, err := s.deps.Journal.Begin(ctx, o.id)
		if err != nil {
			return Order{}, false, err
		}
		written, err := s.write(ctx, ticket, o, stored.ETag)
		if written || err != nil {
			return o, false, err
		}
	}
	return Order{}, false, tooBusy()
}

func replay(o Order, fingerprint string) (Order, bool, error) {
	if o.fingerprint != fingerprint {
		return Order{}, false, fault.New(fault.Unprocessable, "idempotency_key_reused",
			"This Idempotency-Key was used for another order. Use a new key for a new order.")
	}
	return o, true, nil
}

func tooBusy() error {
	return fault.New(fault.Unavailable, "unavailable", "The order is being changed too often; try again.")
}
