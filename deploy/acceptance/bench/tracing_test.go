package bench

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
)

// BenchmarkTracing measures what tracing costs: the same order flow without it, with every tenth
// order sampled, and with all.
//
// Two systems that are started one after the other differ by more than tracing costs, in how warm
// they are and in how many of their calls meet. So all three run at the same time and are loaded in
// turn, BENCH_ROUNDS times each for BENCH_SLICE seconds, and what is compared is what they needed
// in the same round. Every second round has the opposite order.
func BenchmarkTracing(b *testing.B) {
	var all []*traced
	for _, share := range []string{"off", "0.1", "1"} {
		all = append(all, startTraced(b, share))
	}
	slice := time.Duration(number(b, "BENCH_SLICE", 5)) * time.Second
	for round := range number(b, "BENCH_ROUNDS", 8) {
		turns := slices.Clone(all)
		if round%2 == 1 {
			slices.Reverse(turns)
		}
		for _, t := range turns {
			t.take(b, slice)
		}
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer table.Flush()
	fmt.Fprintln(table, "tracing\torders/s\tspans/order\tcalls/order\tprocessor ms/order\t"+
		"services\tsidecars\tagainst off\tquartiles\tother load\t")
	off := all[0]
	for _, t := range all {
		against := make([]float64, len(t.rounds))
		for i, r := range t.rounds {
			against[i] = 100 * (r.cost()/off.rounds[i].cost() - 1)
		}
		of := func(what func(slicedRound) float64) float64 { return median(t.rounds, what) }
		fmt.Fprintf(table, "%s\t%.1f\t%.1f\t%.1f\t%.2f\t%.2f\t%.2f\t%+.1f %%\t%+.1f … %+.1f %%\t%.0f %%\t\n",
			t.share,
			of(func(r slicedRound) float64 { return r.rate }),
			of(func(r slicedRound) float64 { return r.spans }),
			of(func(r slicedRound) float64 { return r.calls }),
			of(slicedRound.cost),
			of(func(r slicedRound) float64 { return r.services }),
			of(func(r slicedRound) float64 { return r.sidecars }),
			quantile(against, .5), quantile(against, .25), quantile(against, .75),
			of(func(r slicedRound) float64 { return r.others }),
		)
	}
}

// traced is a system some of whose orders are traced.
type traced struct {
	share  string // of the orders, or "off"
	rig    *rig
	place  shop
	spans  *discard
	rounds []slicedRound
}

// slicedRound is what one system did in its turn of one round.
type slicedRound struct {
	rate               float64 // orders a second
	spans              float64 // per order
	calls              float64 // of the sidecars, per order
	services, sidecars float64 // milliseconds of a processor per order
	others             float64 // percent of the processors that went to what is not this system
}

func (r slicedRound) cost() float64 { return r.services + r.sidecars }

func startTraced(b *testing.B, share string) *traced {
	b.Helper()
	t := &traced{share: share, spans: startDiscard(b)}
	s := setup{file: runFile}
	if share != "off" {
		s.env = map[string]string{
			"OTEL_EXPORTER_OTLP_ENDPOINT": "http://" + t.spans.addr,
			"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
			"OTEL_EXPORTER_OTLP_INSECURE": "true",
			"OTEL_TRACES_SAMPLER":         "parentbased_traceidratio",
			"OTEL_TRACES_SAMPLER_ARG":     share,
		}
	}
	t.rig = start(b, s)
	t.place = t.rig.shop(b, t.rig.customers(b, 64))
	return t
}

// take loads the system for one round.
func (t *traced) take(b *testing.B, slice time.Duration) {
	b.Helper()
	seen := t.spans.received.Load()
	o := t.rig.observe(b, t.place, slice)
	services, sidecars := t.rig.perOrder(o)
	t.rounds = append(t.rounds, slicedRound{
		rate:     o.rate(),
		spans:    float64(t.spans.received.Load()-seen) / float64(max(1, o.Orders)),
		calls:    o.plan.Calls(),
		services: ms(services), sidecars: ms(sidecars),
		others: 100 * o.others,
	})
}

// median is the middle one of what the rounds have of something.
func median(rounds []slicedRound, what func(slicedRound) float64) float64 {
	values := make([]float64, len(rounds))
	for i, r := range rounds {
		values[i] = what(r)
	}
	return quantile(values, .5)
}

// quantile is the value below which the share q of all values lies, q in [0,1]; 0 if there is none.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	at := q * float64(len(values)-1)
	sorted := slices.Sorted(slices.Values(values))
	below := int(at)
	above := min(below+1, len(values)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}

// perOrder is the processor time that an order took of all services and of all sidecars, without
// what ordered and received.
func (r *rig) perOrder(o observed) (services, sidecars time.Duration) {
	for _, app := range r.stack.Apps() {
		services += o.cpu[app.ID]
		sidecars += o.cpu[app.ID+"/daprd"]
	}
	orders := time.Duration(max(1, o.Orders))
	return services / orders, sidecars / orders
}

// discard receives spans, counts them and forgets them.
type discard struct {
	collector.UnimplementedTraceServiceServer
	addr     string
	received atomic.Int64
}

func startDiscard(b *testing.B) *discard {
	b.Helper()
	listener, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
	require.NoError(b, err)
	d := &discard{addr: listener.Addr().String()}
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, d)
	go func() { _ = server.Serve(listener) }()
	b.Cleanup(server.Stop)
	return d
}

// Export implements the trace service.
func (d *discard) Export(
	_ context.Context, req *collector.ExportTraceServiceRequest,
) (*collector.ExportTraceServiceResponse, error) {
	for _, from := range req.GetResourceSpans() {
		for _, scope := range from.GetScopeSpans() {
			d.received.Add(int64(len(scope.GetSpans())))
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}
