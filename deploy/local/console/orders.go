package console

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"sidecart.dev/local/console/logs"
	"sidecart.dev/local/console/traces"
)

// The orders service's own record of an order is read through its sidecar, in the store and under
// the key where that service keeps it.
const (
	ordersApp   = "orders"
	ordersStore = "orders-store"
	orderKey    = "order/"
)

// order is what the console reads of an order's record: nothing of the customer.
type order struct {
	ID      string `json:"id"`
	Status  string `json:"status"`
	Total   money  `json:"total"`
	History []step `json:"history"`
}

type money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

type step struct {
	Status string    `json:"status"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
}

// getOrders answers with the orders that wait, the longest first, the newest, and how many of each
// status are known.
func (c *Console) getOrders(w http.ResponseWriter, r *http.Request) {
	all := c.listed.get(r.Context())
	counts := map[string]int{}
	for _, o := range all {
		counts[o.Status]++
	}
	waits := waiting(all)
	write(w, map[string]any{
		"orders": all[:min(30, len(all))], "waiting": waits[:min(20, len(waits))],
		"counts": counts,
	})
}

// records reads the records of many orders at once, through the sidecar of the orders service.
// Those that it does not have are left out.
func (c *Console) records(ctx context.Context, ids []string) (map[string]order, error) {
	found := map[string]order{}
	app, err := c.ordersApp()
	if err != nil || len(ids) == 0 {
		return found, err
	}
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = orderKey + id
	}
	question := map[string]any{"keys": keys, "parallelism": 10}
	var answer []struct {
		Key  string
		Data json.RawMessage // whatever stands under the key
	}
	address := app.SidecarURL + "/v1.0/state/" + ordersStore + "/bulk"
	if err := fetch(ctx, address, app.SidecarToken, question, &answer); err != nil {
		return nil, err
	}
	for _, item := range answer {
		var o order
		if json.Unmarshal(item.Data, &o) == nil && o.Status != "" {
			found[strings.TrimPrefix(item.Key, orderKey)] = o
		}
	}
	return found, nil
}

func (c *Console) ordersApp() (App, error) {
	for _, app := range c.system.Apps() {
		if app.ID == ordersApp {
			return app, nil
		}
	}
	return App{}, fmt.Errorf("there is no app %s", ordersApp)
}

func (c *Console) order(ctx context.Context, id string) (order, error) {
	var o order
	app, err := c.ordersApp()
	if err != nil {
		return o, err
	}
	record := "/v1.0/state/" + ordersStore + "/" + url.PathEscape(orderKey+id)
	return o, fetch(ctx, app.SidecarURL+record, app.SidecarToken, nil, &o)
}

var validOrder = regexp.MustCompile(`^ord_[a-z0-9]{8,64}$`)

// getOrder answers with the journey of an order: its history, its traces, the log lines and the
// mails.
func (c *Console) getOrder(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if !validOrder.MatchString(id) {
		refuse(w, http.StatusBadRequest, "an order's id is ord_ and letters and digits")
		return
	}
	c.scraper.Look()
	spans := c.traces.OfOrder(id)
	o, err := c.order(r.Context(), id)
	lines := c.linesOf(id, spans)
	mails := c.mailsOf(r.Context(), id)
	if err != nil && len(spans) == 0 && len(lines) == 0 && len(mails) == 0 {
		refuse(w, http.StatusNotFound, "nothing is known of this order")
		return
	}
	o.ID, o.Status = id, cmp.Or(o.Status, "unknown")
	write(w, map[string]any{
		"order": o, "spans": spans, "moments": journey(o, spans, lines, mails),
		"answer": c.explain(r.Context(), o, spans, lines, mails), "logs": lines,
	})
}

// linesOf are the log lines that name the order or stand in one of its traces.
func (c *Console) linesOf(id string, spans []*traces.Span) []logs.Record {
	lines := c.logs.Search(logs.Query{Text: id})
	asked := map[string]bool{}
	for _, s := range spans {
		if !asked[s.TraceID] && len(asked) < 20 {
			asked[s.TraceID] = true
			lines = append(lines, c.logs.Search(logs.Query{Trace: s.TraceID})...)
		}
	}
	slices.SortFunc(lines, func(a, b logs.Record) int { return cmp.Compare(a.Seq, b.Seq) })
	return slices.CompactFunc(lines, func(a, b logs.Record) bool { return a.Seq == b.Seq })
}
