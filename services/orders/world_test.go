package orders_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/contracts/validate"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/kit/telemetry"
	"sidecart.dev/orders"
)

// world is everything around the service: one store, one bus, and the services it asks. It runs in
// a synctest bubble, so that minutes of leases, grace and back-off pass in no time.
type world struct {
	state *sidecartest.State
	bus   *sidecartest.Bus

	mu       sync.Mutex
	payments map[string]*payment // by order
	told     map[string]bool     // event ids that notifications has accepted
	outbox   []event.Event       // what payments has published and nobody has taken
	down     bool                // payments and notifications do not answer
	silent   string              // the one of them that does not answer; empty: both do
	delays   []delay             // of which customers were told
	deaf     bool                // notifications hears nothing

	latency func() time.Duration // of each call of the store and the bus; nil: none
}

// delay is what was said of an order that waits, and when it was heard.
type delay struct {
	event.Event
	heard time.Time
}

// payment is what the fake payments service knows of one order.
type payment struct {
	ID       string
	Status   string
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
	w.told[e.ID] = w.told[e.ID] || !w.deaf
	switch e.Type {
	case orders.DelayedEvent:
		w.delays = append(w.delays, delay{e, time.Now()})
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
		p.Status = "declined"
		w.emit(data.OrderID, "payment.declined.v1", map[string]any{"code": "card_declined"})
		return
	}
	if data.PaymentMethod == "tok_unanswered" {
		p.Status = "pending"
		return
	}
	p.Status, p.Captures = "captured", 1
	w.emit(data.OrderID, "payment.confirmed.v1", nil)
}

func (w *world) giveBack(data orders.CancelledData) {
	p := w.payments[data.OrderID]
	if p == nil {
		w.payments[data.OrderID] = &payment{ID: "pay_" + data.OrderID[4:], Amount: data.Total.Amount, Status: "voided"}
		w.emit(data.OrderID, "payment.voided.v1", nil)
		return
	}
	if p.Status == "pending" {
		p.Status = "voided"
		w.emit(data.OrderID, "payment.voided.v1", nil)
	}
	if p.Status == "captured" || p.Status == "partially_refunded" {
		w.refund(data.OrderID, p.Amount-p.Refunded)
	}
}

func (w *world) refund(orderID string, amount int64) {
	p := w.payments[orderID]
	p.Refunded += amount
	p.Status = "partially_refunded"
	if p.Refunded == p.Amount {
		p.Status = "refunded"
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
	if w.down || w.silent == app {
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

// settled lets virtual time pass, delivering every message, until the replicas have taken over what
// others left behind and have no unfinished business.
func (w *world) settled(replicas ...*replica) error {
	const takeOver = 20 // seconds: more than a lane's lease
	backlog := 0
	for second := range 600 {
		for w.bus.Waiting() > 0 {
			if err := w.deliver(w.bus.Take(0)); err != nil {
				return err
			}
		}
		backlog = 0
		for _, r := range replicas {
			backlog += r.Journal.Stats().Backlog
		}
		if second >= takeOver && backlog == 0 {
			return w.bus.CheckError()
		}
		time.Sleep(time.Second)
		synctest.Wait()
	}
	return fmt.Errorf("after ten minutes the journal still holds %d ids", backlog)
}

// paid has the customer place an order with a replica under a key, and waits until it is paid and
// nothing of it is left to do.
func (w *world) paid(t *testing.T, r *replica, key string) orders.Order {
	t.Helper()
	o, _, err := r.Service.Place(context.Background(), customer, key, request("tok_visa"))
	if err == nil {
		err = w.settled(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func request(method string) orders.Request {
	return orders.Request{Items: []orders.RequestItem{{ProductID: "moka-pot", Quantity: 1}}, PaymentMethod: method}
}

func TestMain(m *testing.M) {
	if _, err := telemetry.StartTracing(context.Background(), "orders", telemetry.Tracing{}); err != nil { // events carry a trace
		panic(err)
	}
	os.Exit(m.Run())
}
