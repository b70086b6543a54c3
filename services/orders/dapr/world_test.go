package dapr_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/contracts/validate"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/kit/telemetry"
	"sidecart.dev/orders"
	"sidecart.dev/orders/dapr"
)

// world is everything around the service: one store, one bus, and the services it asks. It runs in a synctest bubble,
// so that minutes of leases, grace and back-off pass in no time.
type world struct {
	state *sidecartest.State
	bus   *sidecartest.Bus

	mu       sync.Mutex
	payments map[string]*payment // by order
	told     map[string]bool     // event ids that notifications has accepted
	outbox   []event.Event       // what payments has published and nobody has taken
	down     bool                // payments and notifications do not answer
}

// payment is what the fake payments service knows of one order.
type payment struct {
	ID       string
	Status   orders.PaymentStatus
	Amount   int64
	Refunded int64
	Version  int64
	Captures int
}

func newWorld() *world {
	return &world{
		state: sidecartest.NewState(), bus: &sidecartest.Bus{Check: validate.Event},
		payments: map[string]*payment{}, told: map[string]bool{},
	}
}

// deliver gives a published event to payments and notifications, as the bus would.
func (w *world) deliver(m sidecartest.Message) error {
	e, err := event.Parse(m.Body)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told[e.ID] = true
	switch e.Type {
	case orders.PlacedEvent:
		data, err := event.Decode[orders.PlacedData](e)
		if err != nil {
			return err
		}
		w.charge(data)
	case orders.CancelledEvent:
		data, err := event.Decode[orders.CancelledData](e)
		if err != nil {
			return err
		}
		w.giveBack(data)
	}
	return nil
}

func (w *world) charge(data orders.PlacedData) {
	if w.payments[data.OrderID] != nil {
		return
	}
	p := &payment{ID: "pay_" + data.OrderID[4:], Amount: data.Total.Amount}
	w.payments[data.OrderID] = p
	if data.PaymentMethod == "tok_declined" {
		p.Status = orders.PaymentIsDeclined
		w.emit(data.OrderID, "payment.declined.v1", map[string]any{"code": "card_declined"})
		return
	}
	p.Status, p.Captures = orders.PaymentCaptured, 1
	w.emit(data.OrderID, "payment.confirmed.v1", nil)
}

func (w *world) giveBack(data orders.CancelledData) {
	p := w.payments[data.OrderID]
	if p == nil {
		w.payments[data.OrderID] = &payment{ID: "pay_" + data.OrderID[4:], Amount: data.Total.Amount, Status: orders.PaymentIsVoided}
		w.emit(data.OrderID, "payment.voided.v1", nil)
		return
	}
	if p.Status == orders.PaymentCaptured || p.Status == orders.PaymentPartly {
		w.refund(data.OrderID, p.Amount-p.Refunded)
	}
}

func (w *world) refund(orderID string, amount int64) {
	p := w.payments[orderID]
	p.Refunded += amount
	p.Status = orders.PaymentPartly
	if p.Refunded == p.Amount {
		p.Status = orders.PaymentGivenBack
	}
	w.emit(orderID, "payment.refunded.v1", map[string]any{
		"total_refunded": map[string]any{"amount": p.Refunded, "currency": "EUR"}, "fully_refunded": p.Refunded == p.Amount, "reason": "damaged",
	})
}

func (w *world) emit(orderID, eventType string, extra map[string]any) {
	p := w.payments[orderID]
	p.Version++
	data := map[string]any{"order_id": orderID, "payment_id": p.ID, "version": p.Version}
	for k, v := range extra {
		data[k] = v
	}
	e, err := event.New("payments", eventType, p.ID, p.Version, time.Now(), data)
	if err != nil {
		panic(err)
	}
	w.outbox = append(w.outbox, e)
}

func (w *world) setDown(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
}

// call answers the questions the service asks.
func (w *world) call(_ context.Context, app, _, path string, in []byte) (any, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		return nil, fault.New(fault.Unavailable, "unavailable", "down")
	}
	var req struct {
		OrderIDs []string `json:"order_ids"`
		EventIDs []string `json:"event_ids"`
	}
	if err := json.Unmarshal(in, &req); err != nil {
		return nil, err
	}
	switch app + path {
	case "payments/internal/payments/lookup":
		answer := []map[string]any{}
		for _, id := range req.OrderIDs {
			if p := w.payments[id]; p != nil {
				answer = append(answer, map[string]any{
					"order_id": id, "payment_id": p.ID, "status": p.Status, "version": p.Version,
					"refunded_amount": map[string]any{"amount": p.Refunded, "currency": "EUR"},
				})
			}
		}
		return map[string]any{"payments": answer}, nil
	case "notifications/internal/notifications/accepted":
		accepted := []string{}
		for _, id := range req.EventIDs {
			if w.told[id] {
				accepted = append(accepted, id)
			}
		}
		return map[string]any{"accepted": accepted}, nil
	}
	return nil, fmt.Errorf("unexpected call of %s %s", app, path)
}

// replica is one process of the service.
type replica struct {
	*dapr.Node
	life *life
	stop context.CancelFunc
	done chan struct{}
}

