package payments_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/money"
	"sidecart.dev/payments"
	"sidecart.dev/payments/simulated"
)

// hanging is a provider that never answers about some charges.
type hanging struct {
	payments.Provider
	method string
}

func (h hanging) Authorize(ctx context.Context, c payments.Charge) (payments.Result, error) {
	if c.Method == h.method {
		<-ctx.Done()
		return payments.Result{}, ctx.Err()
	}
	return h.Provider.Authorize(ctx, c)
}

func TestAHangingProviderDelaysNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		pool := payments.NewPool(1024)
		s := w.replica(func(c *payments.Config) {
			c.Runner = pool
			c.Provider = hanging{simulated.New(simulated.Config{State: w.state}), "tok_slow"}
		})
		start := time.Now()
		for n := range 500 {
			if err := s.Placed(t.Context(), anOrder(n, "tok_slow")); err != nil {
				t.Fatalf("placed: %v", err)
			}
		}
		if err := s.Placed(t.Context(), anOrder(1000, "tok_visa")); err != nil {
			t.Fatalf("placed: %v", err)
		}
		synctest.Wait()
		if p := find(t, w, anOrder(1000, "")); p.Status != payments.Captured || time.Since(start) != 0 {
			t.Fatalf("%s after %s behind 500 hanging charges, want captured at once", p.Status, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if pool.Drain(ctx); pool.Running() != 0 {
			t.Fatalf("stopping: %d still running", pool.Running())
		}
		if w.intents.size() < 500 {
			t.Fatalf("%d intents left, want those of the 500 that were cut off", w.intents.size())
		}
	})
}

func TestAFullPoolLeavesChargesToTheSettler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := w.replica(func(c *payments.Config) {
			c.Runner = payments.NewPool(1)
			c.Provider = simulated.New(simulated.Config{State: w.state})
		})
		for n, method := range []string{"tok_slow", "tok_visa"} {
			if err := s.Placed(t.Context(), anOrder(n, method)); err != nil {
				t.Fatalf("placed: %v", err)
			}
		}
		synctest.Wait()
		if p := find(t, w, anOrder(1, "")); p.Status != payments.Pending {
			t.Fatalf("the second is %s, want pending", p.Status)
		}
		time.Sleep(3 * time.Second) // of the bubble's clock: tok_slow has answered
		synctest.Wait()
		if err := w.intents.settle(t.Context(), s, time.Minute); err != nil {
			t.Fatalf("settle: %v", err)
		}
		synctest.Wait()
		for n := range 2 {
			if p := find(t, w, anOrder(n, "")); p.Status != payments.Captured {
				t.Fatalf("payment %d is %s, want captured", n, p.Status)
			}
		}
	})
}

func TestConcurrentRepetitionsOfARefundAreOneRefund(t *testing.T) {
	w, o := newWorld(), anOrder(1, "tok_visa")
	if err := w.replica().Placed(t.Context(), o); err != nil {
		t.Fatalf("placed: %v", err)
	}
	var all sync.WaitGroup
	ids, errs := make([]string, 40), make([]error, 40)
	for i := range ids {
		all.Go(func() {
			for {
				r, _, err := w.replica().Refund(t.Context(), payments.IDOf(o.ID), payments.RefundRequest{
					Key: fmt.Sprint("key", i%4), Amount: money.New(500, "EUR"), Reason: "damaged",
				})
				if ids[i], errs[i] = r.ID, err; err == nil {
					return
				}
				if t.Context().Err() != nil {
					return
				}
			}
		})
	}
	all.Wait()
	settled(t, w)
	p := find(t, w, o)
	charge, err := w.replica().Provider.Lookup(t.Context(), p.ID)
	if err != nil || len(p.Refunds) != 4 || p.RefundedAmount().Amount != 2000 || charge.Refunded != 2000 {
		t.Fatalf("%d refunds of %s, the provider says %d, %v; want 4 of 20.00 EUR", len(p.Refunds), p.RefundedAmount(), charge.Refunded, err)
	}
	for i, id := range ids {
		if errs[i] != nil || id != payments.RefundID(p.ID, fmt.Sprint("key", i%4)) {
			t.Fatalf("request %d got %q, %v", i, id, errs[i])
		}
	}
}
