package orders

import (
	"context"
	"fmt"
	"time"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/event"
)

// tellDelays publishes order.delayed.v1 of those orders whose payment has been undecided for too
// long, until notifications has accepted it. The customer of an order that is decided in time is
// told once, by the receipt or the decline, and placing such an order costs nothing for this.
//
// The event may still be under way when the payment is decided. Notifications sees to it that no
// customer reads that an order has come in after reading what became of it.
func (r *round) tellDelays(ctx context.Context, open []aggregate.Open[Order]) error {
	var late []event.Event
	for _, o := range open {
		if _, decided := r.changed[o.ID]; decided || o.Doc.status != Pending {
			continue // decided by this round, or cancelled, of which the customer is told
		}
		if wait := r.cfg.DelayedAfter - r.cfg.Now().Sub(o.Doc.createdAt); wait > 0 {
			r.lookAgain(o.ID, wait)
			continue
		}
		e, err := o.Doc.DelayedEvent(r.cfg.DelayedAfter)
		if err != nil {
			return err
		}
		late = append(late, e)
	}
	if len(late) == 0 {
		return nil
	}
	ids := make([]string, len(late))
	for i, e := range late {
		ids[i] = e.ID
	}
	accepted, err := r.deps.Notifications.Accepted(ctx, ids)
	if err != nil {
		return fmt.Errorf("asking notifications: %w", err)
	}
	return aggregate.Each(ctx, late, func(e event.Event) error {
		if accepted[e.ID] {
			return nil
		}
		return r.orders.Publish(ctx, e)
	})
}

// lookAgain has the settler look at an order when that time has passed. Without this the next look
// could be long after the order has begun to be late, because the journal's pauses grow.
func (s *Service) lookAgain(id string, after time.Duration) {
	if _, waiting := s.waking.LoadOrStore(id, nil); waiting {
		return
	}
	time.AfterFunc(after, func() {
		s.waking.Delete(id)
		s.orders.Poke(id)
	})
}
