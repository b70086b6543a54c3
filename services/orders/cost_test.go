package orders_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/sidecar/sidecartest"
)

// budget is what one order that is paid costs this service, from its POST until it has left the
// journal: calls of the sidecar per order, alone and in the company of 63 others of the same
// moment.
var budget = sidecartest.Budget{
	sidecartest.Allow("insert segment", 1, 0.1, "the intent, before anything is promised; those of the same moment share it"),
	sidecartest.Allow("get list", 1, 1, "a customer's list is replaced under its ETag, which no write returns"),
	sidecartest.Allow("insert list", 1, 1, "the order's place in the list; an update if the customer has ordered before"),
	sidecartest.Allow("insert order", 1, 1, "the order; that nobody was faster is found out by it"),
	sidecartest.Allow("publish orders", 1, 1, "order.placed.v1, to payments"),
	sidecartest.Allow("get order", 1, 1, "the order and its ETag, when its payment is heard of; neighbours may share the call"),
	sidecartest.Allow("update order", 1, 1, "the outcome"),
	sidecartest.Allow("bulk-get order", 1, 0.1, "a last look before the intent is forgotten, at up to 200 orders in one call"),
	sidecartest.Allow("bulk-get list", 1, 0.1, "whether the orders that are forgotten stand in their lists, in the same round"),
	sidecartest.Allow("bulk-get segment", 1, 0.1, "a segment is deleted by its ETag"),
	sidecartest.Allow("delete segment", 1, 0.1, "the intent is forgotten"),
}

// about says what a call is about. A lane's head is renewed by the clock and not by orders, and the
// products are read every few seconds.
func about(op, what string) string {
	switch {
	case op == "publish", op == "call":
		return what
	case strings.HasPrefix(what, "order/"):
		return "order"
	case strings.HasPrefix(what, "orders-of/"):
		return "list"
	case strings.Count(what, "/") == 3 && strings.HasPrefix(what, "journal/"):
		return "segment"
	}
	return ""
}

// ordersCost lets as many customers order and be paid at the same moment, and returns the calls.
func ordersCost(t *testing.T, customers int) map[string]int {
	ctx := context.Background()
	w := newWorld()
	w.latency = func() time.Duration { return 2 * time.Millisecond } // what is called at the same time is under way at the same time
	r := w.start(t)
	defer r.end()
	if _, err := r.Service.Products(ctx); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Minute)
	synctest.Wait()
	before := len(r.life.Calls())

	var all sync.WaitGroup
	for n := range customers {
		all.Go(func() {
			if _, _, err := r.Service.Place(ctx, fmt.Sprint("usr_", n), "key", request("tok_visa")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	synctest.Wait()
	time.Sleep(10 * time.Millisecond)
	for w.bus.Waiting() > 0 {
		if err := w.deliver(w.bus.Take(0)); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range w.outbox {
		all.Go(func() {
			if err := r.Consumer.Handle(ctx, "payments", e); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if err := w.settled(r); err != nil {
		t.Error(err)
	}
	return sidecartest.Tally(r.life.Calls()[before:], about)
}

// TestPlacingMakesTwoCallsInARow counts the calls that wait for one another: each takes the same
// time, and nothing else does.
func TestPlacingMakesTwoCallsInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := newWorld()
		const each = 10 * time.Millisecond
		w.latency = func() time.Duration { return each }
		r := w.start(t)
		defer r.end()
		if _, err := r.Service.Products(ctx); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, _, err := r.Service.Place(ctx, customer, "key", request("tok_visa")); err != nil {
			t.Fatal(err)
		}
		if calls := time.Since(began) / each; calls != 2 {
			t.Errorf("placing waits for %d calls, one after another, want 2", calls)
		}
	})
}

func TestWhatAPaidOrderCosts(t *testing.T) {
	for _, customers := range []int{1, 64} {
		synctest.Test(t, func(t *testing.T) { budget.Check(t, ordersCost(t, customers), customers) })
	}
}
