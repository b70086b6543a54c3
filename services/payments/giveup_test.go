package payments_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/payments"
	"sidecart.dev/payments/simulated"
)

// refusing is a provider that refuses every request until it is repaired, as one does whose secret
// key is wrong. What it was asked for before is carried out all the same, if it says so.
type refusing struct {
	payments.Provider
	repaired bool
	takes    bool // a capture is carried out, and the answer is a refusal
}

func (r *refusing) refuse() error {
	if r.repaired {
		return nil
	}
	return fault.New(fault.Unavailable, "unavailable", "The payment provider refused the request.")
}

func (r *refusing) Authorize(ctx context.Context, c payments.Charge) (payments.Result, error) {
	if r.takes && !r.repaired {
		return r.Provider.Authorize(ctx, c)
	}
	if err := r.refuse(); err != nil {
		return payments.Result{}, err
	}
	return r.Provider.Authorize(ctx, c)
}

func (r *refusing) Capture(ctx context.Context, c payments.Charge) (payments.Result, error) {
	result, err := payments.Result{}, r.refuse()
	if err == nil || r.takes {
		result, _ = r.Provider.Capture(ctx, c)
	}
	return result, err
}

func (r *refusing) Void(ctx context.Context, c payments.Charge) (payments.Result, error) {
	if err := r.refuse(); err != nil {
		return payments.Result{}, err
	}
	return r.Provider.Void(ctx, c)
}

// A charge that the provider never decides ends for the customer, and nothing is kept that turns
// out to have been taken.
func TestAChargeThatIsNeverDecidedEnds(t *testing.T) {
	for name, c := range map[string]struct {
		takes bool
		end   payments.Status
	}{
		"and nothing was taken":                              {false, payments.Declined},
		"and the amount had been taken, which is given back": {true, payments.Refunded},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, o := newWorld(), newStory(anOrder(1, "tok_visa"))
				provider := &refusing{Provider: simulated.New(simulated.Config{State: w.state}), takes: c.takes}
				gaveUp := 0
				replica := func() *payments.Service {
					return w.replica(func(cfg *payments.Config) {
						cfg.Provider, cfg.GiveUpAfter = provider, time.Hour
						cfg.Attention = func(what string) {
							if what == payments.AttentionGivenUp {
								gaveUp++
							}
						}
					})
				}
				settle := func() {
					if err := w.intents.settle(t.Context(), replica(), time.Minute); err != nil {
						t.Fatalf("settle: %v", err)
					}
				}
				if err := o.place(t.Context(), replica()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(59 * time.Minute) // of the bubble's clock
				settle()
				if p := find(t, w, o.order); p.Status != payments.Pending || gaveUp != 0 {
					t.Fatalf("after 59 minutes the payment is %s, want pending", p.Status)
				}
				time.Sleep(2 * time.Minute)
				settle()
				p := find(t, w, o.order)
				if p.Status != payments.Declined || p.Decline.Code != "provider_unresolved" || gaveUp != 1 {
					t.Fatalf("after an hour: %s, %+v, given up %d times; want declined, once", p.Status, p.Decline, gaveUp)
				}
				settle()
				if w.intents.size() == 0 {
					t.Fatal("nobody asks the provider any more, though it has not said what it did")
				}
				provider.repaired = true
				for w.intents.size() > 0 {
					settle()
				}
				p = find(t, w, o.order)
				if p.Status != c.end || p.Unresolved || gaveUp != 1 {
					t.Fatalf("in the end: %s, unresolved %v, given up %d times; want %s", p.Status, p.Unresolved, gaveUp, c.end)
				}
				charge, err := provider.Lookup(t.Context(), p.ID)
				if err != nil || charge.State == payments.ChargeCaptured && charge.Refunded != p.Amount.Amount {
					t.Fatalf("the provider has %+v, %v; want nothing kept", charge, err)
				}
			})
		})
	}
}

func (r *refusing) Refund(ctx context.Context, o payments.RefundOrder) (bool, error) {
	if err := r.refuse(); err != nil {
		return false, err
	}
	return r.Provider.Refund(ctx, o)
}

