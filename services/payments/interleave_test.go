package payments_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"sidecart.dev/contracts/validate"
	"sidecart.dev/kit/money"
	"sidecart.dev/payments"
)

// act is one handler, request or settler at work, in a process of its own that may die.
type act struct {
	name string
	dead bool
	err  error
	done bool
	do   func(ctx context.Context) error
}

type actKey struct{}

func isDead(ctx context.Context) bool {
	a, ok := ctx.Value(actKey{}).(*act)
	return ok && a.dead
}

var errDead = errors.New("the process has died")

// waiting is a call to the outside that waits to be let through.
type waiting struct {
	act    *act
	call   string
	answer chan verdict
}

type verdict struct{ before, after, dies bool }

// interleaving runs acts at the same time and decides, call by call, who goes next and whose call or process fails.
type interleaving struct {
	t       *rapid.T
	calls   chan *waiting
	blocked []*waiting
	faults  int // left
	trace   []string
}

func (i *interleaving) pass(ctx context.Context, call string) (before, after error) {
	a, ok := ctx.Value(actKey{}).(*act)
	if !ok {
		return nil, nil
	}
	if a.dead {
		return errDead, nil
	}
	w := &waiting{act: a, call: call, answer: make(chan verdict)}
	i.calls <- w
	v := <-w.answer
	failure := lost()
	if v.dies {
		failure = errDead
	}
	switch {
	case a.dead && !v.dies: // died in another call meanwhile
		return errDead, nil
	case v.before:
		return failure, nil
	case v.after:
		return nil, failure
	}
	return nil, nil
}

// run starts all acts at once and schedules their calls until all are done.
func (i *interleaving) run(acts []*act) {
	for _, a := range acts {
		go func() {
			a.err = a.do(context.WithValue(context.Background(), actKey{}, a))
			a.done = true
		}()
	}
	for {
		synctest.Wait()
		for more := true; more; {
			select {
			case w := <-i.calls:
				i.blocked = append(i.blocked, w)
			default:
				more = false
			}
		}
		if len(i.blocked) == 0 {
			return
		}
		i.next()
	}
}

func (i *interleaving) next() {
	n := rapid.IntRange(0, len(i.blocked)-1).Draw(i.t, "who")
	w := i.blocked[n]
	i.blocked = append(i.blocked[:n], i.blocked[n+1:]...)
	var v verdict
	what := ""
	if i.faults > 0 {
		draw := rapid.Uint64().Draw(i.t, "fault") // spread evenly: drawn ranges favour small numbers, and would spend the faults at once
		switch draw * 0x9e3779b97f4a7c15 >> 32 % 24 {
		case 1:
			v.before, what = true, " fails"
		case 2:
			v.after, what = true, " is done, the answer lost"
		case 3:
			v.before, v.dies, what = true, true, " dies before it"
		case 4:
			v.after, v.dies, what = true, true, " dies after it"
		}
	}
	if v != (verdict{}) {
		i.faults--
		w.act.dead = w.act.dead || v.dies
	}
	i.trace = append(i.trace, w.act.name+": "+w.call+what)
	w.answer <- v
}

// inBubble runs a property in a synctest bubble and carries what rapid panics with out of it.
func inBubble(t *testing.T, rt *rapid.T, f func(rt *rapid.T)) {
	var panicked any
	synctest.Test(t, func(*testing.T) {
		defer func() { panicked = recover() }()
		f(rt)
	})
	if panicked != nil {
		panic(panicked)
	}
}

var methods = []string{"tok_visa", "tok_visa", "tok_slow", "tok_flaky", "tok_declined", "tok_insufficient_funds", "tok_nobody"}

// Whatever happens at the same time and whoever dies wherever, once everything has been driven on: at most one capture, nothing taken
// for a cancelled order, books that balance and agree with the provider's, and everybody was told.
func TestAnyInterleavingEndsWithTheBooksRight(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		inBubble(t, rt, interleave)
	})
}

func interleave(t *rapid.T) {
	w := newWorld()
	sched := &interleaving{t: t, calls: make(chan *waiting, 1024), faults: rapid.IntRange(0, 6).Draw(t, "faults")}
	w.pass = sched.pass
	orders := make([]payments.Order, rapid.IntRange(1, 2).Draw(t, "orders"))
	for i := range orders {
		orders[i] = anOrder(i, rapid.SampledFrom(methods).Draw(t, "method"))
	}
	cancelled := map[string]bool{}
	var redeliver []*act // messages, which come again until they are acknowledged
	for round := range rapid.IntRange(1, 3).Draw(t, "rounds") {
		var acts []*act
		for range rapid.IntRange(1, 5).Draw(t, "acts") {
			o := orders[rapid.IntRange(0, len(orders)-1).Draw(t, "order")]
			a, message := anAct(t, w, o, cancelled)
			a.name = fmt.Sprintf("%d.%d %s %s", round, len(acts), a.name, o.ID)
			if acts = append(acts, a); message {
				redeliver = append(redeliver, a)
			}
		}
		sched.run(acts)
	}
	recoverAll(t, w, sched, redeliver)
	for _, o := range orders {
		checkOrder(t, w, sched, o, cancelled[o.ID])
	}
	checkReport(t, w)
}

