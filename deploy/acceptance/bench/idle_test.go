package bench

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"
)

// BenchmarkIdle measures what a system does that nobody uses: calls of the sidecars, writes of the
// stores and processor time, per minute.
func BenchmarkIdle(b *testing.B) {
	r := start(b, setup{file: runFile})
	r.customers(b, 1) // and whatever follows from that
	time.Sleep(time.Duration(number(b, "BENCH_WARMUP", 5)) * time.Second)
	measured := seconds(b)
	counted, used := r.readCounters(b), r.cpu()
	time.Sleep(measured)
	minutes := measured.Minutes()
	summary.section(fmt.Sprintf("Idle, per minute, measured for %s", measured))
	after, writes := r.readCounters(b), 0.0
	for _, id := range slices.Sorted(maps.Keys(after)) {
		c := after[id].since(counted[id])
		state := func(operation string) float64 {
			return c.sum("dapr_component_state_count", `operation="`+operation+`"`) / minutes
		}
		writes += state("set") + state("delete")
		summary.fact(id, "%.0f reads, %.0f bulk reads, %.0f writes, %.0f deletes, %.0f published, %.0f calls of others",
			state("get"), state("bulk_get"), state("set"), state("delete"),
			c.sum("dapr_component_pubsub_egress_count")/minutes, c.sum("dapr_runtime_service_invocation_req_sent_total")/minutes)
	}
	busy := 0.0
	now := r.cpu()
	for _, name := range slices.Sorted(maps.Keys(now)) {
		ms := float64((now[name] - used[name]).Milliseconds()) / minutes
		summary.fact(name, "%.0f ms of processor time", ms)
		if name != thisProcess {
			busy += ms
		}
	}
	share := busy / float64(time.Minute.Milliseconds()) * 100
	b.ReportMetric(share, "%-of-a-core")
	b.ReportMetric(writes, "writes/min")
	summary.bar("all of it, of one core", fmt.Sprintf("%.1f %%", share), "≤ 1 %", share <= 1)
}
