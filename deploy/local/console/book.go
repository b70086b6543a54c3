package console

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"sidecart.dev/local/console/logs"
	"sidecart.dev/local/console/traces"
)

const (
	// bookSize bounds how many orders are remembered, and bulkSize how many are read at once.
	bookSize, bulkSize = 2_000, 300
	// settling is how long after an order was mentioned its record may still change because of
	// that: spans come seconds after what they tell.
	settling = 10 * time.Second
	// lost is how long after it was mentioned an order without a record is looked for.
	lost = time.Minute
)

// row is an order in a list, as its record was when it was read last.
type row struct {
	ID     string    `json:"id"`
	Seen   time.Time `json:"seen"` // when a trace, a log line or a mail mentioned it last
	Status string    `json:"status"`
	Placed time.Time `json:"placed"`
	Since  time.Time `json:"since"`
	Reason string    `json:"reason,omitempty"`
	Total  money     `json:"total"`
}

// unfinished tells orders that wait for something.
func unfinished(status string) bool { return status == "pending" || status == "refunding" }

// book remembers orders, so that one which waits is still shown when a thousand newer ones came,
// and so that looking at them costs the system next to nothing: a record is read again only while
// it can change, and all that are read are read at once. One question at a time is asked of it.
type book struct {
	entries map[string]*entry
	logged  time.Time // up to when log lines were searched
}

type entry struct {
	row
	read time.Time // zero if it never was
}

// due tells whether the record may be another one than when it was read.
func (e *entry) due(now time.Time) bool {
	if e.Status == "unknown" {
		return e.read.IsZero() || now.Sub(e.Seen) < lost
	}
	return unfinished(e.Status) || e.read.Before(e.Seen.Add(settling))
}

// due returns those to be read now, of all for which that is so: those that were read longest ago,
// as many as are read at once.
func (b *book) due(now time.Time) []*entry {
	all := slices.DeleteFunc(b.newest(), func(e *entry) bool { return !e.due(now) })
	slices.SortStableFunc(all, func(x, y *entry) int { return x.read.Compare(y.read) })
	return all[:min(bulkSize, len(all))]
}

// orders brings the book up to date and returns all that is in it, newest first.
func (c *Console) orders(ctx context.Context) []row {
	b := &c.book
	now := time.Now()
	c.mentioned(ctx, now)
	due := []string{}
	for _, e := range b.due(now) {
		due = append(due, e.ID)
	}
	if found, err := c.records(ctx, due); err == nil {
		for _, id := range due {
			e := b.entries[id]
			e.read = now
			if o, ok := found[id]; ok {
				e.keep(o)
			}
		}
	}
	return b.rows()
}

func (e *entry) keep(o order) {
	e.Status, e.Total = o.Status, o.Total
	if n := len(o.History); n > 0 {
		last := o.History[n-1]
		e.Placed, e.Since, e.Reason = o.History[0].At, last.At, last.Reason
	}
}

// mentioned notes which orders are spoken of in traces, new log lines and mails.
func (c *Console) mentioned(ctx context.Context, now time.Time) {
	b := &c.book
	note := func(id string, at time.Time) {
		if b.entries[id] == nil {
			b.entries[id] = &entry{row: row{ID: id, Status: "unknown", Placed: at, Since: at}}
		}
		if e := b.entries[id]; e.Seen.Before(at) {
			e.Seen = at
		}
	}
	for id, at := range c.traces.RecentOrders(bookSize) {
		note(id, at)
	}
	lines := c.logs.Search(logs.Query{Text: "ord_", Since: b.logged, Limit: bookSize})
	b.logged = now
	for _, line := range lines {
		for _, id := range traces.Orders(line.Message + " " + line.Fields) {
			note(id, line.At)
		}
	}
	for _, m := range c.inbox.get(ctx) {
		if m.Order != "" {
			note(m.Order, m.At)
		}
	}
}

// newest returns the entries of which there may be news: what waits, then the newest. Those
// beyond the size of the book are forgotten.
func (b *book) newest() []*entry {
	all := slices.SortedFunc(maps.Values(b.entries), func(x, y *entry) int {
		if waits := unfinished(x.Status); waits != unfinished(y.Status) {
			if waits {
				return -1
			}
			return 1
		}
		return cmp.Or(y.Seen.Compare(x.Seen), cmp.Compare(x.ID, y.ID))
	})
	for _, e := range all[min(bookSize, len(all)):] {
		delete(b.entries, e.ID)
	}
	return all[:min(bookSize, len(all))]
}

func (b *book) rows() []row {
	all := make([]row, 0, len(b.entries))
	for _, e := range b.entries {
		all = append(all, e.row)
	}
	slices.SortFunc(all, func(x, y row) int {
		return cmp.Or(y.Placed.Compare(x.Placed), cmp.Compare(x.ID, y.ID))
	})
	return all
}

// waiting are the unfinished ones among orders, the one that waits longest first.
func waiting(all []row) []row {
	found := []row{}
	for _, o := range slices.Backward(all) {
		if unfinished(o.Status) {
			found = append(found, o)
		}
	}
	return found
}
