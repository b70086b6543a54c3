package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sidecart.dev/acceptance/bench/plan"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/sidecar/daprclient"
)

// app makes an app's calls. What the plan says per order is spread evenly over the requests and
// deliveries of an order, fractions by carrying the rest over to the next; calls of one handler
// follow each other.
type app struct {
	id     string
	plan   plan.App
	client *daprclient.Client
	state  sidecar.State
	bus    sidecar.Publisher
	caller sidecar.Caller

	documents chan string // keys to read and replace, each used by one handler at a time
	serial    atomic.Uint64

	mu      sync.Mutex
	owed    map[string]float64 // calls due, by kind
	written []string           // keys to delete, oldest first
}

// kept is the number of documents that are there from the start.
const kept = 256

func newApp(id string, p plan.App, client *daprclient.Client) *app {
	return &app{
		id: id, plan: p, client: client,
		state: client.State(id + "-store"), bus: client.Bus("bus"), caller: client.Caller(nil),
		documents: make(chan string, kept), owed: map[string]float64{},
	}
}

// fill writes the documents that handlers read and replace.
func (a *app) fill(ctx context.Context) error {
	for a.plan.Get+a.plan.BulkGet > 0 && len(a.documents) < kept {
		key := fmt.Sprintf("kept/%035d", len(a.documents))
		if err := a.state.Insert(ctx, key, a.document()); err != nil && !sidecar.IsExists(err) {
			return err
		}
		a.documents <- key
	}
	return nil
}

// handlers are where requests, deliveries and other apps' calls arrive.
func (a *app) handlers() map[string]handler {
	nothing := func(context.Context, message) error { return nil }
	h := map[string]handler{
		ordersPath: a.placed, "/called": nothing, "/dead-letters": nothing,
		"/events/orders": nothing, "/events/payments": nothing, "/events/users": nothing,
	}
	switch a.id {
	case "users":
		h["/called"] = func(ctx context.Context, _ message) error { return a.work(ctx) }
	case "payments":
		h["/events/orders"] = a.publishing("payments")
	case "orders":
		h[ordersPath] = a.publishing("orders")
		h["/events/payments"] = func(ctx context.Context, _ message) error { return a.work(ctx) }
	case "notifications":
		h["/events/orders"], h["/events/payments"] = a.mailOrder, a.mailReceipt
	}
	return h
}

// placed passes a request on, as the gateway does.
func (a *app) placed(ctx context.Context, m message) error {
	return a.caller.Call(ctx, "orders", "POST", ordersPath, m, nil)
}

// publishing does an app's calls and then tells the next one.
func (a *app) publishing(topic string) handler {
	return func(ctx context.Context, m message) error {
		if err := a.work(ctx); err != nil {
			return err
		}
		const envelope = 357 // bytes of an event without the padding
		m.Padding = strings.Repeat("x", max(0, a.plan.Event-envelope))
		e, err := event.New(a.id, "bare.v1", m.ID, 1, time.Now(), m)
		if err != nil {
			return err
		}
		return event.Publish(ctx, a.bus, topic, e)
	}
}

// mailReceipt always mails, since the receipt is what ends an order.
func (a *app) mailReceipt(ctx context.Context, m message) error {
	if err := a.work(ctx); err != nil {
		return err
	}
	return send(ctx, a.client, receiptFor(m), a.mail())
}

// mailOrder sends what the plan has of mails besides receipts.
func (a *app) mailOrder(ctx context.Context, m message) error {
	if err := a.work(ctx); err != nil {
		return err
	}
	for range a.due("mail", max(0, a.plan.Mails-1)) {
		if err := send(ctx, a.client, "Order received: "+m.ID, a.mail()); err != nil {
			return err
		}
	}
	return nil
}

// mail is a mail of the size of the real ones.
func (a *app) mail() []byte {
	const rest = 150 // bytes of the call besides the mail
	return []byte("<p>" + strings.Repeat("mail ", max(0, a.plan.Mail-rest)/5) + "</p>")
}

// due returns how many calls of a kind are to be made now.
func (a *app) due(kind string, mean float64) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.owed[kind] += mean
	n := int(a.owed[kind])
	a.owed[kind] -= float64(n)
	return n
}

// work makes the calls of one request or delivery.
func (a *app) work(ctx context.Context) error {
	share := func(perOrder float64) float64 { return perOrder / max(a.plan.Triggers, 1e-9) }
	gets, sets := a.due("get", share(a.plan.Get)), a.due("set", share(a.plan.Set))
	for range sets - gets {
		if err := a.insert(ctx); err != nil {
			return err
		}
	}
	for i := range gets {
		if err := a.read(ctx, i < sets); err != nil {
			return err
		}
	}
	for range a.due("bulk get", share(a.plan.BulkGet)) {
		if _, err := a.state.BulkGet(ctx, a.keys()); err != nil {
			return err
		}
	}
	for range a.due("delete", share(a.plan.Delete)) {
		if err := a.remove(ctx); err != nil {
			return err
		}
	}
	for _, other := range slices.Sorted(maps.Keys(a.plan.Invoked)) {
		if a.id == "gateway" {
			continue
		}
		for range a.due("invoke "+other, share(a.plan.Invoked[other])) {
			if err := a.caller.Call(ctx, other, "POST", "/called", message{ID: "-"}, nil); err != nil {
				return err
			}
		}
	}
	return nil
}
