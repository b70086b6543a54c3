package orders_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/money"
	"sidecart.dev/orders"
)

const customer = "usr_1"

// TestACrashAtAnyCallLosesNoOrder kills the process at every call to its sidecar while it places an
// order, before and after the call takes effect, and lets another process go on. What was
// acknowledged comes to its end; what was not can be asked for again.
func TestACrashAtAnyCallLosesNoOrder(t *testing.T) {
	calls := eachDeath(t, crashAt)
	t.Logf("crashed at each of %d calls", calls)
}

func crashAt(t *testing.T, n int, after bool) (reached bool) {
	ctx := context.Background()
	w := newWorld()
	first := w.start(t)
	if _, err := first.Service.Products(ctx); err != nil {
		t.Fatal(err)
	}
	var o orders.Order
	acknowledged := false
	reached = diesAt(first, n, after, func() {
		var err error
		o, _, err = first.Service.Place(ctx, customer, "key", request("tok_visa"))
		acknowledged = err == nil
	})

	second := w.start(t)
	defer second.end()
	if err := w.settled(second); err != nil {
		t.Error(err)
	}
	id := orders.IDFor(customer, "key")
	found, err := second.Service.Get(ctx, id, customer, false)
	switch {
	case acknowledged && (err != nil || found.Status() != orders.Paid || found.CreatedAt() != o.CreatedAt()):
		t.Errorf("the order was acknowledged, and now: %v, status %q; want it paid", err, found.Status())
	case err == nil && !found.Done():
		t.Errorf("the journal is empty, and the order is %q", found.Status())
	case err != nil && !fault.Is(err, fault.NotFound):
		t.Error(err)
	}
	retryFinds(t, w, second, id)
	return reached
}

// retryFinds places the order again under its key, and wants exactly one order in the end.
func retryFinds(t *testing.T, w *world, r *replica, id string) {
	t.Helper()
	ctx := context.Background()
	again, _, err := r.Service.Place(ctx, customer, "key", request("tok_visa"))
	if err != nil || again.ID() != id {
		t.Errorf("asked again under the same key: %q, %v; want %q", again.ID(), err, id)
	}
	if err := w.settled(r); err != nil {
		t.Error(err)
	}
	page, err := r.Service.List(ctx, orders.Query{UserID: customer, Limit: 10})
	if err != nil || len(page.Orders) != 1 || page.Orders[0].Status() != orders.Paid {
		t.Errorf("the customer's list has %d orders, %v; want the one, paid", len(page.Orders), err)
	}
	if p := w.payments[id]; p == nil || p.Captures != 1 {
		t.Errorf("payment %+v, want one capture", p)
	}
}

func TestConcurrentRequestsUnderOneKeyPlaceOneOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := newWorld()
		replicas := []*replica{w.start(t), w.start(t)}
		var wg sync.WaitGroup
		var mu sync.Mutex
		answers, fresh := map[string]int{}, 0
		for i := range 20 {
			wg.Go(func() {
				o, replayed, err := replicas[i%2].Service.Place(ctx, customer, "key", request("tok_visa"))
				if err != nil {
					t.Errorf("request %d: %v", i, err)
				}
				mu.Lock()
				defer mu.Unlock()
				answers[o.ID()]++
				if !replayed {
					fresh++
				}
			})
		}
		wg.Wait()
		if len(answers) != 1 || fresh != 1 {
			t.Errorf("answers %v, of which %d say that they placed the order; want one order, placed once", answers, fresh)
		}
		for _, r := range replicas {
			if err := w.settled(r); err != nil {
				t.Error(err)
			}
			defer r.end()
		}
		page, err := replicas[0].Service.List(ctx, orders.Query{UserID: customer, Limit: 100})
		if err != nil || len(page.Orders) != 1 || page.Next != "" {
			t.Errorf("the list has %d orders and next %q, %v; want one and no more", len(page.Orders), page.Next, err)
		}
	})
}

func TestAKeyIsForOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := newWorld()
		r := w.start(t)
		defer r.end()
		first, _, err := r.Service.Place(ctx, customer, "key", request("tok_visa"))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := r.Service.Place(ctx, customer, "key", request("tok_declined")); fault.CodeOf(err) != "idempotency_key_reused" {
			t.Errorf("another request under the key: %v, want idempotency_key_reused", err)
		}
		if other, replayed, err := r.Service.Place(ctx, "usr_2", "key", request("tok_visa")); err != nil || replayed || other.ID() == first.ID() {
			t.Errorf("another customer's key: %v, replayed %v; want an order of its own", err, replayed)
		}
		if err := r.Service.DeleteProduct(ctx, "moka-pot", nil); err != nil {
			t.Fatal(err)
		}
		again, replayed, err := r.Service.Place(ctx, customer, "key", request("tok_visa"))
		if err != nil || !replayed || again.ID() != first.ID() {
			t.Errorf("the same request when its product is gone: %v, replayed %v; want the order", err, replayed)
		}
		if _, _, err := r.Service.Place(ctx, customer, "other", request("tok_visa")); !fault.Is(err, fault.Unprocessable) {
			t.Errorf("a new request for a product that is gone: %v, want Unprocessable", err)
		}
	})
}

func TestAPriceChangeDoesNotTouchPlacedOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := newWorld()
		r, other := w.start(t), w.start(t)
		defer r.end()
		defer other.end()
		before, _, err := other.Service.Place(ctx, customer, "1", request("tok_visa"))
		if err != nil {
			t.Fatal(err)
		}
		dearer := orders.Product{ID: "moka-pot", Name: "Moka pot", Price: money.New(9900, "EUR"), Active: true}
		if created, err := r.Service.PutProduct(ctx, dearer, nil); err != nil || created {
			t.Fatalf("replacing a product: created %v, %v", created, err)
		}
		time.Sleep(3 * time.Second) // the other replica's copy is that old at most
		after, _, err := other.Service.Place(ctx, customer, "2", request("tok_visa"))
		if err != nil {
			t.Fatal(err)
		}
		again, err := r.Service.Get(ctx, before.ID(), customer, false)
		if err != nil || again.Total() != before.Total() || after.Total() != dearer.Price {
			t.Errorf("%v: the placed order costs %s (was %s), the next %s; want it unchanged and the next at %s",
				err, again.Total(), before.Total(), after.Total(), dearer.Price)
		}
	})
}

func TestPlacingIsRefusedWhileTheJournalCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := newWorld()
		r := w.start(t)
		if _, err := r.Service.Products(ctx); err != nil {
			t.Fatal(err)
		}
		r.end()
		for i := range 3 {
			_, _, err := r.Service.Place(ctx, customer, fmt.Sprint(i), request("tok_visa"))
			if !fault.KindOf(err).Transient() {
				t.Errorf("placing without a journal: %v, want a transient fault", err)
			}
		}
	})
}

func TestAWriteThatComesAfterItsIntentIsForgottenMakesNoOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := newWorld()
		r := w.start(t)
		defer r.end()
		r.life.stall(5 * time.Minute)
		if _, _, err := r.Service.Place(ctx, customer, "key", request("tok_visa")); !fault.KindOf(err).Transient() {
			t.Fatalf("placing answers %v, want a transient fault", err)
		}
		if err := w.settled(r); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute) // the write arrives when nobody remembers it
		id := orders.IDFor(customer, "key")
		if o, err := r.Service.Get(ctx, id, customer, false); !fault.Is(err, fault.NotFound) {
			t.Errorf("an order appeared that nobody drives on: %q, %v", o.Status(), err)
		}
		retryFinds(t, w, r, id)
	})
}
