package orders

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/journal"
)

// Settle is the journal's settler of the ids of [Kind]: it drives on the orders that the journal
// holds, at a handful of calls for hundreds of them. What every aggregate needs is done by package
// aggregate. Orders add this:
//
//   - Every order is put into its customer's list, if it does not stand where it says (place.go).
//   - If it is not done, payments is asked what it knows, and that is applied as if the event had
//     come. If payments knows nothing, or has not yet seen the cancellation, the order's events are
//     published again. If the order has waited too long, the customer is told that it has come in
//     (delayed.go).
//   - If it is done, payments has done its part. Notifications is asked whether it has accepted
//     what the customer is to be told by this service. What it has not is published again.
func (s *Service) Settle(ctx context.Context, entries []journal.Entry) ([]string, error) {
	entries, erasures := splitErasures(entries)
	finished, err := s.orders.Settle(ctx, entries)
	erased, failed := s.SettleErasures(ctx, erasures)
	return append(finished, erased...), errors.Join(err, failed)
}

// round is one call of drive.
type round struct {
	*Service
	mu      sync.Mutex
	changed map[string]Order // as they are after this round's changes
}

// drive asks payments about the orders that are not done, and does what follows.
func (s *Service) drive(
	ctx context.Context, open []aggregate.Open[Order],
) (map[string]Order, error) {
	r := &round{Service: s, changed: map[string]Order{}}
	ids, docs := make([]string, len(open)), make([]Order, len(open))
	for i, o := range open {
		ids[i], docs[i] = o.ID, o.Doc
	}
	unlisted := s.relist(ctx, docs)
	known, err := s.deps.Payments.Lookup(ctx, ids)
	if err != nil {
		err = fmt.Errorf("asking payments: %w", err)
	} else {
		err = aggregate.Each(ctx, open, func(o aggregate.Open[Order]) error {
			payment, ok := known[o.ID]
			return r.driveOne(ctx, o.Doc, payment, ok)
		})
	}
	// If payments does not answer, the customers are waiting all the same.
	return r.changed, errors.Join(unlisted, err, r.tellDelays(ctx, open))
}

// driveOne applies what payments knows of an order that is not done, and tells payments again what
// it has not heard as it seems.
func (r *round) driveOne(ctx context.Context, o Order, p Payment, known bool) error {
	if !known {
		return r.repeat(ctx, o, func(event.Event) bool { return true })
	}
	o, err := r.learn(ctx, o, p)
	if err != nil || o.Done() {
		return err
	}
	return r.repeat(ctx, o, func(e event.Event) bool { return e.Type == CancelledEvent })
}

// learn applies what payments knows, as if its event had come.
func (r *round) learn(ctx context.Context, o Order, p Payment) (Order, error) {
	change, decided := p.Change(r.cfg.Now())
	if !decided {
		return o, nil
	}
	if _, verdict := o.Apply(change); verdict != Applied {
		return o, nil // no need to read the order again
	}
	o, _, err := r.Apply(ctx, o.id, change)
	if err != nil {
		return o, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changed[o.id] = o
	return o, nil
}

// repeat publishes the order's events again, unless they are so fresh that they are likely to be
// under way.
func (s *Service) repeat(ctx context.Context, o Order, which func(event.Event) bool) error {
	if s.cfg.Now().Sub(o.updatedAt) < s.cfg.Patience {
		return nil
	}
	events, err := o.Events()
	for _, e := range events {
		if which(e) {
			err = errors.Join(err, s.orders.Publish(ctx, e))
		}
	}
	return err
}

// accepted returns which events of orders that are done need not be told again. The events on which
// payments acts have had their effect, and notifications says which cancellations it has accepted.
func (s *Service) accepted(
	ctx context.Context, owed []aggregate.Owed[Order],
) (map[string]bool, error) {
	accepted := map[string]bool{}
	docs, ask := make([]Order, len(owed)), []string(nil)
	for i, o := range owed {
		docs[i] = o.Doc
		for _, e := range o.Events {
			if e.Type == CancelledEvent {
				ask = append(ask, e.ID)
			} else {
				accepted[e.ID] = true
			}
		}
	}
	if err := s.relist(ctx, docs); err != nil {
		return nil, err // what is not listed may not be forgotten
	}
	if len(ask) == 0 {
		return accepted, nil
	}
	told, err := s.deps.Notifications.Accepted(ctx, ask)
	maps.Copy(accepted, told)
	return accepted, err
}
