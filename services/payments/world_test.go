package payments_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"sync"
	"time"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/money"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/payments"
	"sidecart.dev/payments/dapr"
	"sidecart.dev/payments/simulated"
)

// pass lets a call to the outside through, or fails it before or after its effect. The zero value lets everything through.
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
	bus     *bus
	broken  []string // rules that a write has broken
	mu      sync.Mutex
}

func newWorld() *world {
	w := &world{state: sidecartest.NewState()}
	w.intents = &intents{world: w, entries: map[string]*intent{}}
	w.index = &index{world: w}
	w.bus = &bus{world: w, published: map[string][]byte{}}
	return w
}

// replica is a service that drives payments in the goroutine of the handler, so that its calls carry the handler's context.
func (w *world) replica(change ...func(*payments.Config)) *payments.Service {
	state := &watched{State: w.state, world: w}
	cfg := payments.Config{
		Store: dapr.NewStore(state), Intents: w.intents, Bus: w.bus, Notifier: w.bus, Orders: w.bus, Index: w.index, Runner: inline{},
		Provider: simulated.New(simulated.Config{State: state, SlowDelay: -1}),
		Wait:     func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
	for _, f := range change {
		f(&cfg)
	}
	return payments.NewService(cfg)
}

type inline struct{}

func (inline) Go(ctx context.Context, _ string, f func(context.Context)) bool {
	f(ctx)
	return true
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
	if a.Status.Terminal() && b.Status != a.Status {
		w.violate("%s became %s", a.Status, b.Status)
	}
	if len(b.Entries) < len(a.Entries) || len(a.Entries) > 0 && !reflect.DeepEqual(a.Entries, b.Entries[:len(a.Entries)]) {
		w.violate("ledger entries changed: %v became %v", a.Entries, b.Entries)
	}
	if a.DecidedIn != 0 && b.DecidedIn != a.DecidedIn {
		w.violate("decided in version %d, and again in %d", a.DecidedIn, b.DecidedIn)
	}
}

func (w *world) violate(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = append(w.broken, fmt.Sprintf(format, args...))
}

// intents is a journal that forgets nothing and offers everything, also while handlers are at work.
type intents struct {
	world   *world
	mu      sync.Mutex
	entries map[string]*intent
}

type intent struct {
	begun int // how often
	open  int // tickets whose writes have not all been answered
}

func (j *intents) Begin(ctx context.Context, id string) (payments.Ticket, error) {
	before, after := through(ctx, j.world.pass, "begin "+id)
	if before != nil {
		return nil, before
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	e, ok := j.entries[id]
	if !ok {
		e = &intent{}
		j.entries[id] = e
	}
	e.begun++
	e.open++
	if after != nil {
		return nil, after
	}
	return &ticket{journal: j, id: id, ctx: ctx}, nil
}

type ticket struct {
	journal *intents
	id      string
	ctx     context.Context //nolint:containedctx // tells whose ticket it is
	once    sync.Once
}

func (t *ticket) Release() { t.once.Do(func() {}) }

func (t *ticket) Wrote() {
	t.once.Do(func() {
		t.journal.mu.Lock()
		defer t.journal.mu.Unlock()
		if e, ok := t.journal.entries[t.id]; ok && !isDead(t.ctx) {
			e.open--
		}
	})
}

// settle offers everything to a settler once, and forgets what is finished and was not begun again meanwhile.
func (j *intents) settle(ctx context.Context, s journal.Settler, age time.Duration) error {
	j.mu.Lock()
	var offered []journal.Entry
	begun := map[string]int{}
	for id, e := range j.entries {
		offered = append(offered, journal.Entry{ID: id, Age: age, Since: time.Now().Add(-age), Attempt: 1, Fence: e.open > 0})
		begun[id] = e.begun
	}
	j.mu.Unlock()
	if len(offered) == 0 {
		return nil
	}
	finished, err := s.Settle(ctx, offered)
	if before, _ := through(ctx, j.world.pass, "forget"); before != nil {
		return before
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, id := range finished {
		if e, ok := j.entries[id]; ok && e.begun == begun[id] {
			delete(j.entries, id)
		}
	}
	return err
}

func (j *intents) size() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.entries)
}

// index is a list in memory.
type index struct {
	world *world
	mu    sync.Mutex
	ids   []string
}

func (x *index) Append(ctx context.Context, id string) (uint64, error) {
	before, after := through(ctx, x.world.pass, "append "+id)
	if before != nil {
		return 0, before
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ids = append(x.ids, id)
	return uint64(len(x.ids)), after
}

func (x *index) Page(_ context.Context, before uint64, limit int) (page []payments.IndexEntry, next uint64, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	top := uint64(len(x.ids))
	if before > 0 {
		top = min(top, before-1)
	}
	for seq := top; seq > 0 && len(page) < limit; seq-- {
		page = append(page, payments.IndexEntry{Seq: seq, ID: x.ids[seq-1]})
	}
	if n := uint64(len(page)); n < top {
		next = top - n + 1
	}
	return page, next, nil
}

// bus takes events; what it took counts as accepted by notifications.
type bus struct {
	world     *world
	mu        sync.Mutex
	published map[string][]byte // by event id
	count     int
	deaf      bool // orders hears nothing
}

// Refunded is what orders noted: what was published, unless it is deaf.
func (b *bus) Refunded(ctx context.Context, orderIDs []string) (map[string]int64, error) {
	if before, _ := through(ctx, b.world.pass, "refunded"); before != nil {
		return nil, before
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	noted := map[string]int64{}
	for _, id := range orderIDs {
		noted[id] = 0
	}
	for _, raw := range b.published {
		e, err := event.Parse(raw)
		if err != nil {
			return nil, err
		}
		data, err := event.Decode[struct {
			OrderID string      `json:"order_id"`
			Total   money.Money `json:"total_refunded"`
		}](e)
		if err != nil {
			return nil, err
		}
		if _, asked := noted[data.OrderID]; asked && !b.deaf && e.Type == payments.TypeRefunded {
			noted[data.OrderID] = max(noted[data.OrderID], data.Total.Amount)
		}
	}
	return noted, nil
}

func (b *bus) Announce(ctx context.Context, events []event.Event) error {
	for _, e := range events {
		before, after := through(ctx, b.world.pass, "publish "+e.ID)
		if before != nil {
			return before
		}
		if err := event.Publish(ctx, b, payments.Topic, e); err != nil {
			return err
		}
		if after != nil {
			return after
		}
	}
	return nil
}

func (b *bus) Publish(_ context.Context, _ string, raw []byte) error {
	e, err := event.Parse(raw)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.published[e.ID] = raw
	b.count++
	return nil
}

func (b *bus) Accepted(ctx context.Context, ids []string) (map[string]bool, error) {
	if before, _ := through(ctx, b.world.pass, "accepted"); before != nil {
		return nil, before
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	accepted := map[string]bool{}
	for _, id := range ids {
		_, accepted[id] = b.published[id]
	}
	return accepted, nil
}

func anOrder(n int, method string) payments.Order {
	return payments.Order{
		ID: fmt.Sprintf("ord_test%d", n), UserID: "usr_test", Amount: money.New(2598, "EUR"), Method: method,
		Items: []payments.Item{{ProductID: "espresso-beans", Name: "Espresso beans", Quantity: 2, UnitPrice: money.New(1299, "EUR")}},
	}
}

var aCancellation = payments.Cancellation{Reason: "ordered twice", At: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)}

func lost() error { return fault.New(fault.Unavailable, "unavailable", "no answer") }
