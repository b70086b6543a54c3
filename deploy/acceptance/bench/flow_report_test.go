package bench

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"sidecart.dev/acceptance/bench/plan"
)

// reportFlow adds the order flows that were measured to the table.
func reportFlow(sidecart, bare, single, outbox observed) {
	summary.section(fmt.Sprintf("Order flow, POST to receipt (mails by %s, %s at once)", mailBinding(), cmp.Or(os.Getenv("EMAIL_CONCURRENCY"), "1")))
	summary.text(fmt.Sprintf("  %-22s %9s   %-24s %-18s %s", "", "orders/s", "POST p50 p95 p99 (ms)", "receipt p50 (ms)", "processors busy otherwise"))
	for _, f := range []struct {
		name string
		observed
	}{{"sidecart", sidecart}, {"bare sidecars", bare}, {"without group commit", single}, {"built-in outbox", outbox}} {
		if f.Orders > 0 {
			post := fmt.Sprintf("%.0f %.0f %.0f", ms(f.Post.at(.50)), ms(f.Post.at(.95)), ms(f.Post.at(.99)))
			summary.text(fmt.Sprintf("  %-22s %9.1f   %-24s %-18.0f %.0f %%", f.name, f.rate(), post, ms(f.Whole.at(.50)), 100*f.others))
		}
	}
	if sidecart.Orders == 0 {
		return
	}
	if bare.Orders > 0 {
		share := sidecart.rate() / bare.rate()
		summary.bar("sidecart / bare sidecars", fmt.Sprintf("%.0f %%", 100*share), "≥ 60 %", share >= .6)
		byProcessor("bare", sidecart, bare)
	}
	if single.Orders > 0 {
		summary.fact("sidecart / without group commit", "%.0f %%", 100*sidecart.rate()/single.rate())
		byProcessor("without", sidecart, single)
	}
	if outbox.Orders > 0 {
		summary.fact("sidecart / built-in outbox", "%.0f %%", 100*sidecart.rate()/outbox.rate())
	}
	summary.section("Calls of the sidecars per order, which the bare apps repeat")
	summary.text(describePlan(sidecart.plan))
	calls, writes := sidecart.plan.Calls(), sidecart.plan.Writes()
	summary.bar("calls of the sidecars per order", fmt.Sprintf("%.1f", calls), "≤ 22", calls <= 22)
	summary.bar("of these writes of the stores", fmt.Sprintf("%.1f", writes), "≤ 11", writes <= 11)
	if bare.Orders > 0 {
		summary.text("  and as they were counted again while the bare apps ran:")
		summary.text(describePlan(bare.plan))
	}
	if len(sidecart.cpu) > 0 {
		summary.section("Processor time per order (ms): sidecart, bare sidecars")
		summary.text(describeCPU(sidecart, bare))
	}
	reportMemory(sidecart.memory)
}

// describePlan writes calls per order as a table, for the reader who wants to judge the comparison.
func describePlan(p plan.Plan) string {
	var s strings.Builder
	fmt.Fprintf(&s, "  %-14s%7s%7s%7s%7s%7s%7s%7s   %-24s%s\n", "app", "get", "set", "delete", "bulk", "publ.", "deliv.", "mail",
		"calls of other apps", "mean bytes of a write, an event, a mail")
	for _, id := range slices.Sorted(maps.Keys(p)) {
		a := p[id]
		var calls []string
		for _, other := range slices.Sorted(maps.Keys(a.Invoked)) {
			calls = append(calls, fmt.Sprintf("%s %.2f", other, a.Invoked[other]))
		}
		fmt.Fprintf(&s, "  %-14s%7.2f%7.2f%7.2f%7.2f%7.2f%7.2f%7.2f   %-24s%d %d %d\n", id,
			a.Get, a.Set, a.Delete, a.BulkGet, a.Published, a.Delivered, a.Mails, strings.Join(calls, ", "), a.Document, a.Event, a.Mail)
	}
	return s.String()
}

// describeCPU writes the processor time per order of each process.
func describeCPU(flows ...observed) string {
	var s strings.Builder
	line := func(name string, used func(observed) time.Duration) {
		fmt.Fprintf(&s, "  %-22s", name)
		for _, f := range flows {
			if f.Orders > 0 {
				fmt.Fprintf(&s, " %7.2f", ms(used(f))/float64(f.Orders))
			}
		}
		fmt.Fprintln(&s)
	}
	for _, name := range slices.Sorted(maps.Keys(flows[0].cpu)) {
		line(name, func(f observed) time.Duration { return f.cpu[name] })
	}
	line("together", func(f observed) (sum time.Duration) {
		for _, used := range f.cpu {
			sum += used
		}
		return sum
	})
	return s.String()
}

// byProcessor adds the ratio of two flows that processors alone would make, which hardly depends on
// what else they do.
func byProcessor(name string, sidecart, other observed) {
	if used := sidecart.processor(); used > 0 {
		summary.fact("  by processor time per order", "%.0f %%  (%s %.1f ms, sidecart %.1f ms)", 100*other.processor()/used, name, other.processor(), used)
	}
}

// processor is the processor time of one order in ms, the customers' and the launcher's excluded.
func (o observed) processor() float64 {
	sum := -o.cpu[thisProcess]
	for _, used := range o.cpu {
		sum += used
	}
	return ms(sum) / float64(max(1, o.Orders))
}
