package bench

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/bench/plan"
	"sidecart.dev/acceptance/harness"
)

// BenchmarkOrderFlow measures how many orders a second are carried from POST to the customer's
// receipt: by Sidecart as it is, by sidecars whose apps do nothing but make the same calls, and by
// two simpler designs.
func BenchmarkOrderFlow(b *testing.B) {
	var sidecart, bare, single, outbox observed
	b.Run("sidecart", func(b *testing.B) {
		r := start(b, setup{file: runFile})
		sidecart = r.observe(b, r.shop(b, r.customers(b, 64)), seconds(b))
		sidecart.memory = r.memory()
		for _, app := range r.stack.Apps() {
			b.ReportMetric(sidecart.memory[app.ID], app.ID+"-MB")
		}
	})
	b.Run("bare sidecars", func(b *testing.B) {
		if sidecart.Orders == 0 {
			b.Skip("it repeats what sidecart was seen to do: run both")
		}
		path := filepath.Join(b.TempDir(), "plan.json")
		require.NoError(b, sidecart.plan.Save(path))
		r := start(b, setup{file: bareFile(b), env: map[string]string{"BARE_PLAN": path}})
		bare = r.observe(b, r.bareShop(), seconds(b))
	})
	b.Run("without group commit", func(b *testing.B) {
		r := start(b, setup{file: runFile, env: map[string]string{"JOURNAL_GROUP_COMMIT": "false"}})
		single = r.observe(b, r.shop(b, r.customers(b, 64)), seconds(b))
	})
	b.Run("built-in outbox", func(b *testing.B) {
		components, err := filepath.Abs("testdata/outbox.yaml")
		require.NoError(b, err)
		r := start(b, setup{file: bareFile(b), env: map[string]string{"BARE_OUTBOX": "true"}, replace: []string{components}})
		outbox = r.observe(b, r.bareShop(), min(seconds(b), 10*time.Second)) // its rate is the same after a minute
	})
	reportFlow(sidecart, bare, single, outbox)
}

func seconds(b *testing.B) time.Duration {
	b.Helper()
	return time.Duration(number(b, "BENCH_SECONDS", 20)) * time.Second
}

// observed is a flow with what the sidecars and the processor did meanwhile.
type observed struct {
	flow
	plan plan.Plan
	cpu  map[string]time.Duration // by process, for all orders together
	// others is the share of the processors that went to what does not belong to the system meanwhile.
	others float64

	memory map[string]float64 // by process, in MB
}

// observe runs the load and reports it.
func (r *rig) observe(b *testing.B, place shop, measure time.Duration) observed {
	b.Helper()
	warmup := time.Duration(number(b, "BENCH_WARMUP", 5)) * time.Second
	var before, after map[string]counters
	var o observed
	var busy time.Duration
	o.flow = r.drive(b, load{
		clients: number(b, "BENCH_CLIENTS", 64), warmup: warmup, measure: measure, place: place,
		begin: func() { before, o.cpu, busy = r.readCounters(b), r.cpu(), busyTime() },
		end: func() {
			busy = busyTime() - busy
			for name, used := range r.cpu() {
				o.cpu[name] = used - o.cpu[name]
				busy -= o.cpu[name]
			}
			after = r.readCounters(b)
		},
	})
	for id := range after {
		after[id] = after[id].since(before[id])
	}
	o.others = max(0, busy.Seconds()/o.Seconds/float64(runtime.NumCPU()))
	o.plan = planOf(after, max(1, o.Orders))
	b.ReportMetric(o.rate(), "orders/s")
	b.ReportMetric(ms(o.Post.at(.50)), "p50-ms")
	b.ReportMetric(ms(o.Post.at(.95)), "p95-ms")
	b.ReportMetric(ms(o.Post.at(.99)), "p99-ms")
	b.ReportMetric(ms(o.Whole.at(.50)), "receipt-p50-ms")
	return o
}

// shop returns what places orders as one of the customers.
func (r *rig) shop(b *testing.B, customers []*harness.Customer) shop {
	b.Helper()
	body := fmt.Appendf(nil, `{"items":[{"product_id":%q,"quantity":1}],"payment_method":"tok_visa"}`, r.product(b))
	return func(ctx context.Context, client int) (string, time.Duration, error) {
		c := customers[client%len(customers)]
		return r.post(ctx, "/api/v1/orders", body, harness.Token(c.AccessToken), harness.Key(uuid.NewString()))
	}
}

// post places an order and returns its id and how long the answer took.
func (r *rig) post(ctx context.Context, path string, body []byte, opts ...harness.Option) (string, time.Duration, error) {
	began := time.Now()
	answer, err := r.world.API.Do(ctx, http.MethodPost, path, body, opts...)
	took := time.Since(began)
	if err == nil && answer.Status != http.StatusCreated {
		err = fmt.Errorf("POST %s answered %d: %s", path, answer.Status, answer.Body)
	}
	if err != nil {
		return "", took, err
	}
	var order struct {
		ID string `json:"id"`
	}
	err = answer.Into(&order)
	return order.ID, took, err
}
