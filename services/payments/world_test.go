package payments_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"sync"
	"time"

	"sidecart.dev/kit/deadletter"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/money"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/payments"
	"sidecart.dev/payments/simulated"
)

// pass lets a call to the outside through, or fails it before or after its effect. The zero value
// lets everything through.
type pass func(ctx context.Context, call string) (before, after error)

func through(ctx context.Context, pass pass, call string) (before, after error) {
	if pass == nil {
		return nil, nil
	}
	return pass(ctx, call)
}

// world is what several replicas of payments share: one store, one bus, one provider, one journal.
type world struct {
	state   *sidecartest.State
	pass    pass
	intents *intents
	index   *index
	prompt  time.Duration // how long placing waits for the provider
	bus     *bus
	trace   []string // what happened, for who has to find out why
	broken  []string // rules that a write has broken
	mu      sync.Mutex
}

func newWorld() *world {
	w := &world{state: sidecartest.NewState()}
	w.intents = &intents{world: w, entries: map[string]*intent{}}
	w.index = &index{world: w}
	w.bus = &bus{world: w, published: map[string][]byte{}, heard: map[string][]byte{}}
	return w
}

// replica is a service that drives payments in the goroutine of the handler, so that its calls
// carry the handler's context.
func (w *world) replica(change ...func(*payments.Config)) *payments.Service {
	state := &watched{State: w.state, world: w}
	cfg := payments.Config{
		State: state, Journal: w.intents, Bus: w.bus, Peers: w.bus, Index: w.index, Runner: inline{},
		Letters:  deadletter.New(state, payments.App),
		Prompt:   w.prompt,
		Provider: simulated.New(simulated.Config{State: state, SlowDelay: -1}),
		Wait:     func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
	for _, f := range change {
		f(&cfg)
	}
	return payments.NewService(cfg)
}

type inline struct{}

func (inline) Go(ctx context.Context, _ string, f func(context.Context)) (<-chan struct{}, bool) {
	f(ctx)
	ended := make(chan struct{})
	close(ended)
	return ended, true
}

// watched lets calls pass, and holds every update of a payment against the rules for updates.
type watched struct {
	sidecar.State
	world *world
}

func (s *watched) Get(ctx context.Context, key string) (item sidecar.Item, err error) {
	before, after := through(ctx, s.world.pass, "get "+key)
	if before != nil {
		return item, before
	}
	if item, err = s.State.Get(ctx, key); err == nil && after != nil {
		return sidecar.Item{}, after
	}
	return item, err
}

func (s *watched) BulkGet(ctx context.Context, keys []string) (map[string]sidecar.Item, error) {
	if before, _ := through(ctx, s.world.pass, "bulk-get"); before != nil {
		return nil, before
	}
	return s.State.BulkGet(ctx, keys)
}

func (s *watched) Insert(ctx context.Context, key string, value []byte, opts ...sidecar.WriteOption) error {
	before, after := through(ctx, s.world.pass, "insert "+key)
	if before != nil {
		return before
	}
	if err := s.State.Insert(ctx, key, value, opts...); err != nil {
		return err
	}
	return after
}

func (s *watched) Update(ctx context.Context, key string, value []byte, etag string, opts ...sidecar.WriteOption) error {
	before, after := through(ctx, s.world.pass, "update "+key)
	if before != nil {
		return before
	}
	old, getErr := s.State.Get(ctx, key)
	if err := s.State.Update(ctx, key, value, etag, opts...); err != nil {
		return err
	}
	if getErr == nil && len(key) > 8 && key[:8] == "payment/" {
		s.world.judge(old.Value, value)
	}
	return after
}

// judge checks what must hold between two successive versions of a payment.
func (w *world) judge(before, after []byte) {
	var a, b payments.Payment
	if json.Unmarshal(before, &a) != nil || json.Unmarshal(after, &b) != nil {
		w.violate("a payment is not JSON")
		return
	}
	if reflect.DeepEqual(a, b) {
		return // a fence
	}
	if b.Version <= a.Version {
		w.violate("version %d after %d", b.Version, a.Version)
	}
	late := a.Unresolved && b.Status == payments.Captured // it was given up, and taken after all
	if a.Status.Terminal() && b.Status != a.Status && !late {
		w.violate("%s became %s", a.Status, b.Status)
	}
	if len(b.Entries) < len(a.Entries) || len(a.Entries) > 0 && !reflect.DeepEqual(a.Entries, b.Entries[:len(a.Entries)]) {
		w.violate("ledger entries changed: %v became %v", a.Entries, b.Entries)
	}
	if a.DecidedIn != 0 && b.DecidedIn != a.DecidedIn && !late {
		w.violate("decided in version %d, and again in %d", a.DecidedIn, b.DecidedIn)
	}
	promised := int64(0)
	for _, r := range b.Refunds {
		switch r.Status {
		case payments.RefundRefused:
			w.violate("the provider was asked for more than it has: %+v", r)
		default:
			promised += r.Amount.Amount
		}
	}
	if promised > b.Amount.Amount {
		w.violate("%d are refunded of %d", promised, b.Amount.Amount)
	}
}

func (w *world) violate(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = append(w.broken, fmt.Sprintf(format, args...))
}

func anOrder(n int, method string) payments.Order {
	return payments.Order{
		ID: fmt.Sprintf("ord_test%d", n), UserID: "usr_test", Amount: money.New(2598, "EUR"), Method: method,
		Items: []payments.Item{{ProductID: "espresso-beans", Name: "Espresso beans", Quantity: 2, UnitPrice: money.New(1299, "EUR")}},
	}
}

var aCancellation = payments.Cancellation{Reason: "ordered twice", At: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)}

func lost() error { return fault.New(fault.Unavailable, "unavailable", "no answer") }
