package bench

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// BenchmarkStart measures how long the system takes to be ready when its binaries are built.
func BenchmarkStart(b *testing.B) {
	start(b, setup{file: runFile}).stop(b) // builds them
	r := start(b, setup{file: runFile})
	b.ReportMetric(r.took.Seconds(), "start-s")
	summary.section("Start")
	summary.bar("until all is ready, binaries built", fmt.Sprintf("%.1f s", r.took.Seconds()), "≤ 15 s", r.took.Seconds() <= 15)
}

// reportMemory adds what each process of the system holds after the load.
func reportMemory(used map[string]float64) {
	if len(used) == 0 {
		return
	}
	summary.section("Memory after the order flow, resident")
	for _, name := range slices.Sorted(maps.Keys(used)) {
		value := fmt.Sprintf("%.0f MB", used[name])
		switch {
		case name == thisProcess:
		case strings.Contains(name, "/") || name == "redis":
			summary.fact(name, "%s", value)
		default:
			summary.bar(name, value, "≤ 40 MB", used[name] <= 40)
		}
	}
}
