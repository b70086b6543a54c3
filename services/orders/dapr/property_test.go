package dapr_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/orders"
)

// TestAcknowledgedOrdersEndAndAgreeWithTheirPayments plays everything that may happen in any order: orders placed and cancelled, messages
// delivered, lost, doubled and reordered, operators' refunds, the other services down, processes killed in the middle of a call.
// Then it lets things come to rest and compares what the customer was told, the order and the payment.
func TestAcknowledgedOrdersEndAndAgreeWithTheirPayments(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		script := rapid.SliceOfN(rapid.Custom(drawAct), 1, 40).Draw(rt, "script")
		var err error
		synctest.Test(t, func(t *testing.T) { err = play(t, script) })
		if err != nil {
			rt.Fatal(err)
		}
	})
}

type act struct {
	What string
	N    int // which order, message, call or how many seconds
}

func drawAct(t *rapid.T) act {
	return act{
		What: rapid.SampledFrom([]string{
			"place", "place", "place declined", "cancel", "cancel", "deliver", "deliver", "deliver twice", "lose", "lose all",
			"hear", "hear", "hear twice", "miss", "refund part", "refund", "wait", "rest", "peers down", "peers up", "kill", "kill soon", "kill soon after",
		}).Draw(t, "what"),
		N: rapid.IntRange(0, 11).Draw(t, "n"),
	}
}

// stage is a world with one replica at a time and what its customer was promised.
type stage struct {
	*world
	t         *testing.T
	replica   *replica
	placed    []string        // ids of the orders that were asked for
	promised  map[string]bool // acknowledged
	cancelled map[string]bool // acknowledged to be cancelled
}

func play(t *testing.T, script []act) error {
	s := &stage{
		world: newWorld(), t: t, promised: map[string]bool{}, cancelled: map[string]bool{},
	}
	s.replica = s.start(t)
	defer func() { s.replica.end() }()
	for _, a := range script {
		if !s.replica.life.alive() {
			s.restart()
		}
		if err := s.perform(a); err != nil {
			return fmt.Errorf("%+v: %w", a, err)
		}
		synctest.Wait()
	}
	s.restart() // and what was in memory is gone
	s.setDown(false)
	if err := s.settled(s.replica); err != nil {
		return err
	}
	return s.compare()
}

func (s *stage) restart() {
	s.replica.life.kill()
	s.replica.end()
	s.replica = s.start(s.t)
}

func (s *stage) perform(a act) error {
	ctx := context.Background()
	switch a.What {
	case "place", "place declined":
		method := "tok_visa"
		if a.What == "place declined" {
			method = "tok_declined"
		}
		key := fmt.Sprint(a.N, method)
		id := orders.IDFor(customer, key)
		s.placed = append(s.placed, id)
		_, _, err := s.replica.Service.Place(ctx, customer, key, request(method))
		s.promised[id] = s.promised[id] || err == nil
		return expect(err)
	case "cancel":
		if len(s.placed) == 0 {
			return nil
		}
		id := s.placed[a.N%len(s.placed)]
		_, err := s.replica.Service.Cancel(ctx, id, customer, "changed my mind")
		s.cancelled[id] = s.cancelled[id] || err == nil
		return expect(err, fault.NotFound, fault.Conflict)
	case "refund", "refund part":
		s.operatorRefunds(a)
	case "wait":
		time.Sleep(time.Duration(a.N) * time.Second)
	case "rest": // everything arrives, and the orders leave the journal
		s.setDown(false)
		if err := s.settled(s.replica); err != nil && s.replica.life.alive() {
			return err
		}
	case "peers down":
		s.setDown(true)
	case "peers up":
		s.setDown(false)
	case "kill":
		s.replica.life.kill()
	case "kill soon", "kill soon after":
		s.replica.life.arm(a.N+1, a.What == "kill soon after")
	default:
		return s.message(a)
	}
	return nil
}

