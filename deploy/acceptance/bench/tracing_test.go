package bench

import (
	"context"
	"fmt"
	"net"
	"os"
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
func BenchmarkTracing(b *testing.B) {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer table.Flush()
	fmt.Fprintln(
		table,
		"tracing\torders/s\tprocessor ms/order\tof it services\tof it sidecars\tspans in all\tother load\t",
	)
	for _, share := range []string{"off", "0.1", "1"} {
		b.Run(share, func(b *testing.B) {
			spans := startDiscard(b)
			s := setup{file: runFile}
			if share != "off" {
				s.env = map[string]string{
					"OTEL_EXPORTER_OTLP_ENDPOINT": "http://" + spans.addr,
					"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
					"OTEL_EXPORTER_OTLP_INSECURE": "true",
					"OTEL_TRACES_SAMPLER":         "parentbased_traceidratio",
					"OTEL_TRACES_SAMPLER_ARG":     share,
				}
			}
			r := start(b, s)
			place := r.shop(b, r.customers(b, 64))
			o := r.observe(b, place, seconds(b))
			services, sidecars := r.perOrder(o)
			b.ReportMetric(ms(services+sidecars), "processor-ms/order")
			fmt.Fprintf(
				table,
				"%s\t%.1f\t%.2f\t%.2f\t%.2f\t%d\t%.0f %%\t\n",
				share,
				o.rate(),
				ms(services+sidecars),
				ms(services),
				ms(sidecars),
				spans.received.Load(),
				100*o.others,
			)
		})
	}
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
