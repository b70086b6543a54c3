package payments_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/money"
	"sidecart.dev/payments"
	"sidecart.dev/payments/simulated"
)

// silent is a provider that carries out what it is asked and, some of the times that it is asked
// for one operation, never says so.
type silent struct {
	payments.Provider
	about string
	times int // left
	asked []string
}

// answer notes the key under which the operation was asked for, and perhaps keeps the answer back.
func (s *silent) answer(ctx context.Context, operation, key string) error {
	if operation != s.about {
		return nil
	}
	s.asked = append(s.asked, key)
	if s.times == 0 {
		return nil
	}
	s.times--
	<-ctx.Done()
	return ctx.Err()
}

func (s *silent) Authorize(ctx context.Context, c payments.Charge) (payments.Result, error) {
	r, err := s.Provider.Authorize(ctx, c)
	return r, cmp.Or(s.answer(ctx, "authorize", c.Key), err)
}

func (s *silent) Capture(ctx context.Context, c payments.Charge) (payments.Result, error) {
	r, err := s.Provider.Capture(ctx, c)
	return r, cmp.Or(s.answer(ctx, "capture", c.Key), err)
}

func (s *silent) Void(ctx context.Context, c payments.Charge) (payments.Result, error) {
	r, err := s.Provider.Void(ctx, c)
	return r, cmp.Or(s.answer(ctx, "void", c.Key), err)
}

func (s *silent) Refund(ctx context.Context, r payments.RefundOrder) (bool, error) {
	ok, err := s.Provider.Refund(ctx, r)
	return ok, cmp.Or(s.answer(ctx, "refund", r.Key), err)
}

// Whether the provider answers within the quick attempts or only long after they were given up: the
// outcome is what it answers under the same key, and until then nothing is recorded of it.
func TestAnUnknownOutcomeIsAskedForUnderTheSameKeyAndNeverGuessed(t *testing.T) {
	for operation, c := range map[string]struct {
		before []step
		asking step
		open   func(payments.Payment) bool // nothing is decided
		end    payments.Status
	}{
		"authorize": {nil, (*story).place, isPending, payments.Captured},
		"capture":   {nil, (*story).place, isPending, payments.Captured},
		"void":      {[]step{unfinished((*story).place)}, (*story).cancel, isPending, payments.Voided},
		"refund":    {[]step{(*story).place}, (*story).refundPart, refundIsPending, payments.PartiallyRefunded},
	} {
		for _, times := range []int{2, 6} { // the quick attempts are 4
			t.Run(fmt.Sprint(operation, " unanswered ", times, " times"), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w, o := newWorld(), newStory(anOrder(1, "tok_visa"))
					p := &silent{Provider: simulated.New(simulated.Config{State: w.state}), about: operation}
					replica := func() *payments.Service {
						return w.replica(func(c *payments.Config) { c.Provider, c.Wait = p, nil })
					}
					for _, step := range c.before {
						if err := step(o, t.Context(), replica()); err != nil {
							t.Fatal(err)
						}
					}
					p.times = times
					if err := c.asking(o, t.Context(), replica()); err != nil {
						t.Fatal(err)
					}
					if got := find(t, w, o.order); p.times > 0 && !c.open(got) {
						t.Errorf("nothing is known yet, and the payment is %+v", got)
					}
					for w.intents.size() > 0 {
						if err := w.intents.settle(t.Context(), replica(), time.Minute); err != nil {
							t.Fatalf("settle: %v", err)
						}
					}
					w.check(t, o)
					if got := find(t, w, o.order); got.Status != c.end {
						t.Errorf("the payment is %s, want %s", got.Status, c.end)
					}
					if len(p.asked) <= times || len(slices.Compact(p.asked)) != 1 {
						t.Errorf("asked under %v, want more than %d times under one key", p.asked, times)
					}
				})
			})
		}
	}
}

func isPending(p payments.Payment) bool { return p.Status == payments.Pending && len(p.Entries) == 0 }

func (o *story) refundPart(ctx context.Context, s *payments.Service) error {
	return o.refund(ctx, s, "key", 1000)
}

func refundIsPending(p payments.Payment) bool {
	return p.Status == payments.Captured && p.Refunds[0].Status == payments.RefundPending && p.Balance(payments.CustomerPayable).Amount == -1000
}

func TestConcurrentRefundsNeverExceedWhatWasCaptured(t *testing.T) {
	w, o := newWorld(), newStory(anOrder(1, "tok_visa")) // 25.98
	if err := o.place(t.Context(), w.replica()); err != nil {
		t.Fatal(err)
	}
	var requests sync.WaitGroup
	errs := make([]error, 12)
	for i := range errs {
		requests.Go(func() {
			for errs[i] = lost(); errs[i] != nil && fault.KindOf(errs[i]).Transient(); { // others were faster, too often
				errs[i] = o.refund(t.Context(), w.replica(), fmt.Sprint("key", i), 500)
			}
		})
	}
	requests.Wait()
	accepted := 0
	for i, err := range errs {
		switch {
		case err == nil:
			accepted++
		case !fault.Is(err, fault.Unprocessable):
			t.Errorf("request %d: %v, want it accepted or Unprocessable", i, err)
		}
	}
	w.end(t)
	w.check(t, o)
	if p := find(t, w, o.order); accepted != 5 || p.RefundedAmount().Amount != 2500 {
		t.Errorf("%d of 12 refunds of 5.00 were accepted, and %s given back of 25.98; want 5", accepted, p.RefundedAmount())
	}
}

func TestARefundsKeyIsForOneRequest(t *testing.T) {
	w, o := newWorld(), newStory(anOrder(1, "tok_visa"))
	if err := o.place(t.Context(), w.replica()); err != nil {
		t.Fatal(err)
	}
	var requests sync.WaitGroup
	errs := make([]error, 12)
	for i := range errs {
		requests.Go(func() { // at the same time, each with an amount of its own
			for errs[i] = lost(); errs[i] != nil && fault.KindOf(errs[i]).Transient(); {
				errs[i] = o.refund(t.Context(), w.replica(), "key", int64(100+i))
			}
		})
	}
	requests.Wait()
	w.end(t)
	w.check(t, o)
	p := find(t, w, o.order)
	if len(p.Refunds) != 1 {
		t.Fatalf("%d refunds under one key", len(p.Refunds))
	}
	for i, err := range errs {
		if made := p.Refunds[0].Amount.Amount == int64(100+i); made != (err == nil) || !made && fault.CodeOf(err) != "idempotency_key_reused" {
			t.Errorf("request %d: %v; the refund is %s", i, err, p.Refunds[0].Amount)
		}
	}
	amount := p.Refunds[0].Amount
	for name, req := range map[string]payments.RefundRequest{
		"another reason":   {Amount: amount, Reason: "late"},
		"another currency": {Amount: money.New(amount.Amount, "USD"), Reason: "damaged"},
		"all that is left": {Reason: "damaged"},
	} {
		req.Key = "key"
		if _, _, err := w.replica().Refund(t.Context(), p.ID, req); !fault.Is(err, fault.Unprocessable) {
			t.Errorf("%s: %v, want Unprocessable", name, err)
		}
	}
	if r, replayed, err := w.replica().Refund(t.Context(), p.ID, payments.RefundRequest{Key: "key", Amount: amount, Reason: "damaged"}); err != nil || !replayed || r != p.Refunds[0] {
		t.Errorf("the same again: %+v, replayed %v, %v; want %+v", r, replayed, err, p.Refunds[0])
	}
}
