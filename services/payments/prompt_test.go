package payments_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/payments"
	"sidecart.dev/payments/simulated"
)

// promptWorld has replicas that wait for the provider when an order is placed.
func promptWorld() *world {
	w := newWorld()
	w.prompt = time.Second
	return w
}

func TestAPaymentThatIsDecidedAtOnceIsWrittenOnce(t *testing.T) {
	for method, want := range map[string]payments.Status{"tok_visa": payments.Captured, "tok_declined": payments.Declined} {
		w, o := promptWorld(), anOrder(1, method)
		if err := w.replica().Placed(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		p := find(t, w, o)
		if p.Status != want || p.Version != 2 || p.ListSeq != 1 {
			t.Errorf("%s: %s in version %d at position %d of the list; want %s in version 2 at 1", method, p.Status, p.Version, p.ListSeq, want)
		}
		settled(t, w)
	}
}

// What takes the provider longer than an order may wait is acknowledged as pending, and charged
// after that.
func TestAProviderThatTakesLongerDoesNotHoldTheOrderUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, o := promptWorld(), anOrder(1, "tok_slow")
		pool := payments.NewPool(8)
		s := w.replica(func(c *payments.Config) {
			c.Runner, c.Wait = pool, nil
			c.Provider = simulated.New(simulated.Config{State: w.state, SlowDelay: 3 * time.Second})
		})
		began := time.Now()
		if err := s.Placed(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != w.prompt {
			t.Errorf("placing took %s, want %s", took, w.prompt)
		}
		if p := find(t, w, o); p.Status != payments.Pending {
			t.Errorf("the payment is %q, want it pending", p.Status)
		}
		pool.Drain(t.Context())
		if p := find(t, w, o); p.Status != payments.Captured {
			t.Errorf("the payment is %q, want it captured", p.Status)
		}
	})
}

// Nothing may be charged of an order that is known already, whatever its payment came to.
func TestAnOrderThatIsPlacedAgainIsNotChargedAgain(t *testing.T) {
	w, o := promptWorld(), anOrder(1, "tok_visa")
	s := w.replica()
	if err := s.Cancelled(t.Context(), o, aCancellation); err != nil {
		t.Fatal(err)
	}
	settled(t, w)
	w.pass = func(_ context.Context, call string) (before, after error) {
		if strings.HasPrefix(call, "insert simprovider/") {
			t.Errorf("the provider was asked: %s", call)
		}
		return nil, nil
	}
	if err := s.Placed(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

// The order is cancelled after it was looked for, and before it is captured, or after that.
func TestACancellationWhileAnOrderIsChargedAtOnceCostsNothing(t *testing.T) {
	for _, at := range []string{"insert simprovider/", "insert payment/"} {
		w, o := promptWorld(), newStory(anOrder(1, "tok_visa"))
		w.once(at, "", func() {
			if err := o.cancel(t.Context(), w.replica()); err != nil {
				t.Error(err)
			}
		})
		if err := o.place(t.Context(), w.replica()); err != nil {
			t.Fatal(err)
		}
		w.pass = nil
		w.end(t)
		w.check(t, o)
	}
}

// The same as TestAStalledInsertIsFenced, of a payment that is captured when it is written.
func TestAStalledInsertOfACapturedPaymentIsFenced(t *testing.T) {
	w, o := promptWorld(), newStory(anOrder(1, "tok_visa"))
	w.once("insert payment/", "publish ", func() { settled(t, w) })
	if err := o.place(t.Context(), w.replica()); err != nil {
		t.Fatal(err)
	}
	w.pass = nil
	if w.intents.size() == 0 {
		t.Error("the intent is forgotten, and its event was not published")
	}
	w.end(t)
	w.check(t, o)
}

// An earlier version voided the payment of an order whose cancellation came first without asking
// the provider. During a rollout a process of this version may have been charging the order
// meanwhile, and may have died.
func TestWhatAnEarlierVersionVoidedUnaskedIsGivenBack(t *testing.T) {
	w, o := promptWorld(), anOrder(1, "tok_visa")
	s := w.replica()
	id := payments.IDOf(o.ID)
	if _, err := s.Provider.Capture(t.Context(), payments.Charge{Key: id, OrderID: o.ID, Amount: o.Amount, Method: o.Method}); err != nil {
		t.Fatal(err)
	}
	stored := `{"id":"` + id + `","order_id":"` + o.ID + `","user_id":"usr_test","status":"voided",` +
		`"amount":{"amount":2598,"currency":"EUR"},"payment_method":"tok_visa","version":1,` +
		`"created_at":"2026-03-01T10:00:00Z","updated_at":"2026-03-01T10:00:00Z",` +
		`"cancellation":{"reason":"ordered twice","at":"2026-03-01T10:00:00Z"},` +
		`"decided_at":"2026-03-01T10:00:00Z","decided_in":1,"list_seq":1}`
	if _, err := w.index.Append(t.Context(), "payments", id); err != nil {
		t.Fatal(err)
	}
	if err := w.state.Insert(t.Context(), "payment/"+id, []byte(stored)); err != nil {
		t.Fatal(err)
	}
	ticket, err := w.intents.Begin(t.Context(), "payment/"+id)
	if err != nil {
		t.Fatal(err)
	}
	ticket.Release()
	settled(t, w)
	if p := find(t, w, o); p.Status != payments.Refunded {
		t.Errorf("the payment is %s, want refunded", p.Status)
	}
	checkReport(t, w)
}
