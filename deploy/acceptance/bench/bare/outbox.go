package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/sidecar/daprclient"
)

// outbox is the order flow written the obvious way: each service saves its document in a
// transaction and Dapr's built-in outbox publishes what was saved. There is no journal and no list,
// and nothing is ever driven on.
type outbox struct {
	id     string
	client *daprclient.Client
	state  sidecar.State
	http   http.Client
}

func newOutbox(id string, client *daprclient.Client) *outbox {
	return &outbox{
		id: id, client: client, state: client.State(id + "-store"),
		http: http.Client{Transport: client.Transport()},
	}
}

func (o *outbox) handlers() map[string]handler {
	nothing := func(context.Context, message) error { return nil }
	h := map[string]handler{
		ordersPath: nothing, "/dead-letters": nothing,
		"/events/orders": nothing, "/events/payments": nothing, "/events/users": nothing,
	}
	switch o.id {
	case "gateway":
		caller := o.client.Caller(nil)
		h[ordersPath] = func(ctx context.Context, m message) error {
			return caller.Call(ctx, "orders", "POST", ordersPath, m, nil)
		}
	case "orders":
		h[ordersPath] = o.save("order/")
		h["/events/payments"] = o.paid
	case "payments":
		h["/events/orders"] = o.save("payment/")
	case "notifications":
		h["/events/payments"] = o.told
	}
	return h
}

const documentSize = 500

// save writes the document in a transaction, which the outbox publishes.
func (o *outbox) save(prefix string) handler {
	return func(ctx context.Context, m message) error {
		m.Padding = strings.Repeat("x", documentSize)
		return o.transact(ctx, prefix+m.ID, m)
	}
}

// transact saves the document as text: of a JSON object the outbox publishes what Go prints for a
// map.
func (o *outbox) transact(ctx context.Context, key string, m message) error {
	document, err := json.Marshal(m)
	if err != nil {
		return err
	}
	upsert := map[string]any{
		"operation": "upsert", "request": map[string]any{"key": key, "value": string(document)},
	}
	body, err := json.Marshal(map[string]any{"operations": []any{upsert}})
	if err != nil {
		return err
	}
	url := "http://" + o.client.HTTPAddr() + "/v1.0/state/" + o.id + "-store/transaction"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := o.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("the transaction of %s was answered %s", key, resp.Status)
	}
	return nil
}

// paid replaces the order, outside a transaction: the outbox would publish it once more.
func (o *outbox) paid(ctx context.Context, m message) error {
	item, err := o.state.Get(ctx, "order/"+m.ID)
	if err != nil {
		return err
	}
	return o.state.Update(ctx, item.Key, item.Value, item.ETag)
}

// told mails the receipt and takes note of it.
func (o *outbox) told(ctx context.Context, m message) error {
	if err := send(ctx, o.client, receiptFor(m), []byte(strings.Repeat("mail ", 1000))); err != nil {
		return err
	}
	return o.state.Insert(ctx, "sent/"+m.ID, []byte(`{"sent":true}`))
}
