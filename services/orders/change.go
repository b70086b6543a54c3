package orders

import (
	"context"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// Get returns an order of the user's. An operator may read any; to anyone else another's order is
// NotFound, as one that does not exist.
func (s *Service) Get(ctx context.Context, id, userID string, operator bool) (Order, error) {
	read, err := s.read(ctx, id, userID, operator)
	return read.Doc, err
}

// read reads an order that must exist and be the user's, for it to be changed.
func (s *Service) read(
	ctx context.Context, id, userID string, operator bool,
) (aggregate.Read[Order], error) {
	if !ValidID(id) {
		return aggregate.Read[Order]{}, notFound()
	}
	read, err := s.orders.Read(ctx, id)
	if err != nil {
		return read, err
	}
	if !read.Exists || read.Doc.userID != userID && !operator {
		return aggregate.Read[Order]{}, notFound()
	}
	return read, nil
}

// Cancel cancels the customer's order, or starts the refund of one that is paid. Cancelling again
// changes nothing. A Conflict fault with code order_state says that the status does not allow it.
//
// allowed is asked about the order that is to be changed, and its error prevents the change. A nil
// allowed permits every order. An order that is cancelled already needs no change, so allowed is
// not asked about it.
func (s *Service) Cancel(
	ctx context.Context, id, userID, reason string, allowed func(Order) error,
) (Order, error) {
	read, err := s.read(ctx, id, userID, false)
	if err != nil {
		return Order{}, err
	}
	change := Change{Trigger: CancelRequested, At: s.cfg.Now(), Reason: reason}
	var verdict Verdict
	var from Status
	o, err := s.orders.ChangeRead(ctx, read, func(o Order, exists bool) (next Order, err error) {
		from = o.status
		if !exists {
			return o, notFound()
		}
		if next, verdict, err = after(o, change); verdict != Repeated && allowed != nil {
			if refused := allowed(o); refused != nil {
				return o, refused
			}
		}
		return next, err
	})
	if err != nil {
		return o, err
	}
	s.observe(ctx, from, o, CancelRequested, verdict)
	if verdict == Refused {
		return o, fault.Newf(fault.Conflict, "order_state",
			"An order that is %s cannot be cancelled.", o.status)
	}
	return o, nil
}

// Apply does to the order what the state machine says about the change, and publishes what the
// order owes because of it. It returns the order as it is then. Without an order, NotFound.
func (s *Service) Apply(ctx context.Context, id string, c Change) (Order, Verdict, error) {
	if !ValidID(id) {
		return Order{}, Repeated, notFound()
	}
	var verdict Verdict
	var from Status
	o, err := s.orders.Change(ctx, id, func(o Order) (next Order, err error) {
		from = o.status
		next, verdict, err = after(o, c)
		return next, err
	})
	if sidecar.IsMissing(err) {
		return Order{}, Repeated, notFound()
	}
	if err != nil {
		return Order{}, Repeated, err
	}
	s.observe(ctx, from, o, c.Trigger, verdict)
	return o, verdict, nil
}

// after is what the state machine says, with aggregate.ErrUnchanged unless the order changes.
func after(o Order, c Change) (Order, Verdict, error) {
	next, verdict := o.Apply(c)
	if verdict != Applied {
		return o, verdict, aggregate.ErrUnchanged
	}
	return next, verdict, nil
}

// observe tells metrics and operators what a trigger has done to an order that was in that status.
func (s *Service) observe(ctx context.Context, from Status, o Order, t Trigger, v Verdict) {
	s.cfg.Observe(t, v)
	if v == Applied && from == Pending && o.status.Terminal() {
		s.cfg.Finished(o.status, o.updatedAt.Sub(o.createdAt))
	}
	if v == Contradict {
		s.cfg.Logger.ErrorContext(ctx, "payments contradicts itself",
			"order_id", o.id, "status", string(o.status), "trigger", string(t))
	}
}

func notFound() error { return fault.New(fault.NotFound, "not_found", "There is no such order.") }
