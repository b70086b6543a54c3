package payments_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sidecart.dev/kit/deadletter"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/money"
	"sidecart.dev/kit/walls"
	"sidecart.dev/payments"
)

// once calls f at the first call to the outside that begins with the prefix, before it has its
// effect. Afterwards, calls that fails names fail.
func (w *world) once(prefix, fails string, f func()) {
	var done atomic.Bool
	w.pass = func(_ context.Context, call string) (before, after error) {
		if strings.HasPrefix(call, prefix) && done.CompareAndSwap(false, true) {
			f()
		} else if done.Load() && fails != "" && strings.HasPrefix(call, fails) {
			return lost(), nil
		}
		return nil, nil
	}
}

func settled(t *testing.T, w *world) {
	t.Helper()
	for range 10 {
		if w.intents.size() == 0 {
			return
		}
		if err := w.intents.settle(context.Background(), w.replica(), time.Minute); err != nil {
			t.Fatalf("settle: %v", err)
		}
	}
	t.Fatalf("%d ids never left the journal", w.intents.size())
}

func find(t *testing.T, w *world, o payments.Order) payments.Payment {
	t.Helper()
	found, err := w.replica().Lookup(context.Background(), []string{o.ID})
	if err != nil {
		t.Fatalf("lookup: %v", err)
	}
	return found[o.ID]
}

// A handler stalls between its intent and its insert; another replica takes the intent over and
// finds nothing. The payment that is then placed nevertheless must not be forgotten when its charge
// fails.
func TestAStalledInsertIsFenced(t *testing.T) {
	ctx, w, o := context.Background(), newWorld(), anOrder(1, "tok_visa")
	w.once("insert payment/", "insert simprovider/", func() { settled(t, w) })
	if err := w.replica().Placed(ctx, o); err != nil {
		t.Fatalf("placed: %v", err)
	}
	w.pass = nil
	if p := find(t, w, o); p.Status != payments.Pending {
		t.Fatalf("the payment is %q, want pending: its charge has failed", p.Status)
	}
	settled(t, w)
	if p := find(t, w, o); p.Status != payments.Captured {
		t.Fatalf("the payment is %q, want captured: its intent was forgotten", p.Status)
	}
}

// The same for a refund that was read and begun, when another replica finds the payment finished.
func TestAStalledRefundIsFenced(t *testing.T) {
	ctx, w, o := context.Background(), newWorld(), anOrder(1, "tok_visa")
	if err := w.replica().Placed(ctx, o); err != nil {
		t.Fatalf("placed: %v", err)
	}
	settled(t, w)
	w.once("update payment/", "get simprovider/", func() { settled(t, w) })
	if _, _, err := w.replica().Refund(ctx, payments.IDOf(o.ID), payments.RefundRequest{Key: "k", Reason: "damaged"}); err != nil {
		t.Fatalf("refund: %v", err)
	}
	w.pass = nil
	settled(t, w)
	if p := find(t, w, o); p.Status != payments.Refunded {
		t.Fatalf("the payment is %q, want refunded: the refund's intent was forgotten", p.Status)
	}
}

func TestACancellationBeforeItsOrderMakesChargingImpossible(t *testing.T) {
	ctx, w, o := context.Background(), newWorld(), anOrder(1, "tok_visa")
	s := w.replica()
	if err := s.Cancelled(ctx, o, aCancellation); err != nil {
		t.Fatalf("cancelled: %v", err)
	}
	if err := s.Placed(ctx, o); err != nil {
		t.Fatalf("placed: %v", err)
	}
	settled(t, w)
	charge, err := s.Provider.Lookup(ctx, payments.IDOf(o.ID))
	if p := find(t, w, o); err != nil || p.Status != payments.Voided || charge.State != payments.ChargeVoided {
		t.Fatalf("the payment is %q, the charge %q, %v; want both voided", p.Status, charge.State, err)
	}
}

func TestAnEventNobodyAcceptedIsPublishedAgain(t *testing.T) {
	ctx, w, o := context.Background(), newWorld(), anOrder(1, "tok_declined")
	if err := w.replica().Placed(ctx, o); err != nil {
		t.Fatalf("placed: %v", err)
	}
	clear(w.bus.heard) // the broker is emptied
	if err := w.intents.settle(ctx, w.replica(), time.Second); err != nil || len(w.bus.heard) != 0 {
		t.Fatalf("settling at once: %v, %d events; want none, as they may still be under way", err, len(w.bus.heard))
	}
	settled(t, w)
	if len(w.bus.heard) != 1 {
		t.Fatalf("%d events published again, want 1", len(w.bus.heard))
	}
}

