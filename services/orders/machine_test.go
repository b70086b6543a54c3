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
		status     Status
		settlement Settlement
		verdict    Verdict
		cancelled  bool // order.cancelled.v1 is owed
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
			Placed:                {Pending, Unsettled, Repeated, false},
			PaymentConfirmed:      {Paid, Unsettled, Applied, false},
			PaymentDeclined:       {PaymentFailed, SettledDeclined, Applied, false},
			PaymentVoided:         {Cancelled, SettledVoided, Applied, true},
			PaymentPartlyRefunded: {Paid, Unsettled, Applied, false},
			PaymentRefunded:       {Refunded, SettledRefunded, Applied, false},
			CancelRequested:       {Cancelled, Unsettled, Applied, true},
		},
		Paid: {
			Placed:                {Paid, Unsettled, Repeated, false},
			PaymentConfirmed:      {Paid, Unsettled, Repeated, false},
			PaymentDeclined:       {Paid, Unsettled, Contradict, false},
			PaymentVoided:         {Paid, Unsettled, Contradict, false},
			PaymentPartlyRefunded: {Paid, Unsettled, Applied, false},
			PaymentRefunded:       {Refunded, SettledRefunded, Applied, false},
			CancelRequested:       {Refunding, Unsettled, Applied, true},
		},
		PaymentFailed: {
			Placed:                {PaymentFailed, SettledDeclined, Repeated, false},
			PaymentConfirmed:      {PaymentFailed, Unsettled, Applied, true},
			PaymentDeclined:       {PaymentFailed, SettledDeclined, Repeated, false},
			PaymentVoided:         {PaymentFailed, SettledDeclined, Repeated, false},
			PaymentPartlyRefunded: {PaymentFailed, SettledDeclined, Applied, false},
			PaymentRefunded:       {PaymentFailed, SettledDeclined, Applied, false},
			CancelRequested:       {PaymentFailed, SettledDeclined, Refused, false},
		},
		Cancelled: {
			Placed:                {Cancelled, Unsettled, Repeated, true},
			PaymentConfirmed:      {Cancelled, Unsettled, Repeated, true},
			PaymentDeclined:       {Cancelled, SettledDeclined, Applied, true},
			PaymentVoided:         {Cancelled, SettledVoided, Applied, true},
			PaymentPartlyRefunded: {Cancelled, Unsettled, Applied, true},
			PaymentRefunded:       {Cancelled, SettledRefunded, Applied, true},
			CancelRequested:       {Cancelled, Unsettled, Repeated, true},
		},
		Refunding: {
			Placed:                {Refunding, Unsettled, Repeated, true},
			PaymentConfirmed:      {Refunding, Unsettled, Repeated, true},
			PaymentDeclined:       {Refunded, SettledDeclined, Applied, true},
			PaymentVoided:         {Refunded, SettledVoided, Applied, true},
			PaymentPartlyRefunded: {Refunding, Unsettled, Applied, true},
			PaymentRefunded:       {Refunded, SettledRefunded, Applied, true},
			CancelRequested:       {Refunding, Unsettled, Repeated, true},
		},
		Refunded: {
			Placed:                {Refunded, SettledRefunded, Repeated, true},
			PaymentConfirmed:      {Refunded, SettledRefunded, Repeated, true},
			PaymentDeclined:       {Refunded, SettledRefunded, Repeated, true},
			PaymentVoided:         {Refunded, SettledRefunded, Repeated, true},
			PaymentPartlyRefunded: {Refunded, SettledRefunded, Repeated, true},
			PaymentRefunded:       {Refunded, SettledRefunded, Repeated, true},
			CancelRequested:       {Refunded, SettledRefunded, Repeated, true},
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
			if got := (want{after.Status(), after.Settlement(), verdict, cancelled}); got != w {
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
		t.Error("the late repetition of the decline must not settle it")
	}
	o, _ = apply(o, PaymentRefunded)
	if !o.Done() || o.Settlement() != SettledRefunded {
		t.Errorf("after the refund: done %v, settlement %q, want done and refunded", o.Done(), o.Settlement())
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
