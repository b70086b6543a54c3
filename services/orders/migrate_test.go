package orders_test

import (
	"context"
	"testing"
	"testing/synctest"

	"sidecart.dev/kit/walls"
	"sidecart.dev/orders"
)

// An order of before ids had kinds stands in the journal by its id alone, and a deleted user behind
// "erase:". The journal of a service that is updated holds both.
func TestIntentsOfBeforeIDsHadKindsAreSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w := newWorld()
		fill(t, w.state, 1) // an order that nobody has heard of
		w.silent = "payments"
		r := w.start(t)
		typed, _, err := r.Service.Place(ctx, "usr_2", "key", request("tok_unanswered"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Service.Cancel(ctx, typed.ID(), "usr_2", "Ada moved to Turin", nil); err != nil {
			t.Fatal(err)
		}
		id := orders.IDFor(customer, "0")
		for _, bare := range []string{id, "erase:usr_2"} {
			ticket, err := r.Journal.Begin(ctx, bare)
			if err != nil {
				t.Fatal(err)
			}
			ticket.Wrote()
		}
		w.silent = ""
		r.life.Kill()
		r.end()
		second := w.start(t)
		defer second.end()
		if err := w.settled(second); err != nil {
			t.Fatal(err)
		}
		if o, err := second.Service.Get(ctx, id, customer, false); err != nil || o.Status() != orders.Paid {
			t.Errorf("the order is %q, %v; want it paid", o.Status(), err)
		}
		w.nothingSays(t, "Turin")
	})
}

// The wall between the domain and what only main and the adapters import.
func TestTheDomainReachesNoSidecarByItself(t *testing.T) { walls.Domain(t) }