func anAct(t *rapid.T, w *world, o payments.Order, cancelled map[string]bool) (a *act, message bool) {
	s := w.replica()
	switch rapid.IntRange(0, 9).Draw(t, "act") {
	case 0, 1, 2, 3:
		return &act{name: "place", do: func(ctx context.Context) error { return s.Placed(ctx, o) }}, true
	case 4, 5:
		cancelled[o.ID] = true
		return &act{name: "cancel", do: func(ctx context.Context) error { return s.Cancelled(ctx, o, aCancellation) }}, true
	case 6, 7:
		req := payments.RefundRequest{
			Key:    rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key"),
			Amount: money.New(rapid.SampledFrom([]int64{1, 1000, 2000, 2598}).Draw(t, "amount"), "EUR"), Reason: "damaged",
		}
		return &act{name: "refund", do: func(ctx context.Context) error {
			_, _, err := s.Refund(ctx, payments.IDOf(o.ID), req)
			return err
		}}, false
	default:
		return &act{name: "settle", do: func(ctx context.Context) error { return w.intents.settle(ctx, s, time.Minute) }}, false
	}
}

// recoverAll delivers what was not acknowledged again, and settles until the journal is empty, with nothing failing any more.
func recoverAll(t *rapid.T, w *world, sched *interleaving, messages []*act) {
	w.pass = nil
	ctx := context.Background()
	for _, m := range messages {
		if m.err != nil {
			if err := m.do(ctx); err != nil {
				t.Fatalf("%s, delivered again, fails: %v\n%s", m.name, err, strings.Join(sched.trace, "\n"))
			}
		}
	}
	for range 20 {
		if w.intents.size() == 0 {
			return
		}
		if err := w.intents.settle(ctx, w.replica(), time.Minute); err != nil {
			t.Fatalf("settling fails: %v\n%s", err, strings.Join(sched.trace, "\n"))
		}
	}
	t.Fatalf("%d ids are still in the journal\n%s", w.intents.size(), strings.Join(sched.trace, "\n"))
}

func checkOrder(t *rapid.T, w *world, sched *interleaving, o payments.Order, cancelled bool) {
	ctx, s := context.Background(), w.replica()
	fail := func(format string, args ...any) {
		t.Helper()
		t.Fatalf("%s (%s): %s\n%s", o.ID, o.Method, fmt.Sprintf(format, args...), strings.Join(sched.trace, "\n"))
	}
	if len(w.broken) > 0 {
		fail("%v", w.broken)
	}
	charge, err := s.Provider.Lookup(ctx, payments.IDOf(o.ID))
	if err != nil {
		fail("lookup: %v", err)
	}
	found, err := s.Lookup(ctx, []string{o.ID})
	if err != nil {
		fail("lookup: %v", err)
	}
	p, ok := found[o.ID]
	if !ok {
		if charge.State != payments.ChargeUnknown || cancelled {
			fail("no payment, but the provider has %q; cancelled %v", charge.State, cancelled)
		}
		return
	}
	for i, e := range p.Entries {
		if !e.Balanced() || e.Seq != i+1 {
			fail("entry %d is not right: %+v", i, e)
		}
	}
	taken := int64(0)
	if charge.State == payments.ChargeCaptured {
		taken = p.Amount.Amount - charge.Refunded
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
	step, _ := p.Next()
	if p.Status == payments.Pending || step != payments.StepNone {
		fail("not driven to its end: %+v", p)
	}
	if cancelled && (taken != 0 || !p.Status.Terminal()) {
		fail("cancelled, but %s with %d taken", p.Status, taken)
	}
	if charged := strings.HasPrefix(o.Method, "tok_v") || o.Method == "tok_slow" || o.Method == "tok_flaky"; !cancelled && charged != (p.ChargeID != "" && len(p.Entries) > 0) {
		fail("not cancelled, and %s", p.Status)
	}
	checkEvents(w, p, fail)
}

func checkEvents(w *world, p payments.Payment, fail func(string, ...any)) {
	events, err := p.Events(0)
	if err != nil || len(events) == 0 {
		fail("events %v, %v", events, err)
	}
	for _, e := range events {
		if _, ok := w.bus.published[e.ID]; !ok {
			fail("%s was never published", e.ID)
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

func checkReport(t *rapid.T, w *world) {
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
		t.Fatalf("the report has %d payments, balanced %v; want %d", report.Payments, report.Balanced, docs)
	}
	for _, b := range report.Balances {
		if b.Balance != sums[b.Account] || b.Debits-b.Credits != b.Balance {
			t.Fatalf("the report has %+v, want a balance of %d", b, sums[b.Account])
		}
	}
}