// message does something with one of the messages under way.
func (s *stage) message(a act) error {
	if n := s.bus.Waiting(); n > 0 {
		switch a.What {
		case "deliver", "deliver twice":
			m := s.bus.Take(a.N % n)
			if a.What == "deliver twice" {
				s.bus.Put(m)
			}
			return s.deliver(m)
		case "lose":
			s.bus.Take(a.N % n)
		case "lose all":
			s.bus.Clear()
		}
	}
	if n := len(s.outbox); n > 0 {
		i := a.N % n
		e := s.outbox[i]
		switch a.What {
		case "hear":
			s.outbox = append(s.outbox[:i:i], s.outbox[i+1:]...)
			return s.hear(e)
		case "hear twice":
			return s.hear(e)
		case "miss":
			if e.Type != "payment.refunded.v1" || s.promisedCancelled(e) {
				s.outbox = append(s.outbox[:i:i], s.outbox[i+1:]...)
			}
		}
	}
	return nil
}

// promisedCancelled reports whether the order of a refund is one whose refund orders waits for by itself. An operator's refund of a paid
// order is payments' to tell until orders has noted it.
func (s *stage) promisedCancelled(e event.Event) bool {
	data, err := event.Decode[struct {
		OrderID string `json:"order_id"`
	}](e)
	return err == nil && s.cancelled[data.OrderID]
}

func (s *stage) hear(e event.Event) error {
	return expect(s.replica.Consumer.Handle(context.Background(), "payments", e))
}

func (s *stage) operatorRefunds(a act) {
	if len(s.placed) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.placed[a.N%len(s.placed)]
	p := s.payments[id]
	if p == nil || p.Status != orders.PaymentCaptured && p.Status != orders.PaymentPartly {
		return
	}
	amount := p.Amount - p.Refunded
	if a.What == "refund part" && amount > 1 {
		amount /= 2
	}
	s.refund(id, amount)
}

// expect returns the error unless it is one that may happen: transient, or of the kinds.
func expect(err error, kinds ...fault.Kind) error {
	if err == nil || fault.KindOf(err).Transient() {
		return nil
	}
	for _, kind := range kinds {
		if fault.Is(err, kind) {
			return nil
		}
	}
	return err
}

// compare checks what the customer was promised against the orders and the payments.
func (s *stage) compare() error {
	ctx := context.Background()
	for _, e := range s.outbox { // what payments goes on telling until it is heard
		if err := s.hear(e); err != nil {
			return err
		}
	}
	if err := s.settled(s.replica); err != nil {
		return err
	}
	for _, id := range s.placed {
		o, err := s.replica.Service.Get(ctx, id, customer, false)
		if fault.Is(err, fault.NotFound) && !s.promised[id] {
			if s.payments[id] != nil {
				return fmt.Errorf("%s: there is a payment %+v of an order that does not exist", id, s.payments[id])
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("%s, promised: %v: %w", id, s.promised[id], err)
		}
		if err := s.agree(o); err != nil {
			return fmt.Errorf("%s is %s, settled %s, promised cancelled %v, payment %+v: %w",
				id, o.Status(), o.Settlement(), s.cancelled[id], *s.payments[id], err)
		}
	}
	return nil
}

func (s *stage) agree(o orders.Order) error {
	p := s.payments[o.ID()]
	events, err := o.Events()
	if err != nil {
		return err
	}
	for _, e := range events {
		if !s.told[e.ID] {
			return fmt.Errorf("nobody was told of %s", e.ID)
		}
	}
	switch {
	case !o.Done() || !o.Status().Terminal():
		return fmt.Errorf("it has not come to its end")
	case s.cancelled[o.ID()] && o.Status() != orders.Cancelled && o.Status() != orders.Refunded:
		return fmt.Errorf("the customer was told that it is cancelled")
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
	if o.Status() == orders.PaymentFailed && p.Status != orders.PaymentIsDeclined {
		return fmt.Errorf("failed, and the payment did not")
	}
	return nil
}
