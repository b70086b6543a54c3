package orders_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/orders"
)

// stage is a world with a few replicas and what its customer was promised.
type stage struct {
	*world
	t        *testing.T
	replicas []*replica
	placed   []string // ids of the orders that were asked for

	running   sync.WaitGroup
	promises  sync.Mutex
	promised  map[string]bool // acknowledged
	cancelled map[string]bool // acknowledged to be cancelled
	errs      []error
}

// latencies returns how long each call takes. No two calls end at the same time, so that, but for
// calls that begin at the same time, the seed decides who is faster.
func latencies(seed uint64) func() time.Duration {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 0))
	return func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return time.Duration(random.Int64N(int64(3 * time.Millisecond)))
	}
}

// revive starts the replicas again that have been killed.
func (s *stage) revive() {
	for i, r := range s.replicas {
		if r.life.Dead() {
			s.running.Wait()
			r.end()
			s.replicas[i] = s.start(s.t)
		}
	}
}

func (s *stage) end() {
	for _, r := range s.replicas {
		r.life.Kill()
	}
	s.running.Wait()
	for _, r := range s.replicas {
		r.end()
	}
	s.replicas = nil
}

// meanwhile calls the service, and expects no other errors than those that may happen.
func (s *stage) meanwhile(call func() error, kinds ...fault.Kind) {
	s.running.Go(func() {
		if err := expect(call(), kinds...); err != nil {
			s.promises.Lock()
			defer s.promises.Unlock()
			s.errs = append(s.errs, err)
		}
	})
}

func (s *stage) failed() error {
	s.promises.Lock()
	defer s.promises.Unlock()
	return errors.Join(s.errs...)
}

func (s *stage) promise(kept map[string]bool, id string, err error) error {
	if err == nil {
		s.promises.Lock()
		defer s.promises.Unlock()
		kept[id] = true
	}
	return err
}

func (s *stage) perform(a act) {
	ctx, r := context.Background(), s.replicas[a.N%len(s.replicas)]
	switch a.What {
	case "place", "place declined":
		method := "tok_visa"
		if a.What == "place declined" {
			method = "tok_declined"
		}
		key := fmt.Sprint(a.N/2, method) // the same key at either replica
		id := orders.IDFor(customer, key)
		s.placed = append(s.placed, id)
		s.meanwhile(func() error {
			_, _, err := r.Service.Place(ctx, customer, key, request(method))
			return s.promise(s.promised, id, err)
		})
	case "cancel":
		if len(s.placed) == 0 {
			return
		}
		id := s.placed[a.N/2%len(s.placed)]
		s.meanwhile(func() error {
			_, err := r.Service.Cancel(ctx, id, customer, "changed my mind", nil)
			return s.promise(s.cancelled, id, err)
		}, fault.NotFound, fault.Conflict)
	case "refund", "refund part":
		s.operatorRefunds(a)
	case "wait":
		time.Sleep(time.Duration(a.N) * time.Second)
	case "rest": // everything arrives, and the orders leave the journal
		s.setDown(false)
		s.running.Wait()
		if err := s.settled(s.replicas...); err != nil && s.allAlive() {
			s.errs = append(s.errs, err)
		}
	case "peers down":
		s.setDown(true)
	case "peers up":
		s.setDown(false)
	case "kill":
		r.life.Kill()
	case "stall":
		r.life.stall(time.Duration(1+a.N) * 5 * time.Second)
	case "kill soon", "kill soon after":
		r.life.Arm(a.N+1, a.What == "kill soon after")
	default:
		s.message(a, r)
	}
}

func (s *stage) allAlive() bool {
	for _, r := range s.replicas {
		if r.life.Dead() {
			return false
		}
	}
	return true
}

// message does something with one of the messages under way.
func (s *stage) message(a act, r *replica) {
	if n := s.bus.Waiting(); n > 0 {
		switch a.What {
		case "deliver", "deliver twice":
			m := s.bus.Take(a.N % n)
			if a.What == "deliver twice" {
				s.bus.Put(m)
			}
			if err := s.deliver(m); err != nil {
				s.errs = append(s.errs, err)
			}
		case "lose":
			s.bus.Take(a.N % n)
		case "lose all":
			s.bus.Clear()
		}
	}
	if e, ok := s.pick(a); ok {
		s.hear(r, e)
	}
}

// pick returns the event of payments that the act is about, if it is to be heard, and removes it
// from those under way unless it is to come again.
func (s *stage) pick(a act) (event.Event, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.outbox) == 0 {
		return event.Event{}, false
	}
	i := a.N % len(s.outbox)
	e := s.outbox[i]
	if a.What == "hear" || a.What == "miss" && (e.Type != "payment.refunded.v1" || s.promisedCancelled(e)) {
		s.outbox = append(s.outbox[:i:i], s.outbox[i+1:]...)
	}
	return e, a.What == "hear" || a.What == "hear twice"
}

// promisedCancelled reports whether the order of a refund is one whose refund orders waits for by
// itself. An operator's refund of a paid order is payments' to tell until orders has noted it.
func (s *stage) promisedCancelled(e event.Event) bool {
	data, err := event.Decode[struct {
		OrderID string `json:"order_id"`
	}](e)
	s.promises.Lock()
	defer s.promises.Unlock()
	return err == nil && s.cancelled[data.OrderID]
}

func (s *stage) hear(r *replica, e event.Event) {
	s.meanwhile(func() error {
		err := r.Consumer.Handle(context.Background(), "payments", e)
		if err != nil { // it is delivered again
			s.mu.Lock()
			defer s.mu.Unlock()
			s.outbox = append(s.outbox, e)
		}
		return err
	})
}

func (s *stage) operatorRefunds(a act) {
	if len(s.placed) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.placed[a.N%len(s.placed)]
	p := s.payments[id]
	if p == nil || p.Status != "captured" && p.Status != "partially_refunded" {
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
