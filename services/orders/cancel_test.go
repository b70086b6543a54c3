package orders_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/journal"
	"sidecart.dev/orders"
)

// TestACrashAtAnyCallOfACancelLosesNoRefund cancels a paid order that has left the journal, kills
// the process at every call it makes, and loses what it published: a cancellation that was
// acknowledged ends in a refund.
func TestACrashAtAnyCallOfACancelLosesNoRefund(t *testing.T) {
	calls := eachDeath(t, crashCancelAt)
	t.Logf("crashed at each of %d calls", calls)
}

func crashCancelAt(t *testing.T, n int, after bool) (reached bool) {
	ctx := context.Background()
	w := newWorld()
	first := w.start(t)
	o := w.paid(t, first, "key")
	acknowledged := false
	reached = diesAt(first, n, after, func() {
		_, err := first.Service.Cancel(ctx, o.ID(), customer, "", nil)
		acknowledged = err == nil
	})
	w.bus.Clear()

	second := w.start(t)
	defer second.end()
	if err := w.settled(second); err != nil {
		t.Error(err)
	}
	found, err := second.Service.Get(ctx, o.ID(), customer, false)
	if err != nil || !found.Done() || acknowledged && found.Status() != orders.Refunded {
		t.Errorf("acknowledged %v; the order is %q, done %v, %v", acknowledged, found.Status(), found.Done(), err)
	}
	if p := w.payments[o.ID()]; found.Status() == orders.Refunded && p.Refunded != p.Amount || found.Status() == orders.Paid && p.Refunded != 0 {
		t.Errorf("the order is %q and its payment %+v", found.Status(), p)
	}
	return reached
}

func TestCancelAgainstPaymentIsDecidedByWhoIsWrittenFirst(t *testing.T) {
	for name, test := range map[string]struct {
		cancelFirst bool
		answered    orders.Status
		end         orders.Status
	}{
		"the cancel is first":       {true, orders.Cancelled, orders.Cancelled},
		"the confirmation is first": {false, orders.Refunding, orders.Refunded},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx := context.Background()
			w := newWorld()
			r := w.start(t)
			defer r.end()
			o, _, err := r.Service.Place(ctx, customer, "key", request("tok_visa"))
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if err := w.deliver(w.bus.Take(0)); err != nil { // the payment is captured; its confirmation is under way
				t.Fatal(err)
			}
			hear := func() {
				if err := r.Consumer.Handle(ctx, "payments", w.outbox[0]); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
			if !test.cancelFirst {
				hear()
			}
			cancelled, err := r.Service.Cancel(ctx, o.ID(), customer, "", nil)
			if err != nil || cancelled.Status() != test.answered {
				t.Errorf("%s: cancelling answers %q, %v; want %q", name, cancelled.Status(), err, test.answered)
			}
			if test.cancelFirst {
				hear()
			}
			if err := w.settled(r); err != nil {
				t.Error(err)
			}
			end, err := r.Service.Get(ctx, o.ID(), customer, false)
			if err != nil || end.Status() != test.end || end.Closing() != orders.ByRefund {
				t.Errorf("%s: the order ends %q, closed %q, %v; want %q and refunded", name, end.Status(), end.Closing(), err, test.end)
			}
			if p := w.payments[o.ID()]; p.Captures != 1 || p.Refunded != p.Amount {
				t.Errorf("%s: payment %+v, want all of it back", name, p)
			}
		})
	}
}

// TestACancellationThatNotificationsHasNotHeardIsPublishedAgain loses a cancellation on its way to
// notifications, but not to payments: the order is done, and its customer is told all the same.
func TestACancellationThatNotificationsHasNotHeardIsPublishedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		r := w.start(t)
		defer r.end()
		o := w.paid(t, r, "key")
		w.deaf = true
		if _, err := r.Service.Cancel(t.Context(), o.ID(), customer, "", nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := w.bus.Waiting(); n != 1 {
			t.Fatalf("%d messages are published, want the cancellation", n)
		}
		if err := w.deliver(w.bus.Take(0)); err != nil {
			t.Fatal(err)
		}
		w.deaf = false
		if err := w.settled(r); err != nil {
			t.Error(err)
		}
		found, err := r.Service.Get(t.Context(), o.ID(), customer, false)
		if err != nil || found.Status() != orders.Refunded {
			t.Errorf("the order is %q, %v", found.Status(), err)
		}
	})
}

