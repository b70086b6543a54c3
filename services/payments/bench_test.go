package payments_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"sidecart.dev/kit/sidecar/sidecartest"
)

// BenchmarkPlaced carries orders from their event to a published confirmation, on fakes: what the
// service itself costs, and how many calls to the store one payment makes.
func BenchmarkPlaced(b *testing.B) {
	w := newWorld()
	s := w.replica()
	var n atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := s.Placed(context.Background(), anOrder(int(n.Add(1)), "tok_visa")); err != nil {
				b.Error(err)
			}
		}
	})
	calls := 0
	for _, op := range []sidecartest.Op{sidecartest.OpGet, sidecartest.OpInsert, sidecartest.OpUpdate} {
		calls += w.state.Calls(op)
	}
	b.ReportMetric(float64(calls-b.N)/float64(b.N), "store-calls/op") // less the test's own look at each update
}

// BenchmarkSettle forgets a batch of 200 payments.
func BenchmarkSettle(b *testing.B) {
	w := newWorld()
	s := w.replica()
	for b.Loop() {
		b.StopTimer()
		for n := range 200 {
			if err := s.Placed(context.Background(), anOrder(n, "tok_visa")); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		if err := w.intents.settle(context.Background(), s, time.Minute); err != nil || w.intents.size() != 0 {
			b.Fatal(err, w.intents.size())
		}
	}
}

// BenchmarkReport sums the ledger of 10,000 payments up.
func BenchmarkReport(b *testing.B) {
	w := newWorld()
	s := w.replica()
	for n := range 10_000 {
		if err := s.Placed(context.Background(), anOrder(n, "tok_visa")); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		report, err := s.Report(context.Background())
		if err != nil || report.Payments != 10_000 {
			b.Fatal(fmt.Sprint(report.Payments), err)
		}
	}
}