// start starts a replica and waits until it can place orders.
func (w *world) start(t testing.TB) *replica {
	t.Helper()
	l := &life{State: w.state, bus: w.bus}
	node, err := dapr.New(dapr.Config{
		State: l, Bus: l, Peers: &sidecartest.Caller{Handle: w.call}, Letters: noLetters{},
		Service: orders.Config{Logger: slog.New(slog.DiscardHandler)},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &replica{Node: node, life: l, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		if err := node.Run(ctx); err != nil {
			t.Errorf("the replica ended with %v", err)
		}
	}()
	for range 600 {
		if node.Journal.Ready() == nil {
			return r
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("the replica is not ready after a minute: %v", node.Journal.Ready())
	return nil
}

// end stops the replica: cleanly, or, if it has been killed, as its process would vanish.
func (r *replica) end() {
	r.stop()
	<-r.done
}

// noLetters fails the test's delivery when something is poison.
type noLetters struct{}

// Keep implements [event.DeadLetters].
func (noLetters) Keep(context.Context, event.DeadLetter) error { return nil }

// life is a replica's connection to its sidecar. Once it is killed nothing gets through any more, which is all that the
// world sees of a dead process.
type life struct {
	sidecar.State
	bus sidecar.Publisher

	mu     sync.Mutex
	dead   bool
	count  int  // calls since arm
	killAt int  // 0: never
	after  bool // die when the call has taken effect, rather than before

	hold time.Duration // set: the next insert of an order is answered with a failure and carried out this much later
}

var errDead = fault.New(fault.Unavailable, "unavailable", "the process is dead")

// arm kills the replica at the n-th call from now, before or after it takes effect.
func (l *life) arm(n int, after bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count, l.killAt, l.after = 0, n, after
}

func (l *life) kill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
}

func (l *life) alive() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.dead
}

func (l *life) do(call func() error) error {
	l.mu.Lock()
	l.count++
	dying := l.killAt > 0 && l.count == l.killAt
	if dying {
		l.dead = true
	}
	dead, after := l.dead, l.after
	l.mu.Unlock()
	if dead && (!dying || !after) {
		return errDead
	}
	if err := call(); err != nil {
		return err
	}
	if dying || !l.alive() {
		return errDead
	}
	return nil
}

// Get implements [sidecar.State].
func (l *life) Get(ctx context.Context, key string) (item sidecar.Item, err error) {
	err = l.do(func() (err error) { item, err = l.State.Get(ctx, key); return err })
	return item, err
}

// BulkGet implements [sidecar.State].
func (l *life) BulkGet(ctx context.Context, keys []string) (items map[string]sidecar.Item, err error) {
	err = l.do(func() (err error) { items, err = l.State.BulkGet(ctx, keys); return err })
	return items, err
}

// Insert implements [sidecar.State].
func (l *life) Insert(ctx context.Context, key string, value []byte, opts ...sidecar.WriteOption) error {
	if hold := l.held(key); hold > 0 {
		time.AfterFunc(hold, func() { _ = l.State.Insert(context.WithoutCancel(ctx), key, value, opts...) })
		return errDead
	}
	return l.do(func() error { return l.State.Insert(ctx, key, value, opts...) })
}

// held takes the delay of the next insert of an order.
func (l *life) held(key string) (hold time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.HasPrefix(key, "order/") {
		hold, l.hold = l.hold, 0
	}
	return hold
}

// Update implements [sidecar.State].
func (l *life) Update(ctx context.Context, key string, value []byte, etag string, opts ...sidecar.WriteOption) error {
	return l.do(func() error { return l.State.Update(ctx, key, value, etag, opts...) })
}

// Delete implements [sidecar.State].
func (l *life) Delete(ctx context.Context, key, etag string) error {
	return l.do(func() error { return l.State.Delete(ctx, key, etag) })
}

// Publish implements [sidecar.Publisher].
func (l *life) Publish(ctx context.Context, topic string, body []byte) error {
	return l.do(func() error { return l.bus.Publish(ctx, topic, body) })
}

// settled lets virtual time pass, delivering every message, until the replica has taken over what others left behind and has
// no unfinished business.
func (w *world) settled(r *replica) error {
	const takeOver = 20 // seconds: more than a lane's lease
	for second := range 600 {
		for w.bus.Waiting() > 0 {
			if err := w.deliver(w.bus.Take(0)); err != nil {
				return err
			}
		}
		if second >= takeOver && r.Journal.Stats().Backlog == 0 {
			return w.bus.CheckError()
		}
		time.Sleep(time.Second)
		synctest.Wait()
	}
	return fmt.Errorf("after ten minutes the journal still holds %+v", r.Journal.Stats())
}

func request(method string) orders.Request {
	return orders.Request{Items: []orders.RequestItem{{ProductID: "moka-pot", Quantity: 1}}, PaymentMethod: method}
}

func TestMain(m *testing.M) {
	if _, err := telemetry.StartTracing(context.Background(), "orders", ""); err != nil { // events carry a trace
		panic(err)
	}
	os.Exit(m.Run())
}
