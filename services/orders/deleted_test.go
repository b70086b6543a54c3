package orders_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/deadletter"
	"sidecart.dev/kit/event"
	"sidecart.dev/orders"
)

// Nobody is left to cancel what a deleted customer had ordered, or to hear that it was charged.
func TestThePendingOrdersOfADeletedCustomerAreCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := newWorld()
		r := w.start(t)
		defer r.end()
		paid := w.paid(t, r, "paid")
		cancelled := w.paid(t, r, "cancelled")
		if _, err := r.Service.Cancel(ctx, cancelled.ID(), customer, "I am moving to 1 Elm Street", nil); err != nil {
			t.Fatal(err)
		}
		if err := w.settled(r); err != nil {
			t.Fatal(err)
		}
		w.setDown(true) // payments: what is ordered now stays pending
		pending, _, err := r.Service.Place(ctx, customer, "pending", request("tok_visa"))
		if err != nil {
			t.Fatal(err)
		}
		other, _, err := r.Service.Place(ctx, "usr_other", "pending", request("tok_visa"))
		if err != nil {
			t.Fatal(err)
		}
		e, err := event.New("users", "user.deleted.v1", customer, 3, time.Now(), map[string]string{"user_id": customer})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // events come twice
			if err := r.Consumer.Handle(ctx, "users", e); err != nil {
				t.Fatal(err)
			}
		}
		for id, want := range map[string]orders.Status{paid.ID(): orders.Paid, pending.ID(): orders.Cancelled} {
			if o, err := r.Service.Get(ctx, id, customer, false); err != nil || o.Status() != want {
				t.Errorf("order %s is %s, %v; want %s", id, o.Status(), err, want)
			}
		}
		o, err := r.Service.Get(ctx, cancelled.ID(), customer, false)
		if err != nil || o.Status() != orders.Refunded {
			t.Errorf("the cancelled order is %s, %v; want refunded", o.Status(), err)
		}
		if text := fmt.Sprintf("%+v", o.Document()); strings.Contains(text, "Elm Street") {
			t.Errorf("what the customer typed is still there: %s", text)
		}
		if o, err := r.Service.Get(ctx, other.ID(), "usr_other", false); err != nil || o.Status() != orders.Pending {
			t.Errorf("another customer's order is %s, %v; want pending", o.Status(), err)
		}
		w.setDown(false)
		if err := w.settled(r); err != nil {
			t.Error(err)
		}
	})
}

func TestWhatPeopleTypedIsErasedFromDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := newWorld()
		r := w.start(t)
		defer r.end()
		letters := deadletter.New(w.state, "orders")
		for _, userID := range []string{customer, "usr_other"} {
			raw := fmt.Appendf(nil, `{"data": {"user_id": %q, "reason": "I am moving to 1 Elm Street"}}`, userID)
			if err := letters.Keep(ctx, event.DeadLetter{Raw: raw}); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Service.UserDeleted(ctx, customer); err != nil {
			t.Fatal(err)
		}
		if err := w.settled(r); err != nil {
			t.Fatal(err)
		}
		kept, _, err := letters.List(ctx, "", 10)
		if err != nil || len(kept) != 2 {
			t.Fatalf("the letters are %v, %v", kept, err)
		}
		for _, l := range kept {
			erased, others := !strings.Contains(string(l.Payload), "Elm Street"), strings.Contains(string(l.Payload), "usr_other")
			if erased == others {
				t.Errorf("after the erasure there is %s", l.Payload)
			}
		}
	})
}

// TestACrashAtAnyCallOfAnErasureLeavesNothingThatPeopleTyped deletes a customer who has cancelled
// an order in his own words, and kills the process at every call it makes. The bus brings the event
// once.
func TestACrashAtAnyCallOfAnErasureLeavesNothingThatPeopleTyped(t *testing.T) {
	if calls := eachDeath(t, crashErasureAt); calls < 5 {
		t.Errorf("an erasure of %d calls tries nothing", calls)
	}
}

func crashErasureAt(t *testing.T, n int, after bool) (reached bool) {
	ctx := context.Background()
	w := newWorld()
	first := w.start(t)
	o := w.paid(t, first, "key")
	if _, err := first.Service.Cancel(ctx, o.ID(), customer, "Ada moved to Turin", nil); err != nil {
		t.Fatal(err)
	}
	if err := w.settled(first); err != nil {
		t.Fatal(err)
	}
	e, err := event.New("users", "user.deleted.v1", customer, 3, time.Now(), map[string]string{"user_id": customer})
	if err != nil {
		t.Fatal(err)
	}
	acknowledged := false
	reached = diesAt(first, n, after, func() { acknowledged = first.Consumer.Handle(ctx, "users", e) == nil })
	w.bus.Clear()

	second := w.start(t)
	defer second.end()
	if !acknowledged { // the bus brings it again
		if err := second.Consumer.Handle(ctx, "users", e); err != nil {
			t.Error(err)
		}
	}
	if err := w.settled(second); err != nil {
		t.Error(err)
	}
	w.nothingSays(t, "Ada", "damaged")
	found, err := second.Service.Get(ctx, o.ID(), customer, false)
	if err != nil || found.Status() != orders.Refunded || found.RefundedAmount() != found.Total() {
		t.Errorf("the order is %s, %v refunded, %v; want it as it was", found.Status(), found.RefundedAmount(), err)
	}
	return reached
}

// nothingSays holds that none of the words is left in the store.
func (w *world) nothingSays(t *testing.T, words ...string) {
	t.Helper()
	for _, key := range w.state.Keys() {
		item, err := w.state.Get(context.Background(), key)
		says := func(word string) bool { return strings.Contains(string(item.Value), word) }
		if err != nil || slices.ContainsFunc(words, says) {
			t.Errorf("%s still says what somebody typed: %s, %v", key, item.Value, err)
		}
	}
}

// The event of a refund may be later than the one of the deletion.
func TestTheReasonOfARefundThatIsHeardOfAfterTheDeletionIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := newWorld()
		r := w.start(t)
		defer r.end()
		o := w.paid(t, r, "key")
		if err := r.Service.UserDeleted(ctx, customer); err != nil {
			t.Fatal(err)
		}
		change := orders.Change{
			Trigger: orders.PaymentRefunded, At: time.Now(), Refunded: o.Total().Amount, Reason: "damaged",
		}
		if _, verdict, err := r.Service.Apply(ctx, o.ID(), change); err != nil || verdict != orders.Applied {
			t.Fatalf("the refund: %s, %v", verdict, err)
		}
		w.nothingSays(t, "damaged")
	})
}
