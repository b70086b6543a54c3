package bench

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/harness"
	"sidecart.dev/kit/list"
)

// BenchmarkReads measures reads in a store with a few orders and with many.
func BenchmarkReads(b *testing.B) {
	r := start(b, setup{file: runFile})
	many, samples := number(b, "BENCH_ORDERS", 100_000), number(b, "BENCH_SAMPLES", 300)
	customers, product := r.customers(b, 3), r.product(b)
	reader, small, big := customers[0], customers[1], customers[2]
	var ids []string
	for range 10 {
		ids = append(ids, reader.Place(b, product, "tok_visa").ID)
	}
	for _, id := range ids {
		reader.AwaitStatus(b, id, "paid")
	}
	readOrders := func() sample {
		return readInTurn(b, samples, func(i int) time.Duration {
			return r.read(b, reader, "/api/v1/orders/"+ids[i%len(ids)])
		})[0]
	}
	few := readOrders()

	began := time.Now()
	sow(b, r, ids[0], small, 100)
	sow(b, r, ids[0], big, many)
	seeded := time.Since(began)
	lots := readOrders()

	page := func(c *harness.Customer, cursor string) func(int) time.Duration {
		return func(int) time.Duration { return r.read(b, c, "/api/v1/orders?limit=20&cursor="+cursor) }
	}
	inside := func(c *harness.Customer, n int) string {
		return list.EncodeCursor("orders-of/"+c.User.ID, uint64(n/2))
	}
	pages := readInTurn(b, samples, page(small, ""), page(big, ""), page(small, inside(small, 100)), page(big, inside(big, many)))

	summary.section(fmt.Sprintf("Reads, p50 (%d orders were seeded in %.0f s)", many, seeded.Seconds()))
	compare(b, "order", fmt.Sprintf("GET /orders/{id}, 10 → %d orders stored", many), few, lots)
	compare(b, "first-page", fmt.Sprintf("GET /orders of a customer with 100 → %d", many), pages[0], pages[1])
	compare(b, "inner-page", "the same, a page deep inside", pages[2], pages[3])
}

// readInTurn times several reads one after the other, round after round, so that all suffer the
// same disturbances.
func readInTurn(b *testing.B, rounds int, reads ...func(round int) time.Duration) []sample {
	b.Helper()
	const warmup = 50
	samples := make([]sample, len(reads))
	for i := range warmup + rounds {
		for j, read := range reads {
			if took := read(i); i >= warmup {
				samples[j] = append(samples[j], took)
			}
		}
	}
	return samples
}

// read makes one request as a customer and returns how long it took.
func (r *rig) read(b *testing.B, c *harness.Customer, path string) time.Duration {
	b.Helper()
	began := time.Now()
	answer, err := r.world.API.Do(b.Context(), http.MethodGet, path, nil, harness.Token(c.AccessToken))
	took := time.Since(began)
	require.NoError(b, err)
	require.Equal(b, http.StatusOK, answer.Status, "%s answered %s", path, answer.Body)
	return took
}

// noise is by how much two measurements of the same thing differ on a machine that does other
// things too.
const noise = 1.25

func compare(b *testing.B, metric, what string, few, many sample) {
	b.Helper()
	before, after := ms(few.at(.5)), ms(many.at(.5))
	b.ReportMetric(before, metric+"-few-p50-ms")
	b.ReportMetric(after, metric+"-many-p50-ms")
	summary.bar(what, fmt.Sprintf("%.1f → %.1f ms", before, after), "the same", after <= before*noise)
}