func TestADeletedUsersPaymentMethodsAndWhatPeopleTypedAreErased(t *testing.T) {
	ctx, w, o := context.Background(), newWorld(), anOrder(1, "tok_visa")
	s := w.replica()
	if err := s.Placed(ctx, o); err != nil {
		t.Fatalf("placed: %v", err)
	}
	request := payments.RefundRequest{Key: "key", Amount: money.New(100, "EUR"), Reason: "Ada moved to 1 Elm Street"}
	if _, _, err := s.Refund(ctx, payments.IDOf(o.ID), request); err != nil {
		t.Fatalf("refund: %v", err)
	}
	settled(t, w)
	letters := deadletter.New(w.state, payments.App)
	letter := fmt.Appendf(nil, `{"data": {"user_id": %q, "reason": "Ada moved to 1 Elm Street"}}`, o.UserID)
	if err := letters.Keep(ctx, event.DeadLetter{Raw: letter}); err != nil {
		t.Fatalf("keep a dead letter: %v", err)
	}
	if err := s.UserDeleted(ctx, o.UserID); err != nil {
		t.Fatalf("user deleted: %v", err)
	}
	for range 3 {
		if err := w.intents.settle(ctx, s, 2*time.Hour); err != nil {
			t.Fatalf("settle: %v", err)
		}
	}
	if p := find(t, w, o); p.Method != payments.ErasedMethod || p.Status != payments.PartiallyRefunded || p.Refunds[0].Reason != "erased" {
		t.Fatalf("after erasure: %+v", p)
	}
	if r, replayed, err := s.Refund(ctx, payments.IDOf(o.ID), request); err != nil || !replayed || r.Reason != "erased" {
		t.Fatalf("the same refund asked for again: %+v, replayed %v, %v", r, replayed, err)
	}
	if w.intents.size() != 0 {
		t.Fatal("the erasure never left the journal")
	}
	later := payments.RefundRequest{Key: "later", Amount: money.New(100, "EUR"), Reason: "Ada moved to 2 Elm Street"}
	if r, _, err := s.Refund(ctx, payments.IDOf(o.ID), later); err != nil || r.Reason != "erased" {
		t.Fatalf("a refund after the erasure: %+v, %v", r, err)
	}
	if r, replayed, err := s.Refund(ctx, payments.IDOf(o.ID), later); err != nil || !replayed || r.Reason != "erased" {
		t.Fatalf("the same again: %+v, replayed %v, %v", r, replayed, err)
	}
	if kept, _, err := letters.List(ctx, "", 10); err != nil || len(kept) != 1 || strings.Contains(string(kept[0].Payload), "Elm") {
		t.Fatalf("the dead letters are %+v, %v", kept, err)
	}
}

// Orders starts no refund of an operator's, so it cannot ask for one either: payments tells it
// until it has noted the amount.
func TestARefundOrdersHasNotNotedIsPublishedAgain(t *testing.T) {
	ctx, w, o := context.Background(), newWorld(), anOrder(1, "tok_visa")
	if err := w.replica().Placed(ctx, o); err != nil {
		t.Fatalf("placed: %v", err)
	}
	settled(t, w)
	w.bus.deaf = true
	if _, _, err := w.replica().Refund(ctx, payments.IDOf(o.ID), payments.RefundRequest{Key: "k", Reason: "damaged"}); err != nil {
		t.Fatalf("refund: %v", err)
	}
	before := w.bus.count
	for range 3 {
		if err := w.intents.settle(ctx, w.replica(), time.Minute); err != nil {
			t.Fatalf("settle: %v", err)
		}
	}
	if w.intents.size() == 0 || w.bus.count == before {
		t.Fatalf("%d intents, %d more events; want the refund remembered and told again", w.intents.size(), w.bus.count-before)
	}
	w.bus.deaf = false
	settled(t, w)
}

// A store of the version before ids had kinds: a payment that was placed, an order whose payment
// was never written, and a deleted user.
func TestWhatAnEarlierVersionLeftUnfinishedIsFinished(t *testing.T) {
	ctx, w, o := t.Context(), newWorld(), anOrder(1, "tok_visa")
	stored := `{"id":"` + payments.IDOf(o.ID) + `","order_id":"` + o.ID + `","user_id":"usr_test","status":"pending",` +
		`"amount":{"amount":2598,"currency":"EUR"},"payment_method":"tok_visa","version":1,` +
		`"items":[{"product_id":"p","name":"n","quantity":1,"unit_price":{"amount":2598,"currency":"EUR"}}],` +
		`"created_at":"2026-03-01T10:00:00Z","updated_at":"2026-03-01T10:00:00Z"}`
	if err := w.state.Insert(ctx, "payment/"+payments.IDOf(o.ID), []byte(stored)); err != nil {
		t.Fatal(err)
	}
	s := w.replica()
	for _, ids := range [][]string{{payments.IDOf(o.ID), payments.IDOf("ord_none")}, {"erase:usr_test"}} {
		for _, id := range ids {
			ticket, err := w.intents.Begin(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			ticket.Release()
		}
		for range 3 {
			if err := w.intents.settle(ctx, s, 2*time.Hour); err != nil {
				t.Fatal(err)
			}
		}
	}
	p := find(t, w, o)
	if p.Status != payments.Captured || p.Method != payments.ErasedMethod || w.intents.size() != 0 {
		t.Fatalf("the payment is %s by %s, and %d intents are left", p.Status, p.Method, w.intents.size())
	}
}

func TestTheDomainReachesNoSidecarByItself(t *testing.T) { walls.Domain(t) }
