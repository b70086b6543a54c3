package orders_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/sidecar/sidecartest"
)

// budget is what one order that is paid costs this service, from its POST until it has left the
// journal: calls of the sidecar per order, alone and in the company of 63 others of the same
// moment. What is not here is not called.
var budget = []struct {
	call           string
	alone, company float64
	why            string
}{
	{"insert segment", 1, 0.1, "the intent, before anything is promised; those of the same moment share it"},
	{"get list", 1, 1, "a customer's list is replaced under its ETag, which no write returns"},
	{"insert list", 1, 1, "the order's place in the list; an update if the customer has ordered before"},
	{"insert order", 1, 1, "the order; that nobody was faster is found out by it"},
	{"publish orders", 1, 1, "order.placed.v1, to payments"},
	{"get order", 1, 1, "the order and its ETag, when its payment is heard of; neighbours may share the call"},
	{"update order", 1, 1, "the outcome"},
	{"bulk-get order", 1, 0.1, "a last look before the intent is forgotten, at up to 200 orders in one call"},
	{"bulk-get list", 1, 0.1, "whether the orders that are forgotten stand in their lists, in the same round"},
	{"bulk-get segment", 1, 0.1, "a segment is deleted by its ETag"},
	{"delete segment", 1, 0.1, "the intent is forgotten"},
}

// meter counts the calls of the service by what they are about.
type meter struct {
	mu    sync.Mutex
	calls map[string]int
}

func (m *meter) count(call string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls[call]++
}

func (m *meter) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.calls)
}

// state is called before each call of the store. A lane's head is renewed by the clock and not by
// orders, and the products are read every few seconds.
func (m *meter) state(_ context.Context, op sidecartest.Op, key string) error {
	about := ""
	switch {
	case strings.HasPrefix(key, "order/"):
		about = "order"
	case strings.HasPrefix(key, "orders-of/"):
		about = "list"
	case strings.Count(key, "/") == 3 && strings.HasPrefix(key, "journal/"):
		about = "segment"
	default:
		return nil
	}
	m.count(string(op) + " " + about)
	return nil
}

// ordersCost lets as many customers order and be paid at the same moment, and returns the calls for
// each order.
func ordersCost(t *testing.T, customers int) map[string]float64 {
	ctx := context.Background()
	w, m := newWorld(), &meter{calls: map[string]int{}}
	w.latency = func() time.Duration { return 2 * time.Millisecond } // what is called at the same time is under way at the same time
	w.asked = func(question string) { m.count("call " + question) }
	w.state.Before = m.state
	w.bus.Before = func(_ context.Context, topic string) error { m.count("publish " + topic); return nil }
	r := w.start(t)
	defer r.end()
	if _, err := r.Service.Products(ctx); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Minute)
	synctest.Wait()
	m.reset()

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
	perOrder := map[string]float64{}
	for call, n := range m.calls {
		perOrder[call] = float64(n) / float64(customers)
	}
	return perOrder
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
		synctest.Test(t, func(t *testing.T) {
			cost, total, allowed := ordersCost(t, customers), 0.0, 0.0
			for _, b := range budget {
				limit := b.company
				if customers == 1 {
					limit = b.alone
				}
				if cost[b.call] > limit {
					t.Errorf("%s: %.2f for each of %d orders, want at most %.2f: %s", b.call, cost[b.call], customers, limit, b.why)
				}
				total, allowed = total+cost[b.call], allowed+limit
				delete(cost, b.call)
			}
			for _, call := range slices.Sorted(maps.Keys(cost)) {
				t.Errorf("%s: %.2f for each of %d orders, want none", call, cost[call], customers)
			}
			t.Logf("%d at once: %.2f calls for each order of at most %.2f", customers, total, allowed)
		})
	}
}
