package dapr_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
		paid, _, err := r.Service.Place(ctx, customer, "paid", request("tok_visa"))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.settled(r); err != nil {
			t.Fatal(err)
		}
		cancelled, _, err := r.Service.Place(ctx, customer, "cancelled", request("tok_visa"))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.settled(r); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Service.Cancel(ctx, cancelled.ID(), customer, "I am moving to 1 Elm Street"); err != nil {
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
