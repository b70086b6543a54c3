package orders

import (
	"slices"
	"testing"
	"time"

	"sidecart.dev/kit/money"
)

// diagram is the public contract: where an order may go next.
var diagram = map[Status][]Status{
	none:      {Pending},
	Pending:   {Paid, PaymentFailed, Cancelled},
	Paid:      {Refunding},
	Refunding: {Refunded},
}

var testTime = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

func testPlacement() Placement {
	return Placement{
		ID: IDFor("usr_1", "key"), UserID: "usr_1", Seq: 1, Fingerprint: "f", At: testTime,
		Quote: Quote{
			items:         []Item{{ProductID: "moka-pot", Name: "Moka pot", Quantity: 2, UnitPrice: money.New(500, "EUR")}},
			total:         money.New(1000, "EUR"),
			paymentMethod: "tok_visa",
		},
	}
}

func testOrder(t testing.TB) Order {
	t.Helper()
	o, err := Place(testPlacement())
	if err != nil {
		t.Fatalf("placing a valid order: %v", err)
	}
	return o
}

func apply(o Order, triggers ...Trigger) (Order, Verdict) {
	var v Verdict
	for _, trigger := range triggers {
		c := Change{Trigger: trigger, At: testTime.Add(time.Second), Reason: "because"}
		if trigger == PaymentPartlyRefunded {
			c.Refunded = 300
		}
		o, v = o.Apply(c)
	}
	return o, v
}

func TestTableSaysSomethingAboutEveryTriggerInEveryStatus(t *testing.T) {
	for _, from := range append([]Status{none}, Statuses...) {
		if len(table[from]) != len(Triggers) {
			t.Errorf("status %q has %d rules, want one for each of the %d triggers", from, len(table[from]), len(Triggers))
		}
		for _, trigger := range Triggers {
			if _, ok := table[from][trigger]; !ok {
				t.Errorf("no rule for %q in status %q", trigger, from)
			}
		}
	}
	if want := len(Statuses) + 1; len(table) != want {
		t.Errorf("the table has %d statuses, want %d", len(table), want)
	}
}

func TestTableMovesOnlyAlongThePublicDiagram(t *testing.T) {
	for from, rules := range table {
		for trigger, r := range rules {
			at := from
			for _, next := range r.to {
				if !slices.Contains(diagram[at], next) {
					t.Errorf("%q in status %q goes from %q to %q, which the diagram does not have", trigger, from, at, next)
				}
				at = next
			}
		}
	}
}

