package orders_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/list"
	"sidecart.dev/kit/money"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/orders"
)

func TestPagesStayPutWhileOrdersArePlaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := newWorld()
		r := w.start(t)
		defer r.end()
		var want []string
		place := func(i int, method string) {
			o, _, err := r.Service.Place(ctx, customer, fmt.Sprint(i), request(method))
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, o.ID())
		}
		for i := range 150 { // more than two pages of the list
			place(i, []string{"tok_visa", "tok_declined"}[i%2])
		}
		old := slices.Clone(want)
		slices.Reverse(old)
		var got []string
		q := orders.Query{UserID: customer, Limit: 20}
		for pages := 0; ; pages++ {
			page, err := r.Service.List(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range page.Orders {
				got = append(got, o.ID())
			}
			place(1000+pages, "tok_visa") // between two pages
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		if !slices.Equal(got, old) {
			t.Errorf("%d orders listed while more were placed, want the %d there were, newest first, each once", len(got), len(old))
		}
		if err := w.settled(r); err != nil {
			t.Fatal(err)
		}
		if n := countStatus(t, r, orders.PaymentFailed); n != 75 {
			t.Errorf("%d orders have failed, want 75", n)
		}
		if n := countStatus(t, r, orders.Pending); n != 0 {
			t.Errorf("%d orders are pending, want none", n)
		}
	})
}

// TestAnOrderHoldsThePositionThatItCameToHave has another replica place an order of the same
// customer after the first has read where the list ends, and before it writes the list.
func TestAnOrderHoldsThePositionThatItCameToHave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := newWorld()
		var first, second *replica
		var interfered atomic.Bool
		w.state.Before = func(_ context.Context, op sidecartest.Op, key string) error {
			if op.Write() && strings.HasPrefix(key, "orders-of/") && interfered.CompareAndSwap(false, true) {
				if _, _, err := second.Service.Place(ctx, customer, "2", request("tok_visa")); err != nil {
					t.Error(err)
				}
			}
			return nil
		}
		first, second = w.start(t), w.start(t)
		defer first.end()
		defer second.end()
		o, _, err := first.Service.Place(ctx, customer, "1", request("tok_visa"))
		if err != nil || o.Seq() != 2 {
			t.Errorf("the order has position %d, %v; want 2, as another was faster", o.Seq(), err)
		}
		page, err := second.Service.List(ctx, orders.Query{UserID: customer, Limit: 10})
		if err != nil || len(page.Orders) != 2 {
			t.Errorf("when it is answered %d orders are listed, %v; want both", len(page.Orders), err)
		}
		if err := w.settled(first, second); err != nil {
			t.Error(err)
		}
	})
}

// TestAnOrderWhoseProcessDiedBeforeItWasListedIsListed fails the write of the list, and kills the
// process. One order waits when the settler looks at it, the other has been paid and is done.
func TestAnOrderWhoseProcessDiedBeforeItWasListedIsListed(t *testing.T) {
	for _, method := range []string{"tok_visa", "tok_unanswered"} {
		synctest.Test(t, func(t *testing.T) {
			ctx := context.Background()
			w := newWorld()
			var broken atomic.Bool
			w.state.Before = func(_ context.Context, op sidecartest.Op, key string) error {
				if broken.Load() && op.Write() && strings.HasPrefix(key, "orders-of/") {
					return sidecartest.ErrDead
				}
				return nil
			}
			r, second := w.start(t), w.start(t)
			defer second.end()
			broken.Store(true)
			if _, _, err := r.Service.Place(ctx, customer, "key", request(method)); err == nil {
				t.Error("an order is answered that is not in its customer's list")
			}
			synctest.Wait()
			r.life.Kill()
			r.end()
			broken.Store(false)
			w.pass(t, time.Second)
			for _, e := range w.outbox {
				if err := second.Consumer.Handle(ctx, "payments", e); err != nil {
					t.Error(err)
				}
			}
			w.pass(t, time.Minute)
			page, err := second.Service.List(ctx, orders.Query{UserID: customer, Limit: 10})
			if err != nil || len(page.Orders) != 1 {
				t.Errorf("%d orders are listed, %v; want the one that was written", len(page.Orders), err)
			}
		})
	}
}

func countStatus(t *testing.T, r *replica, status orders.Status) int {
	t.Helper()
	n := 0
	q := orders.Query{UserID: customer, Status: status, Limit: 10}
	for {
		page, err := r.Service.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Orders {
			if o.Status() != status {
				t.Errorf("an order that is %q among those that are %q", o.Status(), status)
			}
			n++
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return n
		}
	}
}

