package payments_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/money"
	"sidecart.dev/payments"
	"sidecart.dev/payments/simulated"
)

// slowRefunds is a provider that takes a while to give money back.
type slowRefunds struct{ payments.Provider }

func (p slowRefunds) Refund(ctx context.Context, o payments.RefundOrder) (bool, error) {
	time.Sleep(time.Second) // of the bubble's clock
	return p.Provider.Refund(ctx, o)
}

// atOnce asks for a refund by each of the keys while the provider is busy with the first of them,
// in a process like the real one: one pool, several requests.
func atOnce(t *testing.T, keys ...string) (p payments.Payment, refunds []payments.Refund, replayed []bool) {
	t.Helper()
	w, o := newWorld(), anOrder(1, "tok_visa")
	s := w.replica(func(c *payments.Config) {
		c.Runner = payments.NewPool(8)
		c.Provider = slowRefunds{simulated.New(simulated.Config{State: w.state})}
	})
	if err := s.Placed(t.Context(), o); err != nil {
		t.Fatalf("placed: %v", err)
	}
	synctest.Wait()
	refunds, replayed = make([]payments.Refund, len(keys)), make([]bool, len(keys))
	var all sync.WaitGroup
	for i, key := range keys {
		all.Go(func() {
			var err error
			refunds[i], replayed[i], err = s.Refund(t.Context(), payments.IDOf(o.ID), payments.RefundRequest{
				Key: key, Amount: money.New(100, "EUR"), Reason: "damaged",
			})
			if err != nil {
				t.Errorf("refund %d: %v", i, err)
			}
		})
	}
	all.Wait()
	return find(t, w, o), refunds, replayed
}

func TestADoubleClickIsOneRefundAndBothAreToldHowItEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, refunds, replayed := atOnce(t, "click", "click")
		if len(p.Refunds) != 1 || replayed[0] == replayed[1] {
			t.Fatalf("%d refunds, replayed %v; want one, and one replay", len(p.Refunds), replayed)
		}
		for i, r := range refunds {
			if r.ID != p.Refunds[0].ID || r.Status != payments.RefundSucceeded {
				t.Errorf("request %d was told %s is %s", i, r.ID, r.Status)
			}
		}
	})
}

func TestRefundsAtTheSameMomentAreAllMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _, replayed := atOnce(t, "a", "b", "c")
		time.Sleep(time.Minute) // of the bubble's clock: what a request no longer waits for goes on
		synctest.Wait()
		if replayed[0] || replayed[1] || replayed[2] || len(p.Refunds) != 3 {
			t.Fatalf("%d refunds, replayed %v; want three", len(p.Refunds), replayed)
		}
	})
}

func TestAJobThatPanicsEndsNothingButItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := payments.NewPool(1)
		ended, taken := pool.Go(t.Context(), "pay_1", func(context.Context) { panic("index out of range") })
		if !taken {
			t.Fatal("the pool did not take the job")
		}
		<-ended
		synctest.Wait()
		ran := false
		if ended, taken = pool.Go(t.Context(), "pay_1", func(context.Context) { ran = true }); !taken {
			t.Fatal("the place of the job that panicked is not free")
		}
		if <-ended; !ran {
			t.Fatal("the next job of that id did not run")
		}
	})
}

// Whoever asks while a job runs waits for a run that began after the question, however many ask.
func TestEveryCallWaitsForARunThatBeganAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := payments.NewPool(4)
		var runs atomic.Int64
		var last atomic.Int64 // the call whose job ran last
		job := func(n int) func(context.Context) {
			return func(context.Context) {
				time.Sleep(time.Second) // of the bubble's clock
				runs.Add(1)
				last.Store(int64(n))
			}
		}
		var waiting sync.WaitGroup
		for n := range 5 {
			ended, taken := pool.Go(t.Context(), "pay_1", job(n))
			if taken != (n == 0) {
				t.Fatalf("call %d taken: %v", n, taken)
			}
			want := int64(min(n+1, 2))
			waiting.Go(func() {
				<-ended
				if got := runs.Load(); got < want {
					t.Errorf("call %d waited for %d runs, want %d", n, got, want)
				}
			})
		}
		waiting.Wait()
		synctest.Wait()
		if runs.Load() != 2 || pool.Running() != 0 {
			t.Fatalf("%d runs, %d still running; want 2 and none", runs.Load(), pool.Running())
		}
		if last.Load() != 4 {
			t.Fatalf("the job of call %d ran last, want that of the latest call", last.Load())
		}
		pool.Drain(t.Context())
		if ended, taken := pool.Go(t.Context(), fmt.Sprint("pay_", 2), job(5)); taken || ended != nil {
			t.Fatal("a pool that is closed took a job")
		}
	})
}