// deaf is a provider that refuses every refund for good.
type deaf struct{ payments.Provider }

func (deaf) Refund(context.Context, payments.RefundOrder) (bool, error) { return false, nil }

func TestOperatorsAreToldOfMoneyThatDoesNotGoBack(t *testing.T) {
	captured := func(t *testing.T, w *world, cancelled bool, provider func(payments.Provider) payments.Provider) map[string]int {
		t.Helper()
		told, o := map[string]int{}, anOrder(1, "tok_visa")
		if err := w.replica().Placed(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		s := w.replica(func(cfg *payments.Config) {
			cfg.Provider, cfg.GiveUpAfter = provider(cfg.Provider), time.Hour
			cfg.Attention = func(what string) { told[what]++ }
		})
		if cancelled {
			if err := s.Cancelled(t.Context(), o, payments.Cancellation{Reason: "ordered twice", At: time.Now()}); err != nil {
				t.Fatal(err)
			}
		} else if _, _, err := s.Refund(t.Context(), payments.IDOf(o.ID), payments.RefundRequest{Key: "a", Reason: "damaged"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		before := told[payments.AttentionRefundOverdue]
		time.Sleep(61 * time.Minute) // of the bubble's clock
		if err := w.intents.settle(t.Context(), s, time.Minute); err != nil {
			t.Fatal(err)
		}
		if before > 0 {
			t.Error("a refund is overdue before an hour has passed")
		}
		return told
	}
	for name, cancelled := range map[string]bool{"asked for": false, "of a cancelled order": true} {
		t.Run("a refund "+name+" that is not answered", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				told := captured(t, newWorld(), cancelled, func(p payments.Provider) payments.Provider { return &refusing{Provider: p} })
				if told[payments.AttentionRefundOverdue] == 0 {
					t.Errorf("operators were told %v, want that the refund is overdue", told)
				}
			})
		})
		t.Run("a refund "+name+" that is refused", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				told := captured(t, newWorld(), cancelled, func(p payments.Provider) payments.Provider { return deaf{p} })
				if told[payments.AttentionRefundRefused] == 0 {
					t.Errorf("operators were told %v, want that the refund was refused", told)
				}
			})
		})
	}
}

func TestOperatorsAreToldOfAVoidThatIsNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, o, told := newWorld(), anOrder(1, "tok_visa"), map[string]int{}
		s := w.replica(func(cfg *payments.Config) {
			cfg.Provider, cfg.GiveUpAfter = &refusing{Provider: cfg.Provider}, time.Hour
			cfg.Attention = func(what string) { told[what]++ }
		})
		if err := s.Placed(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if err := s.Cancelled(t.Context(), o, payments.Cancellation{Reason: "ordered twice", At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(61 * time.Minute) // of the bubble's clock
		if err := w.intents.settle(t.Context(), s, time.Minute); err != nil {
			t.Fatal(err)
		}
		if told[payments.AttentionVoidOverdue] == 0 || told[payments.AttentionGivenUp] != 0 {
			t.Errorf("operators were told %v, want that the void is overdue", told)
		}
		if p := find(t, w, o); p.Status != payments.Pending {
			t.Errorf("the payment is %s, want pending until the provider has answered", p.Status)
		}
	})
}

func TestTheSimulatedCardThatIsNeverAnsweredEndsAsUnresolved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, o := newWorld(), anOrder(1, "tok_unanswered")
		s := w.replica(func(cfg *payments.Config) { cfg.GiveUpAfter = time.Hour })
		if err := s.Placed(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if p := find(t, w, o); p.Status != payments.Pending {
			t.Fatalf("the payment is %s at first, want pending", p.Status)
		}
		time.Sleep(61 * time.Minute) // of the bubble's clock
		settled(t, w)
		p := find(t, w, o)
		charge, err := s.Provider.Lookup(t.Context(), p.ID)
		if err != nil || p.Status != payments.Declined || p.Decline.Code != "provider_unresolved" || p.Unresolved ||
			charge.State != payments.ChargeVoided {
			t.Fatalf("%s, %+v, unresolved %v; the provider has %+v, %v", p.Status, p.Decline, p.Unresolved, charge, err)
		}
	})
}
