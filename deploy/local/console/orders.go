package console

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
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

// seen is an order in a list.
type seen struct {
	ID string    `json:"id"`
	At time.Time `json:"at"` // when a trace, a log line or a mail mentioned it last
}

// orders lists the orders that were mentioned last, newest first.
func (c *Console) orders(limit int) []seen {
	found := c.traces.RecentOrders(4 * limit)
	note := func(text string, at time.Time) {
		for _, id := range traces.Orders(text) {
			if found[id].Before(at) {
				found[id] = at
			}
		}
	}
	for _, line := range c.logs.Search(logs.Query{Text: "ord_", Limit: 8 * limit}) {
		note(line.Message+" "+line.Fields, line.At)
	}
	for _, m := range c.mails(context.Background(), "", 2*limit) {
		note(m.Subject, m.At)
	}
	list := []seen{}
	for _, id := range slices.Sorted(maps.Keys(found)) {
		list = append(list, seen{id, found[id]})
	}
	slices.SortStableFunc(list, func(a, b seen) int { return b.At.Compare(a.At) })
	return list[:min(limit, len(list))]
}

// getOrders answers with the orders seen last, and how each is.
func (c *Console) getOrders(w http.ResponseWriter, r *http.Request) {
	write(w, map[string]any{"orders": c.newest(r.Context(), 30)})
}

// row is an order in a list, with how it stands.
type row struct {
	seen
	Status string    `json:"status"`
	Since  time.Time `json:"since"`
	Reason string    `json:"reason,omitempty"`
	Total  money     `json:"total"`
}

// newest lists the orders that were seen last with how each stands, newest first. All records are
// read at once.
func (c *Console) newest(ctx context.Context, limit int) []row {
	list := []row{}
	for _, s := range c.orders(limit) {
		list = append(list, row{seen: s, Status: "unknown", Since: s.At})
	}
	var reading sync.WaitGroup
	for i := range list {
		reading.Go(func() {
			entry := &list[i]
			o, err := c.order(ctx, entry.ID)
			if err != nil {
				return
			}
			entry.Status, entry.Total = o.Status, o.Total
			if n := len(o.History); n > 0 {
				entry.Since, entry.Reason = o.History[n-1].At, o.History[n-1].Reason
			}
		})
	}
	reading.Wait()
	return list
}

func (c *Console) order(ctx context.Context, id string) (order, error) {
	var o order
	for _, app := range c.system.Apps() {
		if app.ID == ordersApp {
			record := "/v1.0/state/" + ordersStore + "/" + url.PathEscape(orderKey+id)
			return o, fetch(ctx, app.SidecarURL+record, app.SidecarToken, &o)
		}
	}
	return o, fmt.Errorf("there is no app %s", ordersApp)
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
	mails := c.mails(r.Context(), id, 20)
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

// explain says in sentences how the order stands and what it waits for.
func (c *Console) explain(
	ctx context.Context, o order, spans []*traces.Span, lines []logs.Record, mails []mail,
) []string {
	var said []string
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	n := len(o.History)
	if n == 0 {
		say("The orders service's record of this order cannot be read now.")
	} else {
		last := o.History[n-1]
		text := fmt.Sprintf("The order is %s since %s", strings.ReplaceAll(last.Status, "_", " "),
			last.At.UTC().Format(time.TimeOnly+" UTC"))
		if last.Reason != "" {
			text += ": " + last.Reason
		}
		say("%s.", text)
	}
	for _, m := range mails {
		say("“%s” was sent because of it.", m.Subject)
	}
	if o.Status != "pending" && o.Status != "refunding" {
		return said
	}
	c.explainWaiting(ctx, say)
	if failed := lastFailure(spans, lines); failed != "" {
		say("The last thing that failed on its way: %s", failed)
	}
	return said
}

// explainWaiting says what an unfinished order may wait for.
func (c *Console) explainWaiting(ctx context.Context, say func(string, ...any)) {
	down := false
	for _, p := range c.processes(ctx) {
		if p.State == "down" || p.State == "stopped" || p.State == "not ready" {
			down = true
			say("%s is %s. Work for it waits in the journals and goes on when it is back.",
				p.Name, p.State)
		}
	}
	backlog := func(name, _ string) bool { return strings.HasSuffix(name, "journal_backlog_ids") }
	for _, g := range c.metrics.Gauges(backlog) {
		if g.Value > 0 && (g.App == ordersApp || g.App == "payments") {
			say("The journal of %s has %.0f unfinished.", g.App, g.Value)
		}
	}
	if !down {
		say("Everything runs: the payment provider has not answered yet, " +
			"or the journal drives the order on in a few seconds.")
	}
}

func lastFailure(spans []*traces.Span, lines []logs.Record) string {
	var text string
	var at int64
	for _, s := range spans {
		if s.Error && s.Start >= at {
			at, text = s.Start, s.Service+": "+s.Name+" "+s.Message
		}
	}
	for _, l := range lines {
		if (l.Level == "error" || l.Level == "warn") && l.At.UnixMicro() >= at {
			at, text = l.At.UnixMicro(), l.Source+": "+l.Message+" "+l.Fields
		}
	}
	return strings.TrimSpace(text)
}