// TestEveryTransition spells the table out a second time, as what can be observed from outside.
func TestEveryTransition(t *testing.T) {
	type want struct {
		status    Status
		closing   Closing
		verdict   Verdict
		cancelled bool // order.cancelled.v1 is owed
	}
	history := map[Status][]Trigger{
		Pending:       nil,
		Paid:          {PaymentConfirmed},
		PaymentFailed: {PaymentDeclined},
		Cancelled:     {CancelRequested},
		Refunding:     {PaymentConfirmed, CancelRequested},
		Refunded:      {PaymentConfirmed, CancelRequested, PaymentRefunded},
	}
	all := map[Status]map[Trigger]want{
		Pending: {
			Placed:                {Pending, NotClosed, Repeated, false},
			PaymentConfirmed:      {Paid, NotClosed, Applied, false},
			PaymentDeclined:       {PaymentFailed, ByDecline, Applied, false},
			PaymentVoided:         {Cancelled, ByVoid, Applied, true},
			PaymentPartlyRefunded: {Paid, NotClosed, Applied, false},
			PaymentRefunded:       {Refunded, ByRefund, Applied, false},
			CancelRequested:       {Cancelled, NotClosed, Applied, true},
		},
		Paid: {
			Placed:                {Paid, NotClosed, Repeated, false},
			PaymentConfirmed:      {Paid, NotClosed, Repeated, false},
			PaymentDeclined:       {Paid, NotClosed, Contradict, false},
			PaymentVoided:         {Paid, NotClosed, Contradict, false},
			PaymentPartlyRefunded: {Paid, NotClosed, Applied, false},
			PaymentRefunded:       {Refunded, ByRefund, Applied, false},
			CancelRequested:       {Refunding, NotClosed, Applied, true},
		},
		PaymentFailed: {
			Placed:                {PaymentFailed, ByDecline, Repeated, false},
			PaymentConfirmed:      {PaymentFailed, NotClosed, Applied, true},
			PaymentDeclined:       {PaymentFailed, ByDecline, Repeated, false},
			PaymentVoided:         {PaymentFailed, ByDecline, Repeated, false},
			PaymentPartlyRefunded: {PaymentFailed, ByDecline, Applied, false},
			PaymentRefunded:       {PaymentFailed, ByDecline, Applied, false},
			CancelRequested:       {PaymentFailed, ByDecline, Refused, false},
		},
		Cancelled: {
			Placed:                {Cancelled, NotClosed, Repeated, true},
			PaymentConfirmed:      {Cancelled, NotClosed, Repeated, true},
			PaymentDeclined:       {Cancelled, ByDecline, Applied, true},
			PaymentVoided:         {Cancelled, ByVoid, Applied, true},
			PaymentPartlyRefunded: {Cancelled, NotClosed, Applied, true},
			PaymentRefunded:       {Cancelled, ByRefund, Applied, true},
			CancelRequested:       {Cancelled, NotClosed, Repeated, true},
		},
		Refunding: {
			Placed:                {Refunding, NotClosed, Repeated, true},
			PaymentConfirmed:      {Refunding, NotClosed, Repeated, true},
			PaymentDeclined:       {Refunded, ByDecline, Applied, true},
			PaymentVoided:         {Refunded, ByVoid, Applied, true},
			PaymentPartlyRefunded: {Refunding, NotClosed, Applied, true},
			PaymentRefunded:       {Refunded, ByRefund, Applied, true},
			CancelRequested:       {Refunding, NotClosed, Repeated, true},
		},
		Refunded: {
			Placed:                {Refunded, ByRefund, Repeated, true},
			PaymentConfirmed:      {Refunded, ByRefund, Repeated, true},
			PaymentDeclined:       {Refunded, ByRefund, Repeated, true},
			PaymentVoided:         {Refunded, ByRefund, Repeated, true},
			PaymentPartlyRefunded: {Refunded, ByRefund, Repeated, true},
			PaymentRefunded:       {Refunded, ByRefund, Repeated, true},
			CancelRequested:       {Refunded, ByRefund, Repeated, true},
		},
	}
	for _, from := range Statuses {
		for _, trigger := range Triggers {
			w, ok := all[from][trigger]
			if !ok {
				t.Errorf("the test does not say what %q does in %q", trigger, from)
				continue
			}
			before, _ := apply(testOrder(t), history[from]...)
			if before.Status() != from {
				t.Fatalf("%v leads to %q, want %q", history[from], before.Status(), from)
			}
			after, verdict := apply(before, trigger)
			_, cancelled, err := after.CancelledEvent()
			if err != nil {
				t.Fatalf("events: %v", err)
			}
			if got := (want{after.Status(), after.Closing(), verdict, cancelled}); got != w {
				t.Errorf("%q in %q: got %+v, want %+v", trigger, from, got, w)
			}
		}
	}
}

func TestAContradictedDeclineIsGivenBackOnce(t *testing.T) {
	o, _ := apply(testOrder(t), PaymentDeclined, PaymentConfirmed)
	if o.Done() {
		t.Fatal("a failed order whose payment was captured after all must not be done before the money is back")
	}
	o, _ = apply(o, PaymentDeclined)
	if o.Done() {
		t.Error("the late repetition of the decline must not close it")
	}
	o, _ = apply(o, PaymentRefunded)
	if !o.Done() || o.Closing() != ByRefund {
		t.Errorf("after the refund: done %v, closing %q, want done and refunded", o.Done(), o.Closing())
	}
	if _, v := apply(o, PaymentConfirmed); v != Repeated {
		t.Errorf("the late repetition of the confirmation is %s, want repeated", v)
	}
}

func TestARefundThatOvertakesItsConfirmationLeavesTheWholeHistory(t *testing.T) {
	o, _ := apply(testOrder(t), PaymentRefunded, PaymentConfirmed)
	var got []Status
	for _, step := range o.History() {
		got = append(got, step.Status)
	}
	if want := []Status{Pending, Paid, Refunding, Refunded}; !slices.Equal(got, want) {
		t.Errorf("history %v, want %v", got, want)
	}
}