// TestAnOrderThatChangesWhileItIsJudgedDoneIsLookedAtAgain cancels a paid order after the settler
// has read it, and before it fences the order and forgets the intent, which may be the
// cancellation's own.
func TestAnOrderThatChangesWhileItIsJudgedDoneIsLookedAtAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := newWorld()
		r := w.start(t)
		defer r.end()
		o := w.paid(t, r, "key")
		cancelled := false
		r.life.mu.Lock()
		r.life.read = func() {
			cancelled = true
			if _, err := r.Service.Cancel(ctx, o.ID(), customer, "", nil); err != nil {
				t.Errorf("cancelling: %v", err)
			}
		}
		r.life.mu.Unlock()
		finished, err := r.Service.Settle(ctx, []journal.Entry{{ID: o.ID(), Fence: true}})
		if err != nil || !cancelled || len(finished) != 0 {
			t.Errorf("settling: finished %v, %v; want nothing, as the order was cancelled meanwhile (%v)", finished, err, cancelled)
		}
		if err := w.settled(r); err != nil {
			t.Error(err)
		}
	})
}

func TestWhatMayBeCancelledIsDecidedByTheOrderThatIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := newWorld()
		r := w.start(t)
		defer r.end()
		o, _, err := r.Service.Place(ctx, customer, "key", request("tok_visa"))
		if err != nil {
			t.Fatal(err)
		}
		asked := 0
		_, err = r.Service.Cancel(ctx, o.ID(), customer, "", func(before orders.Order) error {
			if asked++; asked == 1 { // it is paid after it was read, and before it is written
				if _, _, err := r.Service.Apply(ctx, o.ID(), orders.Change{Trigger: orders.PaymentConfirmed, At: time.Now()}); err != nil {
					t.Fatal(err)
				}
			}
			if before.Version() != o.Version() {
				return fault.New(fault.Conflict, "precondition_failed", "")
			}
			return nil
		})
		found, _ := r.Service.Get(ctx, o.ID(), customer, false)
		if fault.CodeOf(err) != "precondition_failed" || asked != 2 || found.Status() != orders.Paid {
			t.Errorf("after %d looks cancelling answers %v and the order is %q; want it refused at the second look, and paid", asked, err, found.Status())
		}
		if err := w.settled(r); err != nil {
			t.Error(err)
		}
	})
}

func TestOthersOrdersDoNotExist(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := newWorld()
		r := w.start(t)
		defer r.end()
		o, _, err := r.Service.Place(ctx, customer, "key", request("tok_declined"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Service.Get(ctx, o.ID(), "usr_2", false); !fault.Is(err, fault.NotFound) {
			t.Errorf("another customer reads it: %v, want NotFound", err)
		}
		if _, err := r.Service.Cancel(ctx, o.ID(), "usr_2", "", nil); !fault.Is(err, fault.NotFound) {
			t.Errorf("another customer cancels it: %v, want NotFound", err)
		}
		if _, err := r.Service.Get(ctx, o.ID(), "usr_2", true); err != nil {
			t.Errorf("an operator reads it: %v", err)
		}
		if err := w.settled(r); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Service.Cancel(ctx, o.ID(), customer, "", nil); fault.CodeOf(err) != "order_state" {
			t.Errorf("cancelling a failed order: %v, want order_state", err)
		}
	})
}

func TestAnEventOfAnUnknownOrderIsPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		r := w.start(t)
		defer r.end()
		id := orders.IDFor(customer, "never placed")
		w.payments[id] = &payment{ID: "pay_1"}
		w.emit(id, "payment.confirmed.v1", nil)
		if err := r.Consumer.Handle(t.Context(), "payments", w.outbox[0]); err == nil || fault.KindOf(err).Transient() {
			t.Errorf("an event of an unknown order: %v, want a fault that is not retried", err)
		}
	})
}
