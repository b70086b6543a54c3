package orders

import (
	"context"
	"fmt"
	"time"
)

// lookAgain has the settler look at an order when that time has passed. The journal's pauses grow: without this the next look
// could be long after an order has begun to be late.
func (s *Service) lookAgain(id string, after time.Duration) {
	if _, waiting := s.waking.LoadOrStore(id, nil); waiting {
		return
	}
	time.AfterFunc(after, func() {
		s.waking.Delete(id)
		s.deps.Journal.Poke(id)
	})
}

// tellDelays publishes order.delayed.v1 of those of the orders whose payment has been undecided for too long, until notifications
// has it. An order that is decided in time is told once, by its receipt or its decline: the fast path pays nothing for this.
//
// The event may still be under way when the payment is decided. Notifications sees to it that no customer reads that an
// order has come in after reading what became of it.
func (r *round) tellDelays(ctx context.Context, open []string) {
	late, ids := map[string]Order{}, []string(nil)
	for _, id := range open {
		o := r.order(id)
		if o.status != Pending {
			continue // decided by this round, or cancelled, of which the customer is told
		}
		if wait := r.cfg.DelayedAfter - r.cfg.Now().Sub(o.createdAt); wait > 0 {
			r.lookAgain(id, wait)
			continue
		}
		e, err := o.DelayedEvent(r.cfg.DelayedAfter)
		if err != nil {
			r.fail(err)
			continue
		}
		late[e.ID], ids = o, append(ids, e.ID)
	}
	if len(ids) == 0 {
		return
	}
	accepted, err := r.deps.Notifications.Accepted(ctx, ids)
	if err != nil {
		r.fail(fmt.Errorf("asking notifications: %w", err))
		return
	}
	r.each(ids, func(id string) error {
		if accepted[id] {
			return nil
		}
		e, err := late[id].DelayedEvent(r.cfg.DelayedAfter)
		if err != nil {
			return err
		}
		return r.deps.Bus.Publish(ctx, Topic, e)
	})
}
