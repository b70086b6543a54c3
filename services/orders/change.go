package orders

import (
	"context"
	"slices"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// Get returns an order of the user's. An operator may read any; to anyone else another's order is NotFound, as one that does not exist.
func (s *Service) Get(ctx context.Context, id, userID string, operator bool) (Order, error) {
	stored, err := s.load(ctx, id)
	if err != nil {
		return Order{}, err
	}
	if stored.Order.userID != userID && !operator {
		return Order{}, notFound()
	}
	return *stored.Order, nil
}

// List returns a page of a customer's orders, newest first.
func (s *Service) List(ctx context.Context, q Query) (Page, error) {
	return s.deps.Repository.List(ctx, q)
}

// Lookup returns those of the orders that exist.
func (s *Service) Lookup(ctx context.Context, ids []string) ([]Order, error) {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !ValidID(id) })
	found, err := s.deps.Repository.LoadAll(ctx, ids)
	if err != nil {
		return nil, err
	}
	orders := make([]Order, 0, len(found))
	for _, id := range ids {
		if stored, ok := found[id]; ok && stored.Order != nil {
			orders = append(orders, *stored.Order)
		}
	}
	return orders, nil
}

// Cancel cancels the customer's order, or starts the refund of one that is paid; cancelling again changes nothing. A Conflict
// fault with code order_state says that the status does not allow it. allowed is asked with the order that is to be changed,
// and its error prevents the change; nil allows every order. One that is cancelled already needs no change and is not asked about.
func (s *Service) Cancel(ctx context.Context, id, userID, reason string, allowed func(Order) error) (Order, error) {
	if _, err := s.Get(ctx, id, userID, false); err != nil {
		return Order{}, err
	}
	o, verdict, err := s.applyIf(ctx, id, Change{Trigger: CancelRequested, At: s.cfg.Now(), Reason: reason}, allowed)
	if err == nil && verdict == Refused {
		err = fault.Newf(fault.Conflict, "order_state", "An order that is %s cannot be cancelled.", o.status)
	}
	return o, err
}

// Apply does to the order what the state machine says about the change, under the order's ETag, and publishes what the
// order owes because of it. It returns the order as it is then. Without an order, NotFound.
//
// An order that was done and is not any more begins a new intent before it is written. One that was not done needs none:
// its id is in the journal until a settler finds it done, and then this write fails on its ETag.
func (s *Service) Apply(ctx context.Context, id string, c Change) (Order, Verdict, error) {
	return s.applyIf(ctx, id, c, nil)
}

// applyIf is Apply of a change that the order as it is may be protected from.
func (s *Service) applyIf(ctx context.Context, id string, c Change, allowed func(Order) error) (Order, Verdict, error) {
	for range attempts {
		stored, err := s.load(ctx, id)
		if err != nil {
			return Order{}, Repeated, err
		}
		before := *stored.Order
		after, verdict := before.Apply(c)
		if allowed != nil && verdict != Repeated {
			if err := allowed(before); err != nil {
				return before, verdict, err
			}
		}
		if verdict != Applied {
			s.decided(ctx, before, c.Trigger, verdict)
			return before, verdict, nil
		}
		ok, err := s.replace(ctx, before, after, stored.ETag)
		if err != nil {
			return Order{}, Repeated, err
		}
		if ok {
			s.decided(ctx, after, c.Trigger, Applied)
			return after, Applied, nil
		}
	}
	return Order{}, Repeated, tooBusy()
}

// replace writes the changed order; false says that somebody else was faster.
func (s *Service) replace(ctx context.Context, before, after Order, etag string) (bool, error) {
	ticket := Ticket(noTicket{})
	if before.Done() && !after.Done() {
		begun, err := s.deps.Journal.Begin(ctx, after.id)
		if err != nil {
			return false, err
		}
		ticket = begun
	}
	err := s.deps.Repository.Replace(ctx, after, etag)
	switch {
	case sidecar.IsConflict(err):
		ticket.Wrote()
		return false, nil
	case err != nil:
		ticket.Release()
		return false, err
	case after.cancellation.Version == before.cancellation.Version: // nothing to tell
		ticket.Wrote()
		return true, nil
	}
	e, _, err := after.CancelledEvent()
	if err != nil {
		ticket.Wrote()
		return true, err
	}
	s.announcer.announce(ctx, e, ticket.Wrote)
	return true, nil
}

func (s *Service) decided(ctx context.Context, o Order, t Trigger, v Verdict) {
	s.cfg.Observe(t, v)
	if v == Contradict {
		s.cfg.Logger.ErrorContext(ctx, "payments contradicts itself", "order_id", o.id, "status", string(o.status), "trigger", string(t))
	}
}

// load reads an order that must exist.
func (s *Service) load(ctx context.Context, id string) (Stored, error) {
	if !ValidID(id) {
		return Stored{}, notFound()
	}
	stored, err := s.deps.Repository.Load(ctx, id)
	switch {
	case err != nil:
		return Stored{}, err
	case stored.Err != nil:
		return Stored{}, stored.Err
	case stored.Order == nil:
		return Stored{}, notFound()
	}
	return stored, nil
}

func notFound() error { return fault.New(fault.NotFound, "not_found", "There is no such order.") }

// noTicket stands for the ticket of an order that is in the journal already.
type noTicket struct{}

// Release implements [Ticket].
func (noTicket) Release() {}

// Wrote implements [Ticket].
func (noTicket) Wrote() {}
