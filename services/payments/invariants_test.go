package payments_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"pgregory.net/rapid"

	"sidecart.dev/contracts/validate"
	"sidecart.dev/kit/money"
	"sidecart.dev/payments"
)

// story is an order, and what was acknowledged of what others asked about it.
type story struct {
	order payments.Order

	mu        sync.Mutex
	placed    bool
	cancelled bool
	refunds   map[string]payments.Refund
}

func newStory(o payments.Order) *story {
	return &story{order: o, refunds: map[string]payments.Refund{}}
}

func (o *story) acknowledged(err error, note func()) error {
	if err == nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		note()
	}
	return err
}

func (o *story) place(ctx context.Context, s *payments.Service) error {
	return o.acknowledged(s.Placed(ctx, o.order), func() { o.placed = true })
}

func (o *story) cancel(ctx context.Context, s *payments.Service) error {
	return o.acknowledged(s.Cancelled(ctx, o.order, aCancellation), func() { o.cancelled = true })
}

// refund asks for a refund as an operator; no amount means all that is left.
func (o *story) refund(ctx context.Context, s *payments.Service, key string, amount int64) error {
	req := payments.RefundRequest{Key: key, Reason: "damaged"}
	if amount > 0 {
		req.Amount = money.New(amount, "EUR")
	}
	r, _, err := s.Refund(ctx, payments.IDOf(o.order.ID), req)
	return o.acknowledged(err, func() { o.refunds[r.ID] = r })
}

func (w *world) fatal(t rapid.TB, format string, args ...any) {
	t.Helper()
	t.Fatalf("%s\n%s", fmt.Sprintf(format, args...), strings.Join(w.trace, "\n"))
}

// end settles until the journal is empty, with nothing failing any more.
func (w *world) end(t rapid.TB) {
	t.Helper()
	for range 20 {
		if w.intents.size() == 0 {
			return
		}
		if err := w.intents.settle(context.Background(), w.replica(), time.Minute); err != nil {
			w.fatal(t, "settling fails: %v", err)
		}
	}
	w.fatal(t, "%d ids are still in the journal", w.intents.size())
}

// check holds what became of an order against what was acknowledged, and the books against the
// provider's.
func (w *world) check(t rapid.TB, o *story) {
	t.Helper()
	ctx, s := context.Background(), w.replica()
	fail := func(format string, args ...any) {
		t.Helper()
		w.fatal(t, "%s (%s): %s", o.order.ID, o.order.Method, fmt.Sprintf(format, args...))
	}
	if len(w.broken) > 0 {
		fail("%v", w.broken)
	}
	charge, err := s.Provider.Lookup(ctx, payments.IDOf(o.order.ID))
	if err != nil {
		fail("the provider: %v", err)
	}
	found, err := s.Lookup(ctx, []string{o.order.ID})
	if err != nil {
		fail("lookup: %v", err)
	}
	p, ok := found[o.order.ID]
	if !ok {
		if charge.State != payments.ChargeUnknown || o.placed || o.cancelled || len(o.refunds) > 0 {
			fail("no payment, but the provider has %q; placed %v, cancelled %v, refunds %v", charge.State, o.placed, o.cancelled, o.refunds)
		}
		return
	}
	taken := int64(0)
	if charge.State == payments.ChargeCaptured {
		taken = p.Amount.Amount - charge.Refunded
	}
	checkBooks(p, taken, fail)
	checkEnd(p, o, taken, fail)
	checkEvents(w, p, fail)
}

// checkBooks holds the ledger against what the provider has taken and not given back.
func checkBooks(p payments.Payment, taken int64, fail func(string, ...any)) {
	for i, e := range p.Entries {
		if !e.Balanced() || e.Seq != i+1 {
			fail("entry %d is not right: %+v", i, e)
		}
	}
	if got := p.Balance(payments.ProviderClearing).Amount; got != taken {
		fail("the ledger has %d at the provider, the provider %d", got, taken)
	}
	if got := p.Balance(payments.CustomerPayable).Amount; got != 0 {
		fail("%d are still owed to the customer", got)
	}
	if net := -p.Balance(payments.Revenue).Amount - p.Balance(payments.Refunds).Amount; net != taken {
		fail("net sales are %d, want %d", net, taken)
	}
}

func checkEnd(p payments.Payment, o *story, taken int64, fail func(string, ...any)) {
	step, _ := p.Next()
	if p.Status == payments.Pending || step != payments.StepNone {
		fail("not driven to its end: %+v", p)
	}
	if o.cancelled && (taken != 0 || !p.Status.Terminal()) {
		fail("cancelled, but %s with %d taken", p.Status, taken)
	}
	if charged := chargeable[o.order.Method]; !o.cancelled && charged != (p.ChargeID != "" && len(p.Entries) > 0) {
		fail("not cancelled, and %s", p.Status)
	}
	for id, promised := range o.refunds {
		if r, ok := p.Refund(id); !ok || r.Status != payments.RefundSucceeded || r.Amount != promised.Amount {
			fail("the refund %+v was acknowledged; it is %+v", promised, r)
		}
	}
}

func checkEvents(w *world, p payments.Payment, fail func(string, ...any)) {
	events, err := p.Events(0)
	if err != nil || len(events) == 0 {
		fail("events %v, %v", events, err)
	}
	for _, e := range events {
		if _, ok := w.bus.heard[e.ID]; !ok {
			fail("nobody has heard of %s", e.ID)
		}
		if e.Type == payments.TypeConfirmed && len(p.Items) == 0 {
			fail("a receipt without items")
		}
	}
	for id, raw := range w.bus.published {
		if strings.Contains(string(raw), p.OrderID) {
			if err := validate.Event(raw); err != nil {
				fail("%s: %v", id, err)
			}
		}
	}
}

// checkReport holds the report against the sum of all documents.
func checkReport(t rapid.TB, w *world) {
	ctx, s := context.Background(), w.replica()
	report, err := s.Report(ctx)
	if err != nil {
		t.Fatalf("report: %v", err)
	}
	docs, sums := 0, map[payments.Account]int64{}
	for _, key := range w.state.Keys() {
		id, ok := strings.CutPrefix(key, "payment/")
		if !ok {
			continue
		}
		p, err := s.Find(ctx, id)
		if err != nil {
			continue // a fence
		}
		docs++
		for _, account := range []payments.Account{payments.ProviderClearing, payments.Revenue, payments.Refunds, payments.CustomerPayable} {
			sums[account] += p.Balance(account).Amount
		}
	}
	if report.Payments != docs || !report.Balanced {
		w.fatal(t, "the report has %d payments, balanced %v; want %d", report.Payments, report.Balanced, docs)
	}
	for _, b := range report.Balances {
		if b.Balance != sums[b.Account] || b.Debits-b.Credits != b.Balance {
			w.fatal(t, "the report has %+v, want a balance of %d", b, sums[b.Account])
		}
	}
}
