package payments_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
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

// budget is what one order costs this service, from its event until its payment has left the journal: calls of the sidecar per
// order, alone and in the company of 63 others of the same moment. What is not here is not called.
var budget = []struct {
	call           string
	alone, company float64
	why            string
}{
	{"insert segment", 1, 0.1, "the intent, before the payment is written; those of the same moment share it"},
	{"get payment", 1, 1, "whether the order was cancelled or charged before; neighbours may share the call"},
	{"get list", 1, 0.1, "the list of all payments is replaced under its ETag, which no write returns"},
	{"insert list", 1, 0.1, "the first place in it"},
	{"update list", 1, 0.1, "the payment's place in it, for the ledger's report; those of the same moment share it"},
	{"insert page", 0, 0.1, "a full list is sealed, once in 64 payments"},
	{"insert provider", 1, 1, "the capture, at the simulated provider, which stands for somebody else's computer"},
	{"insert payment", 1, 1, "the payment as it was decided, with its entries in the ledger; that nobody was faster is found out by it"},
	{"publish payments", 1, 1, "payment.confirmed.v1, to orders and notifications"},
	{"bulk-get payment", 1, 0.1, "a last look before the intent is forgotten, at up to 200 payments in one call"},
	{"call notifications", 1, 0.1, "which events were accepted; up to 500 in one call"},
	{"bulk-get segment", 1, 0.1, "a segment is deleted by its ETag"},
	{"delete segment", 1, 0.1, "the intent is forgotten"},
}

// meter counts the calls of the service by what they are about.
type meter struct {
	mu    sync.Mutex
	calls map[string]int
}

func (m *meter) count(call string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls[call]++
}

// latency is how long a call takes, so that what is called at the same time is under way at the same time.
const latency = 2 * time.Millisecond

// state is called before each call of the store. A lane's head is renewed by the clock and not by orders.
func (m *meter) state(_ context.Context, op sidecartest.Op, key string) error {
	time.Sleep(latency) // of the bubble's clock
	what, rest, _ := strings.Cut(key, "/")
	switch {
	case what == "payment":
	case what == "simprovider":
		what = "provider"
	case key == "payments/head":
		what = "list"
	case what == "payments":
		what = "page"
	case what == "journal" && strings.Count(rest, "/") == 2:
		what = "segment"
	default:
		return nil
	}
	m.count(string(op) + " " + what)
	return nil
}

// ordersCost places as many orders at the same moment, settles them, and returns the calls for each order.
func ordersCost(t *testing.T, orders int, method string) map[string]float64 {
	state, bus, m := sidecartest.NewState(), &sidecartest.Bus{}, &meter{calls: map[string]int{}}
	caller := &sidecartest.Caller{Handle: func(_ context.Context, app, _, _ string, in []byte) (any, error) {
		m.count("call " + app)
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
		State: state, Journal: aggregate.Of(j), Bus: bus, Peers: peers.Peers{Caller: caller}, Runner: pool,
		Provider: simulated.New(simulated.Config{State: state}), Index: list.New(list.Config{State: state}),
		Prompt: time.Second,
	})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := j.Run(ctx, journal.NewKinds(payments.KindPayment, s.Settlers())); err != nil {
			t.Error(err)
		}
	})
	defer func() { pool.Drain(t.Context()); stop(); running.Wait() }()
	time.Sleep(time.Minute)
	synctest.Wait()
	state.Before = m.state
	bus.Before = func(_ context.Context, topic string) error {
		time.Sleep(latency)
		m.count("publish " + topic)
		return nil
	}

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
	perOrder := map[string]float64{}
	for call, n := range m.calls {
		perOrder[call] = float64(n) / float64(orders)
	}
	return perOrder
}

func TestWhatAPaidOrderCosts(t *testing.T) {
	for _, orders := range []int{1, 64} {
		synctest.Test(t, func(t *testing.T) {
			cost, total, allowed := ordersCost(t, orders, "tok_visa"), 0.0, 0.0
			for _, b := range budget {
				limit := b.company
				if orders == 1 {
					limit = b.alone
				}
				if cost[b.call] > limit {
					t.Errorf("%s: %.2f for each of %d orders, want at most %.2f: %s", b.call, cost[b.call], orders, limit, b.why)
				}
				t.Logf("%-20s %.2f", b.call, cost[b.call])
				total, allowed = total+cost[b.call], allowed+limit
				delete(cost, b.call)
			}
			for _, call := range slices.Sorted(maps.Keys(cost)) {
				t.Errorf("%s: %.2f for each of %d orders, want none", call, cost[call], orders)
			}
			t.Logf("%d at once: %.2f calls for each order of at most %.2f", orders, total, allowed)
		})
	}
}

// What is declined by its token is nothing that the provider would have to remember.
func TestADeclinedOrderCostsNoRecordOfTheProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for call, n := range ordersCost(t, 1, "tok_declined") {
			if strings.HasSuffix(call, " provider") {
				t.Errorf("%s: %.0f calls, want none", call, n)
			}
		}
	})
}
