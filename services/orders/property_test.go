package orders_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"sidecart.dev/kit/fault"
	"sidecart.dev/orders"
)

// TestPropertyAcknowledgedOrdersEndAndAgreeWithTheirPayments plays everything that may happen in
// any order and at the same time: orders placed and cancelled, messages delivered, lost, doubled
// and reordered, operators' refunds, the other services down, processes killed in the middle of a
// call, writes that come late. Then it lets things come to rest and compares what the customer was
// told, the order and the payment.
func TestPropertyAcknowledgedOrdersEndAndAgreeWithTheirPayments(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		replicas := rapid.IntRange(1, 2).Draw(rt, "replicas")
		seed := rapid.Uint64().Draw(rt, "latencies")
		script := rapid.SliceOfN(rapid.Custom(drawAct), 10, 60).Draw(rt, "script")
		var err error
		synctest.Test(t, func(t *testing.T) { err = play(t, replicas, seed, script) })
		if err != nil {
			rt.Fatal(err)
		}
	})
}

type act struct {
	What      string
	N         int  // which order, message, replica, call or how many seconds
	Meanwhile bool // what follows does not wait for it
}

// whats are the things that may happen; the first is what rapid reduces the others to.
var whats = []string{
	"wait", "place", "place", "place declined", "cancel", "cancel", "cancel", "deliver", "deliver", "deliver", "deliver twice", "lose", "lose all",
	"hear", "hear", "hear twice", "miss", "refund part", "refund", "rest", "rest", "peers down", "peers up", "kill", "kill soon", "kill soon after", "stall",
}

func drawAct(t *rapid.T) act {
	return act{What: whats[evenly(t, "what", uint64(len(whats)))], N: evenly(t, "n", 12), Meanwhile: rapid.Bool().Draw(t, "meanwhile")}
}

// evenly draws a number below n. Drawn ranges favour small numbers: some things would hardly ever
// happen, let alone after one another.
func evenly(t *rapid.T, what string, n uint64) int {
	return int(rapid.Uint64().Draw(t, what) * 0x9e3779b97f4a7c15 >> 32 % n)
}

func play(t *testing.T, replicas int, seed uint64, script []act) error {
	s := &stage{
		world: newWorld(), t: t, promised: map[string]bool{}, cancelled: map[string]bool{},
	}
	s.latency = latencies(seed)
	for range replicas {
		s.replicas = append(s.replicas, s.start(t))
	}
	defer func() { s.end() }()
	for _, a := range script {
		s.revive()
		s.perform(a)
		if !a.Meanwhile {
			s.running.Wait()
			time.Sleep(20 * time.Millisecond) // what goes on behind the answers, mostly
		}
		if err := s.failed(); err != nil {
			return fmt.Errorf("%+v: %w", a, err)
		}
	}
	s.end() // and what was in memory is gone
	s.replicas = []*replica{s.start(t)}
	s.setDown(false)
	if err := s.settled(s.replicas...); err != nil {
		return err
	}
	time.Sleep(2 * time.Minute) // what was held up has arrived
	return s.compare()
}

// compare checks what the customer was promised against the orders and the payments.
func (s *stage) compare() error {
	ctx := context.Background()
	r := s.replicas[0]
	for _, e := range slices.Clone(s.outbox) { // what payments goes on telling until it is heard
		s.hear(r, e)
	}
	s.running.Wait()
	if err := errors.Join(s.failed(), s.settled(r)); err != nil {
		return err
	}
	listed, err := s.listed(r)
	if err != nil {
		return err
	}
	for _, id := range s.placed {
		o, err := r.Service.Get(ctx, id, customer, false)
		if fault.Is(err, fault.NotFound) && !s.promised[id] {
			if s.payments[id] != nil {
				return fmt.Errorf("%s: there is a payment %+v of an order that does not exist", id, s.payments[id])
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("%s, promised: %v: %w", id, s.promised[id], err)
		}
		if listed[id] != 1 {
			return fmt.Errorf("%s stands %d times in its customer's list", id, listed[id])
		}
		if err := s.agree(o); err != nil {
			return fmt.Errorf("%s is %s, closed %s, promised cancelled %v, payment %+v: %w",
				id, o.Status(), o.Closing(), s.cancelled[id], s.payments[id], err)
		}
	}
	return nil
}

// listed returns how often each order stands in the customer's list.
func (s *stage) listed(r *replica) (map[string]int, error) {
	listed, q := map[string]int{}, orders.Query{UserID: customer, Limit: 10}
	for {
		page, err := r.Service.List(context.Background(), q)
		if err != nil {
			return nil, err
		}
		for _, o := range page.Orders {
			listed[o.ID()]++
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return listed, nil
		}
	}
}

func (s *stage) agree(o orders.Order) error {
	p := s.payments[o.ID()]
	e, owed, err := o.CancelledEvent()
	if err != nil {
		return err
	}
	if owed && !s.told[e.ID] {
		return fmt.Errorf("nobody was told of %s", e.ID)
	}
	switch {
	case !o.Done() || !o.Status().Terminal():
		return fmt.Errorf("it has not come to its end")
	case s.cancelled[o.ID()] && o.Status() != orders.Cancelled && o.Status() != orders.Refunded:
		return fmt.Errorf("the customer was told that it is cancelled")
	case p == nil:
		return fmt.Errorf("payments has never heard of it")
	case p.Captures > 1:
		return fmt.Errorf("charged twice")
	}
	left := int64(p.Captures)*p.Amount - p.Refunded
	switch o.Status() {
	case orders.Paid:
		if left <= 0 {
			return fmt.Errorf("paid, and %d is left of the charge", left)
		}
	default:
		if left != 0 {
			return fmt.Errorf("charged for nothing: %d", left)
		}
	}
	if o.Status() == orders.PaymentFailed && p.Status != "declined" {
		return fmt.Errorf("failed, and the payment did not")
	}
	return nil
}
