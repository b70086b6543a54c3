package orders

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sidecart.dev/contracts/validate"
)

// drawChange draws any change at all, sensible or not.
func drawChange(t *rapid.T) Change {
	return Change{
		Trigger:  rapid.SampledFrom(Triggers).Draw(t, "trigger"),
		At:       testTime.Add(time.Duration(rapid.IntRange(-5, 60).Draw(t, "seconds")) * time.Second),
		Reason:   rapid.SampledFrom([]string{"", "because"}).Draw(t, "reason"),
		Refunded: rapid.Int64Range(-10, 1200).Draw(t, "refunded"),
	}
}

func TestNoSequenceOfTriggersBreaksAnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, err := Place(testPlacement())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range rapid.SliceOfN(rapid.Custom(drawChange), 0, 40).Draw(t, "changes") {
			before, old := o, clone(o)
			after, verdict := o.Apply(c)
			checkStep(t, before, after, verdict, c)
			if !reflect.DeepEqual(before, old) {
				t.Fatal("Apply changed the order it was called on")
			}
			if again, v := after.Apply(c); v == Applied {
				t.Fatalf("applying %+v twice changed the order twice, from %+v to %+v", c, after, again)
			}
			o = after
		}
	})
}

func checkStep(t *rapid.T, before, after Order, verdict Verdict, c Change) {
	t.Helper()
	if err := after.check(); err != nil {
		t.Fatalf("after %+v: %v", c, err)
	}
	if verdict != Applied {
		if !reflect.DeepEqual(before, after) {
			t.Fatalf("%s, and yet the order changed", verdict)
		}
		return
	}
	if after.version != before.version+1 || after.updatedAt.Before(before.updatedAt) {
		t.Fatalf("version %d → %d, updated %s → %s: want one more and not earlier",
			before.version, after.version, before.updatedAt, after.updatedAt)
	}
	if after.total != before.total || !slices.Equal(after.items, before.items) || after.id != before.id || after.seq != before.seq {
		t.Fatal("what was ordered has changed")
	}
	for i := 1; i < len(after.history); i++ {
		from, next := after.history[i-1].Status, after.history[i].Status
		if from != next && !slices.Contains(diagram[from], next) {
			t.Fatalf("the history goes from %q to %q", from, next)
		}
	}
	if len(after.history) > maxHistory+len(Statuses) {
		t.Fatalf("the history has %d entries", len(after.history))
	}
	if after.refunded < before.refunded {
		t.Fatal("less is given back than before")
	}
	// An order that is not in the journal may get new business only in a way that puts it there: see
	// Service.Apply.
	if before.Done() && after.Done() && after.cancellation != before.cancellation {
		t.Fatalf("%+v makes an order that is done owe an event and leaves it done", c)
	}
	raw, err := json.Marshal(after.Document())
	if err != nil {
		t.Fatal(err)
	}
	var doc Document
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	restored, err := doc.Order()
	if err != nil || !reflect.DeepEqual(restored, after) {
		t.Fatalf("stored and read again: %v\n got %+v\nwant %+v", err, restored, after)
	}
}

func clone(o Order) Order {
	o.history, o.items = slices.Clone(o.history), slices.Clone(o.items)
	return o
}

// TestMessagesMayArriveInAnyOrder gives every truthful story of a payment in any order and with
// repetitions: the order ends the same.
func TestMessagesMayArriveInAnyOrder(t *testing.T) {
	part := Change{Trigger: PaymentPartlyRefunded, Refunded: 300}
	full := Change{Trigger: PaymentRefunded, Refunded: 1000}
	stories := []struct {
		name     string
		messages []Change
		end      Status
		early    Status // where the customer cancelled first
	}{
		{"captured", []Change{{Trigger: PaymentConfirmed}}, Paid, none},
		{"declined", []Change{{Trigger: PaymentDeclined}}, PaymentFailed, Cancelled},
		{"voided", []Change{{Trigger: PaymentVoided}}, Cancelled, Cancelled},
		{"captured, refunded", []Change{{Trigger: PaymentConfirmed}, full}, Refunded, Cancelled},
		{"captured, refunded twice", []Change{{Trigger: PaymentConfirmed}, part, full}, Refunded, Cancelled},
	}
	rapid.Check(t, func(t *rapid.T) {
		story := rapid.SampledFrom(stories).Draw(t, "story")
		o, err := Place(testPlacement())
		if err != nil {
			t.Fatal(err)
		}
		want := story.end
		if story.early != none && rapid.Bool().Draw(t, "cancelled first") {
			o, _ = o.Apply(Change{Trigger: CancelRequested})
			want = story.early
		}
		twice := append(slices.Clone(story.messages), rapid.SliceOf(rapid.SampledFrom(story.messages)).Draw(t, "repeated")...)
		for _, m := range rapid.Permutation(twice).Draw(t, "as delivered") {
			var verdict Verdict
			if o, verdict = o.Apply(m); verdict == Contradict {
				t.Fatalf("%q: %q contradicts in status %q", story.name, m.Trigger, o.status)
			}
		}
		if o.Status() != want || !o.Done() {
			t.Fatalf("%q ends %q, done %v; want %q and done", story.name, o.Status(), o.Done(), want)
		}
		if o.refunded > 0 && o.status == Refunded && o.refunded != o.total.Amount {
			t.Fatalf("refunded, but only %d of %d", o.refunded, o.total.Amount)
		}
	})
}

func TestEventsAreTheSameWheneverTheyAreAskedFor(t *testing.T) {
	o, _ := apply(testOrder(t), PaymentConfirmed, CancelRequested)
	first, err := o.Events()
	if err != nil {
		t.Fatal(err)
	}
	later, _ := apply(o, PaymentRefunded)
	again, err := later.Events()
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(first, again) {
		t.Errorf("the events of an order changed with its status:\n%+v\n%+v", first, again)
	}
	for _, e := range again {
		e.TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
		raw, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Event(raw); err != nil {
			t.Errorf("%s: %v", e.Type, err)
		}
	}
}

func TestACorruptDocumentIsNoOrder(t *testing.T) {
	good := testOrder(t).Document()
	for name, spoil := range map[string]func(*Document){
		"no id":             func(d *Document) { d.ID = "" },
		"foreign id":        func(d *Document) { d.ID = "pay_1" },
		"no customer":       func(d *Document) { d.UserID = "" },
		"no position":       func(d *Document) { d.Seq = 0 },
		"no items":          func(d *Document) { d.Items = nil },
		"wrong total":       func(d *Document) { d.Total.Amount++ },
		"unknown status":    func(d *Document) { d.Status = "lost" },
		"status of history": func(d *Document) { d.Status = Paid },
		"no closing":        func(d *Document) { d.Closing = "" },
		"no version":        func(d *Document) { d.Version = 0 },
		"refund too large":  func(d *Document) { d.Refunded = 1001 },
		"negative quantity": func(d *Document) { d.Items = []Item{{ProductID: "a", Quantity: -1, UnitPrice: d.Total}} },
	} {
		bad := good
		spoil(&bad)
		if _, err := bad.Order(); err == nil {
			t.Errorf("%s: the document was accepted", name)
		}
	}
	if _, err := good.Order(); err != nil {
		t.Errorf("the good document was refused: %v", err)
	}
}
