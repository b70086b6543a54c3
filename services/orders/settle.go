package orders

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/journal"
)

// Settle drives orders on that the journal holds: it is the journal's settler. It costs a handful of calls for hundreds of orders:
//
//   - no order: the attempt came to nothing. It is fenced off, if a write may still be under way, and forgotten.
//   - not done: payments is asked what it knows. What it knows is applied as if the event had come. Where it knows
//     nothing, or has not yet seen the cancellation, the order's events are published again. Of one that has waited too long
//     the customer is told that it has come in (delayed.go).
//   - done: notifications is asked whether it has taken over what the customer is to be told; what it has not is published
//     again. When it has all, nothing is left for this service to do, and the order leaves the journal.
//
// Every step is idempotent. Orders whose step fails stay in the journal.
func (s *Service) Settle(ctx context.Context, entries []journal.Entry) ([]string, error) {
	r := round{Service: s, orders: map[string]Order{}, sure: map[string]bool{}}
	entries, erasures := splitErasures(entries)
	r.settleErasures(ctx, erasures)
	if err := r.read(ctx, entries); err != nil {
		return r.finished, errors.Join(append(r.errs, err)...)
	}
	r.drive(ctx)
	r.handOver(ctx)
	return r.finished, errors.Join(r.errs...)
}

// round is one call of Settle.
type round struct {
	*Service
	orders   map[string]Order // as they are known now
	sure     map[string]bool  // of those, written by this round, which is as good as a fence
	mu       sync.Mutex
	finished []string
	errs     []error
}

func (r *round) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, err)
}

// read loads the orders and sorts out the ids without one.
func (r *round) read(ctx context.Context, entries []journal.Entry) error {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	stored, err := r.deps.Repository.LoadAll(ctx, ids)
	if err != nil {
		return err
	}
	var absent []string
	for _, e := range entries {
		found := stored[e.ID]
		switch {
		case found.Err != nil:
			r.fail(found.Err)
			continue
		case found.Order != nil:
			r.orders[e.ID] = *found.Order
		case !e.Fence:
			r.finished = append(r.finished, e.ID) // every write was answered, and none was made
		default:
			absent = append(absent, e.ID)
		}
		r.sure[e.ID] = !e.Fence
	}
	r.each(absent, func(id string) error {
		return r.fenceOff(ctx, id)
	})
	return nil
}

// fenceOff makes a delayed write impossible, and finishes the id if there is no order behind it.
func (r *round) fenceOff(ctx context.Context, id string) error {
	found, err := r.deps.Repository.Fence(ctx, id)
	if err == nil {
		err = found.Err
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sure[id] = true
	if found.Order == nil {
		delete(r.orders, id)
		r.finished = append(r.finished, id)
		return nil
	}
	r.orders[id] = *found.Order
	return nil
}

// drive asks payments about the orders that are not done.
func (r *round) drive(ctx context.Context) {
	var open []string
	for id, o := range r.orders {
		if !o.Done() {
			open = append(open, id)
		}
	}
	if len(open) == 0 {
		return
	}
	known, err := r.deps.Payments.Lookup(ctx, open)
	if err != nil {
		r.fail(fmt.Errorf("asking payments: %w", err))
	} else {
		r.each(open, func(id string) error {
			payment, ok := known[id]
			return r.driveOne(ctx, r.order(id), payment, ok)
		})
	}
	r.tellDelays(ctx, open) // whom payments does not answer, the customers are waiting all the same
}

// driveOne applies what payments knows of an order that is not done, and tells payments again what it seems not to have heard.
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

// order returns the order as this round knows it.
func (r *round) order(id string) Order {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.orders[id]
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
	o, verdict, err := r.Apply(ctx, o.id, change)
	if err != nil {
		return o, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.orders[o.id] = o
	r.sure[o.id] = r.sure[o.id] || verdict == Applied
	return o, nil
}

// handOver asks notifications about the orders that are done, and ends those of which it has taken over what the customer
// is to be told by this service. What payments has to do, it has done.
func (r *round) handOver(ctx context.Context) {
	var done, ids []string
	for id, o := range r.orders {
		if !o.Done() {
			continue
		}
		done = append(done, id)
		e, owed, err := o.CancelledEvent()
		if err != nil {
			r.errs = append(r.errs, err)
		} else if owed {
			ids = append(ids, e.ID)
		}
	}
	accepted := map[string]bool{}
	if len(ids) > 0 {
		var err error
		if accepted, err = r.deps.Notifications.Accepted(ctx, ids); err != nil {
			r.fail(fmt.Errorf("asking notifications: %w", err))
			return
		}
	}
	r.each(done, func(id string) error { return r.end(ctx, id, accepted) })
}

// end finishes one order that is done, or publishes again what notifications does not have.
func (r *round) end(ctx context.Context, id string, accepted map[string]bool) error {
	r.mu.Lock()
	o, sure := r.orders[id], r.sure[id]
	r.mu.Unlock()
	e, owed, err := o.CancelledEvent()
	if err != nil {
		return err
	}
	if owed && !accepted[e.ID] {
		return r.repeat(ctx, o, func(e event.Event) bool { return e.Type == CancelledEvent })
	}
	if !sure {
		found, err := r.deps.Repository.Fence(ctx, id)
		if err != nil {
			return err
		}
		if found.Order == nil || found.Order.version != o.version {
			return nil // it changed under the fence: it is looked at again
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.finished = append(r.finished, id)
	return nil
}

// repeat publishes the order's events again, unless they are so fresh that they are likely to be under way.
func (r *round) repeat(ctx context.Context, o Order, which func(event.Event) bool) error {
	if r.cfg.Now().Sub(o.updatedAt) < r.cfg.Patience {
		return nil
	}
	events, err := o.Events()
	if err != nil {
		return err
	}
	for _, e := range events {
		if which(e) {
			if err := r.deps.Bus.Publish(ctx, Topic, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// settleParallel is the number of orders of one round that are worked on at once.
const settleParallel = 8

// each runs work for every id, several at once, and collects the errors.
func (r *round) each(ids []string, work func(id string) error) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, settleParallel)
	for _, id := range ids {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := fault.Guard(context.Background(), func() error { return work(id) }); err != nil {
				r.fail(fmt.Errorf("order %s: %w", id, err))
			}
		})
	}
	wg.Wait()
}