// TestAPageCostsTheSameAtAnySize counts the calls to the store for the first page, a page in the
// middle and one that looks for a status nobody has, of a customer with a hundred orders and of one
// with a hundred thousand.
func TestAPageCostsTheSameAtAnySize(t *testing.T) {
	small, large := sidecartest.NewState(), sidecartest.NewState()
	fill(t, small, 1_000)
	fill(t, large, 100_000)
	cost := func(state *sidecartest.State, size int, q orders.Query) (gets, bulks int) {
		w := newWorld()
		w.state = state
		repo := w.newReplica(t, newLife(w)).Service
		gets, bulks = state.Calls(sidecartest.OpGet), state.Calls(sidecartest.OpBulkGet)
		q.UserID = customer
		if q.Cursor == "middle" {
			q.Cursor = list.EncodeCursor("orders-of/"+customer, uint64(size/2))
		}
		page, err := repo.List(t.Context(), q)
		if err != nil || q.Status == "" && len(page.Orders) != q.Limit {
			t.Fatalf("a page of %d orders: %d, %v", size, len(page.Orders), err)
		}
		return state.Calls(sidecartest.OpGet) - gets, state.Calls(sidecartest.OpBulkGet) - bulks
	}
	for name, q := range map[string]orders.Query{
		"first page":     {Limit: 20},
		"middle":         {Limit: 20, Cursor: "middle"},
		"a rare status":  {Limit: 20, Status: orders.Refunding},
		"a large page":   {Limit: 100},
		"of cancellings": {Limit: 20, Status: orders.Cancelled},
	} {
		smallGets, smallBulks := cost(small, 1_000, q)
		gets, bulks := cost(large, 100_000, q)
		if gets > smallGets+2 || bulks > smallBulks+2 {
			t.Errorf("%s: %d gets and %d bulk gets of 100,000 orders, %d and %d of 1,000; want the same", name, gets, bulks, smallGets, smallBulks)
		}
		t.Logf("%s: %d gets, %d bulk gets of 100,000 orders; %d and %d of 1,000", name, gets, bulks, smallGets, smallBulks)
	}
}

// fill writes a customer's orders as the service would have, only faster.
func fill(t testing.TB, state *sidecartest.State, size int) {
	t.Helper()
	ctx := context.Background()
	lists := list.New(list.Config{State: state})
	quote, err := orders.DefaultCatalogue().Quote(request("tok_visa"), orders.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < size; at += 500 {
		ids := make([]string, min(500, size-at))
		for i := range ids {
			ids[i] = orders.IDFor(customer, fmt.Sprint(at+i))
		}
		seqs, err := lists.AppendAll(ctx, "orders-of/"+customer, ids)
		if err != nil {
			t.Fatal(err)
		}
		if at > 1_000 && at < size-1_000 && (at < size/2-1_000 || at > size/2) {
			continue // nobody will look at these orders
		}
		for i, id := range ids {
			o, err := orders.Place(orders.Placement{ID: id, UserID: customer, Seq: seqs[i], Fingerprint: "f", Quote: quote, At: time.Unix(1, 0)})
			if err != nil {
				t.Fatal(err)
			}
			raw, err := json.Marshal(o.Document())
			if err != nil {
				t.Fatal(err)
			}
			if err := state.Insert(ctx, "order/"+id, raw); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestOperatorsEditProductsAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		first, second := w.start(t), w.start(t)
		defer first.end()
		defer second.end()
		done := make(chan error, 6)
		for i := range cap(done) {
			go func() {
				p := orders.Product{ID: fmt.Sprintf("new-%d", i), Name: "New", Price: money.New(1, "EUR"), Active: true}
				_, err := []*replica{first, second}[i%2].Service.PutProduct(context.Background(), p, nil)
				done <- err
			}()
		}
		for range cap(done) {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		time.Sleep(3 * time.Second)
		c, err := first.Service.Products(t.Context())
		if want := orders.DefaultCatalogue().Len() + cap(done); err != nil || c.Len() != want {
			t.Errorf("%d products, %v; want %d", c.Len(), err, want)
		}
	})
}

// BenchmarkPlace measures placing an order without the cost of a sidecar.
func BenchmarkPlace(b *testing.B) {
	w := newWorld()
	w.bus.Check = nil
	r := w.start(b)
	defer r.end()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, _, err := r.Service.Place(b.Context(), fmt.Sprintf("usr_%d", i%100), fmt.Sprint(i), request("tok_visa")); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
