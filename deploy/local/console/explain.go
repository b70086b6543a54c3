package console

import (
	"context"
	"fmt"
	"strings"
	"time"

	"sidecart.dev/local/console/logs"
	"sidecart.dev/local/console/traces"
)

// explain says in sentences how the order stands and what it waits for.
func (c *Console) explain(
	ctx context.Context, o order, spans []*traces.Span, lines []logs.Record, mails []message,
) []string {
	var said []string
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	say("%s", stands(o, time.Now()))
	for _, m := range mails {
		say("“%s” was sent because of it.", m.Subject)
	}
	if !unfinished(o.Status) {
		return said
	}
	c.explainWaiting(ctx, say)
	if failed := lastFailure(spans, lines); failed != "" {
		say("The last thing that failed on its way: %s", failed)
	}
	return said
}

// stands says how an order stands and since when.
func stands(o order, now time.Time) string {
	n := len(o.History)
	if n == 0 {
		return "The orders service's record of this order cannot be read now."
	}
	first, last := o.History[0], o.History[n-1]
	text := "The order is " + words(last.Status)
	switch {
	case unfinished(last.Status):
		text = "The order has been " + words(last.Status) + " for " + lasted(now.Sub(last.At))
	case n > 1:
		text += ", " + lasted(last.At.Sub(first.At)) + " after it was placed"
	}
	if last.Reason != "" {
		text += ": " + words(last.Reason)
	}
	return text + "."
}

func words(name string) string { return strings.ReplaceAll(name, "_", " ") }

// lasted writes how long something took, as exactly as a person wants to know.
func lasted(d time.Duration) string {
	switch {
	case d < time.Second-time.Millisecond/2:
		return fmt.Sprintf("%d ms", max(0, d.Round(time.Millisecond).Milliseconds()))
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
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
			at, text = s.Start, s.Service+": "+s.Says()
		}
	}
	for _, l := range lines {
		if (l.Level == "error" || l.Level == "warn") && l.At.UnixMicro() >= at {
			at, text = l.At.UnixMicro(), l.Source+": "+l.Message+" "+l.Fields
		}
	}
	return strings.TrimSpace(text)
}
