package bench

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/harness"
)

// BenchmarkOneClient measures what one customer waits for on an idle system, beside what the way
// through two sidecars costs at that moment: one invocation, by the gateway's sidecar, of an empty
// handler of orders.
func BenchmarkOneClient(b *testing.B) {
	r := start(b, setup{file: runFile})
	customers := r.customers(b, 1)
	place := r.shop(b, customers)
	var invoke, post, paid sample
	const warmup = 20
	for i := range warmup + number(b, "BENCH_SAMPLES", 300) {
		bare := r.invoke(b)
		began := time.Now()
		id, took, err := place(b.Context(), 0)
		require.NoError(b, err)
		r.awaitPaid(b, customers[0], id)
		visible := time.Since(began)
		ctx, cancel := context.WithTimeout(b.Context(), patience)
		require.NoError(b, r.sink.await(ctx, id)) // so that the next order finds an idle system
		cancel()
		if i >= warmup {
			invoke, post, paid = append(invoke, bare), append(post, took), append(paid, visible)
		}
	}
	b.ReportMetric(ms(invoke.at(.50)), "invoke-p50-ms")
	b.ReportMetric(ms(post.at(.50)), "post-p50-ms")
	b.ReportMetric(ms(post.at(.99)), "post-p99-ms")
	b.ReportMetric(ms(paid.at(.50)), "paid-p50-ms")
	ratio := ms(post.at(.50)) / ms(invoke.at(.50))
	summary.section("One client")
	summary.fact("bare invocation of an empty handler, p50", "%.1f ms", ms(invoke.at(.50)))
	summary.fact("POST /orders, p50 p95 p99", "%.1f %.1f %.1f ms", ms(post.at(.50)), ms(post.at(.95)), ms(post.at(.99)))
	summary.bar("POST p50 / bare invocation p50", fmt.Sprintf("%.2f", ratio), "≤ 3", ratio <= 3)
	summary.bar("POST p99", fmt.Sprintf("%.1f ms", ms(post.at(.99))), "≤ 50 ms", ms(post.at(.99)) <= 50)
	summary.bar("POST → paid visible, p50", fmt.Sprintf("%.1f ms", ms(paid.at(.50))), "≤ 50 ms", ms(paid.at(.50)) <= 50)
}

// invoke calls an empty handler by way of two sidecars and returns how long that took.
func (r *rig) invoke(b *testing.B) time.Duration {
	b.Helper()
	gateway, err := r.stack.App("gateway")
	require.NoError(b, err)
	api := harness.API{Base: gateway.SidecarURL, Client: r.world.API.Client}
	began := time.Now()
	answer, err := api.Do(b.Context(), http.MethodGet, "/healthz", nil,
		harness.Header("dapr-app-id", "orders"), harness.Header("dapr-api-token", gateway.SidecarToken))
	took := time.Since(began)
	require.NoError(b, err)
	require.Equal(b, http.StatusOK, answer.Status)
	return took
}

// awaitPaid reads the order until it is paid.
func (r *rig) awaitPaid(b *testing.B, c *harness.Customer, id string) {
	b.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		order := c.Order(b, id)
		if order.Status == "paid" {
			return
		}
		require.True(b, time.Now().Before(end), "order %s is still %s", id, order.Status)
	}
}
