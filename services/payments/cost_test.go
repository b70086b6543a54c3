package payments_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/list"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/payments"
	"sidecart.dev/payments/peers"
	"sidecart.dev/payments/simulated"
)

// budget is what one order costs this service, from its event until its payment has left the
// journal: calls of the sidecar per order, alone and in the company of 63 others of the same
// moment.
var budget = sidecartest.Budget{
	sidecartest.Allow("insert segment", 1, 0.1, "the intent, before the payment is written; those of the same moment share it"),
	sidecartest.Allow("get payment", 1, 1, "whether the order was cancelled or charged before; neighbours may share the call"),
	sidecartest.Allow("get list", 1, 0.1, "the list of all payments is replaced under its ETag, which no write returns"),
	sidecartest.Allow("insert list", 1, 0.1, "the first place in it"),
	sidecartest.Allow("update list", 1, 0.1, "the payment's place in it, for the ledger's report; those of the same moment share it"),
	sidecartest.Allow("insert page", 0, 0.1, "a full list is sealed, once in 64 payments"),
	sidecartest.Allow("insert provider", 1, 1, "the capture, at the simulated provider, which stands for somebody else's computer"),
	sidecartest.Allow("insert payment", 1, 1,
		"the payment as it was decided, with its entries in the ledger; that nobody was faster is found out by it"),
	sidecartest.Allow("publish payments", 1, 1, "payment.confirmed.v1, to orders and notifications"),
	sidecartest.Allow("bulk-get payment", 1, 0.1, "a last look before the intent is forgotten, at up to 200 payments in one call"),
	sidecartest.Allow("call notifications", 1, 0.1, "which events were accepted; up to 500 in one call"),
	sidecartest.Allow("bulk-get segment", 1, 0.1, "a segment is deleted by its ETag"),
	sidecartest.Allow("delete segment", 1, 0.1, "the intent is forgotten"),
}

// latency is how long a call takes, so that what is called at the same time is under way at the
// same time.
const latency = 2 * time.Millisecond

// about says what a call is about. A lane's head is renewed by the clock and not by orders.
func about(op, what string) string {
	kind, rest, _ := strings.Cut(what, "/")
	switch {
	case op == "publish":
		return what
	case op == "call":
		app, _, _ := strings.Cut(what, " ")
		return app
	case kind == "payment":
		return kind
	case kind == "simprovider":
		return "provider"
	case what == "payments/head":
		return "list"
	case kind == "payments":
		return "page"
	case kind == "journal" && strings.Count(rest, "/") == 2:
		return "segment"
	}
	return ""
}

// ordersCost places as many orders at the same moment, settles them, and returns the calls.
func ordersCost(t *testing.T, orders int, method string) map[string]int {
	store, messages, p := sidecartest.NewState(), &sidecartest.Bus{}, &sidecartest.Process{}
	store.Before = func(context.Context, sidecartest.Op, string) error { time.Sleep(latency); return nil }
	messages.Before = func(context.Context, string) error { time.Sleep(latency); return nil }
	state := p.State(store)
	caller := &sidecartest.Caller{Handle: func(_ context.Context, _, _, _ string, in []byte) (any, error) {
		var asked struct {
			EventIDs []string `json:"event_ids"`
		}
		err := json.Unmarshal(in, &asked)
		return map[string]any{"accepted": asked.EventIDs}, err
	}}
	j, err := journal.New(journal.Config{Name: "payments", State: state})
	if err != nil {
		t.Fatal(err)
	}
	pool := payments.NewPool(1024)
	s := payments.NewService(payments.Config{
		State: state, Journal: aggregate.Of(j), Bus: p.Bus(messages), Peers: peers.Peers{Caller: p.Caller(caller)}, Runner: pool,
		Provider: simulated.New(simulated.Config{State: state}), Index: list.New(list.Config{State: state}),
		Prompt: time.Second,
	})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := j.Run(ctx, settler(s)); err != nil {
			t.Error(err)
		}
	})
	defer func() { pool.Drain(t.Context()); stop(); running.Wait() }()
	time.Sleep(time.Minute)
	synctest.Wait()
	before := len(p.Calls())

	var all sync.WaitGroup
	for n := range orders {
		all.Go(func() {
			if err := s.Placed(t.Context(), anOrder(n, method)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	time.Sleep(5 * time.Minute) // until nothing is left in the journal, nor of it in the store
	synctest.Wait()
	if left := j.Stats().Backlog; left > 0 {
		t.Errorf("%d ids are left in the journal", left)
	}
	return sidecartest.Tally(p.Calls()[before:], about)
}

func TestWhatAPaidOrderCosts(t *testing.T) {
	for _, orders := range []int{1, 64} {
		synctest.Test(t, func(t *testing.T) { budget.Check(t, ordersCost(t, orders, "tok_visa"), orders) })
	}
}

// What is declined by its token is nothing that the provider would have to remember.
func TestADeclinedOrderCostsNoRecordOfTheProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for call, n := range ordersCost(t, 1, "tok_declined") {
			if strings.HasSuffix(call, " provider") {
				t.Errorf("%s: %d calls, want none", call, n)
			}
		}
	})
}
