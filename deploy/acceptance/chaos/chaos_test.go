// Package chaos is the recovery suite: it breaks a running system in every way it is supposed to
// survive, under load, and then counts what was lost. One test breaks everything in random turns;
// another takes each server away for longer than anyone waits for it, and looks at whether that is
// noticed.
//
// CHAOS_ORDERS and CHAOS_FAULTS say how long it runs (at least that many of each), CHAOS_SEED
// repeats a run, and SIDECART_COMPONENTS, SIDECART_REDIS and SIDECART_BIN mean what they mean to
// the acceptance suite.
package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/harness"
	"sidecart.dev/local/stack"
)

// number returns the environment variable as a number.
func number(t *testing.T, name string, standard uint64) uint64 {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		return standard
	}
	n, err := strconv.ParseUint(value, 10, 64)
	require.NoError(t, err, name)
	return n
}

// run is one run of the suite.
type run struct {
	world *harness.World
	stack *harness.System
	seed  uint64
	rnd   *rand.Rand // the injector's own

	prober   *harness.Customer // asks whether everything is back
	products []string          // ids

	mu     sync.Mutex
	orders []*order
	failed int // attempts at an order that never got an answer
}

// order is one that was acknowledged.
type order struct {
	id, method string
	customer   *harness.Customer
	cancelled  bool // a cancellation was acknowledged
}

func TestNothingAcknowledgedIsLost(t *testing.T) {
	orders, faults := int(number(t, "CHAOS_ORDERS", 60)), int(number(t, "CHAOS_FAULTS", 12))
	seed := number(t, "CHAOS_SEED", rand.Uint64())
	t.Logf("CHAOS_SEED=%d CHAOS_ORDERS=%d CHAOS_FAULTS=%d", seed, orders, faults)
	r := start(t, seed)
	var table faultTable
	r.underLoad(t, func() {
		table = r.inject(t, faults, func() bool { return r.acknowledged() >= orders })
	})
	r.nothingLost(t, &table)
	require.GreaterOrEqual(t, r.acknowledged(), orders)
}

// underLoad lets customers shop while do breaks things, and returns when each has the answer to
// what it had begun.
func (r *run) underLoad(t *testing.T, do func()) {
	t.Helper()
	customers := make([]*harness.Customer, 8)
	for i := range customers {
		customers[i] = r.world.NewCustomer(t)
	}
	r.prober = r.world.NewCustomer(t)
	r.products = r.catalogue(t)
	load, stop := context.WithCancel(t.Context())
	defer stop()
	var workers sync.WaitGroup
	for i, customer := range customers {
		workers.Go(func() {
			rnd := rand.New(rand.NewPCG(r.seed, uint64(i)+1))
			for load.Err() == nil {
				r.shop(t.Context(), rnd, customer) // what was begun is seen to its answer
			}
		})
	}
	do()
	stop()
	workers.Wait()
}

// nothingLost waits for the end of all that was begun, prints what came of it below the table, and
// fails for what was lost.
func (r *run) nothingLost(t *testing.T, table fmt.Stringer) outcome {
	t.Helper()
	began := time.Now()
	outcome := r.verify(t)
	outcome.drain = time.Since(began)
	t.Log("\n" + table.String() + outcome.String())
	require.Empty(t, some(outcome.lost), "orders that were acknowledged and are gone or never ended")
	require.Empty(t, some(outcome.untold), "customers who were not told")
	require.Empty(t, some(outcome.wrong), "charges that do not fit their orders")
	require.Zero(t, outcome.ledgerDifference, "the ledger differs from the provider's record")
	return outcome
}

// some returns the first few, which is what a person can look into.
func some(list []string) []string { return list[:min(len(list), 5)] }

// start starts a system whose limits a load generator does not run into.
func start(t *testing.T, seed uint64, change ...func(*harness.System)) *run {
	t.Helper()
	return startIn(t, folder(t), seed, change...)
}

// folder is a temporary folder that every user may pass through, since PostgreSQL may run as
// another one. It is kept if the test fails.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sidecart-chaos-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o711)) //nolint:gosec // see above
	t.Cleanup(func() {
		if !t.Failed() {
			_ = os.RemoveAll(dir)
		}
	})
	return dir
}

// startIn starts it with its data in a folder.
func startIn(t *testing.T, dir string, seed uint64, change ...func(*harness.System)) *run {
	t.Helper()
	st, err := harness.StartSystem(t.Context(), stack.Options{
		File: "../../../dapr.yaml", StateDir: dir, FreePorts: true,
		Env: map[string]string{
			"RATE_LIMIT_ADDRESS": "100000", "RATE_LIMIT_USER": "100000", "RATE_LIMIT_SENSITIVE": "100000", "FLOOD_ORDERS_PER_HOUR": "0", "FLOOD_UNVERIFIED_PER_HOUR": "0", "FLOOD_SMS_PER_HOUR": "0", "FLOOD_SMS_PREFIX_PER_HOUR": "0",
		},
	}, change...)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
		defer cancel()
		if err := st.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
		if t.Failed() {
			t.Logf("logs are in %s", st.LogsDir)
		}
	})
	return &run{stack: st, seed: seed, rnd: rand.New(rand.NewPCG(seed, 0)), world: &harness.World{
		API: harness.NewAPI(st.GatewayURL, nil), Inbox: harness.Inbox{Base: st.InboxURL},
		Operator: harness.Login{Email: st.OperatorEmail, Password: st.OperatorPassword},
	}}
}

func (r *run) catalogue(t *testing.T) []string {
	t.Helper()
	var list harness.List[harness.Product]
	harness.Must(t, r.world.API, 200, "GET", "/api/v1/products", nil, &list)
	ids := make([]string, len(list.Items))
	for i, p := range list.Items {
		ids[i] = p.ID
	}
	require.NotEmpty(t, ids)
	return ids
}

func (r *run) acknowledged() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.orders)
}

// wait waits, or returns early when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// again calls f until it returns nil, ctx ends or the time is up.
func again(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := f(ctx)
		if err == nil {
			return nil
		}
		wait(ctx, 50*time.Millisecond)
		if ctx.Err() != nil {
			return fmt.Errorf("still so after %s: %w", limit, err)
		}
	}
}
