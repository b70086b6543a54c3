package orders_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/orders"
)

// pass lets time pass, delivering every message.
func (w *world) pass(t *testing.T, d time.Duration) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		for w.bus.Waiting() > 0 {
			if err := w.deliver(w.bus.Take(0)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
	}
}

// capture decides the payment of an order that was not decided.
func (w *world) capture(orderID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.payments[orderID]
	p.Status, p.Captures = "captured", 1
	w.emit(orderID, "payment.confirmed.v1", nil)
}

// An order that is decided in time is told once, by what payments says of it. Only one that waits
// is told that it has come in.
func TestACustomerIsToldThatAnOrderHasComeInOnlyIfItWaits(t *testing.T) {
	ctx := context.Background()
	for name, test := range map[string]struct {
		method string
		before func(*testing.T, *world, *replica, orders.Order) // the time has come
		waits  bool
	}{
		"it is paid at once":     {"tok_visa", nil, false},
		"it is declined at once": {"tok_declined", nil, false},
		"payments is undecided":  {"tok_unanswered", nil, true},
		"payments is decided after a while": {"tok_unanswered", func(_ *testing.T, w *world, _ *replica, o orders.Order) {
			w.capture(o.ID())
		}, false},
		"the customer cancels before": {"tok_unanswered", func(t *testing.T, _ *world, r *replica, o orders.Order) {
			if _, err := r.Service.Cancel(ctx, o.ID(), customer, "", nil); err != nil {
				t.Error(err)
			}
		}, false},
		"payments does not answer": {"tok_unanswered", func(_ *testing.T, w *world, _ *replica, _ orders.Order) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.silent = "payments"
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				r := w.start(t)
				defer r.end()
				o, _, err := r.Service.Place(ctx, customer, "key", request(test.method))
				if err != nil {
					t.Fatal(err)
				}
				w.pass(t, 8*time.Second)
				if test.before != nil {
					test.before(t, w, r, o)
				}
				w.pass(t, time.Minute)
				if !test.waits {
					if len(w.delays) > 0 {
						t.Errorf("the customer is told %s, want nothing that is not decided", w.delays[0].ID)
					}
					return
				}
				if len(w.delays) != 1 {
					t.Fatalf("the customer is told %d times that the order has come in, want once", len(w.delays))
				}
				if after := w.delays[0].heard.Sub(o.CreatedAt()); after < 10*time.Second || after > 12*time.Second {
					t.Errorf("it is told after %s, want ten seconds, and little more", after)
				}
			})
		})
	}
}

func TestADelayIsToldUntilItIsHeardAndNeverTakesTheOrderFromTheJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := newWorld()
		r := w.start(t)
		o, _, err := r.Service.Place(ctx, customer, "key", request("tok_unanswered"))
		if err != nil {
			t.Fatal(err)
		}
		w.deaf = true
		w.pass(t, 2*time.Minute)
		ids := map[string]bool{}
		for _, d := range w.delays {
			ids[d.ID] = true
		}
		if len(w.delays) < 2 || len(ids) != 1 {
			t.Errorf("a delay that nobody hears is told %d times under the ids %v, want it again and again under one", len(w.delays), ids)
		}
		r.life.Kill() // and its process dies
		r.end()
		w.deaf = false
		second := w.start(t)
		defer second.end()
		w.pass(t, time.Minute)
		told := len(w.delays)
		w.pass(t, 10*time.Minute)
		if len(w.delays) != told {
			t.Errorf("a delay that was heard is told %d times more", len(w.delays)-told)
		}
		w.capture(o.ID())
		if err := w.settled(second); err != nil {
			t.Error(err)
		}
		paid, err := second.Service.Get(ctx, o.ID(), customer, false)
		if err != nil || paid.Status() != orders.Paid || paid.Version() != 2 {
			t.Errorf("the order is %q at version %d, %v; want it paid, and not changed by having waited", paid.Status(), paid.Version(), err)
		}
	})
}

// Notifications has nothing to say about an order that was paid, so it is not asked, and need not
// be there.
func TestAPaidOrderLeavesTheJournalWithoutNotifications(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		r := w.start(t)
		defer r.end()
		w.silent = "notifications"
		if _, _, err := r.Service.Place(context.Background(), customer, "key", request("tok_visa")); err != nil {
			t.Fatal(err)
		}
		if err := w.settled(r); err != nil {
			t.Error(err)
		}
		o, err := r.Service.Get(context.Background(), orders.IDFor(customer, "key"), customer, false)
		if err != nil && !fault.Is(err, fault.NotFound) || o.Status() != orders.Paid {
			t.Errorf("the order is %q, %v; want it paid", o.Status(), err)
		}
	})
}
