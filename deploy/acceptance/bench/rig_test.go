package bench

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/harness"
	"sidecart.dev/local/stack"
)

// runFile is the system that is measured.
const runFile = "../../../dapr.yaml"

// number is a knob: an environment variable, or its default.
func number(b *testing.B, name string, standard int) int {
	b.Helper()
	value := os.Getenv(name)
	if value == "" {
		return standard
	}
	n, err := strconv.Atoi(value)
	require.NoError(b, err, name)
	return n
}

// rig is a running system with its mail going to a sink.
type rig struct {
	stack *stack.Stack
	sink  *sink
	world *harness.World
	took  time.Duration // to start
}

// setup says what to start.
type setup struct {
	file    string
	env     map[string]string
	replace []string // resource files, besides those of the environment
}

// start starts the system of a run file for the length of a benchmark, with limits that a load
// generator does not run into.
func start(b *testing.B, s setup) *rig {
	b.Helper()
	dir, err := os.MkdirTemp("", "sidecart-bench-")
	require.NoError(b, err)
	r := &rig{sink: startSink(b)}
	all := map[string]string{
		"RATE_LIMIT_ADDRESS": "1000000", "RATE_LIMIT_USER": "1000000", "RATE_LIMIT_SENSITIVE": "1000000", "FLOOD_ORDERS_PER_HOUR": "0", "FLOOD_UNVERIFIED_PER_HOUR": "0", "FLOOD_SMS_PER_HOUR": "0", "FLOOD_SMS_PREFIX_PER_HOUR": "0",
	}
	maps.Copy(all, s.env)
	began := time.Now()
	r.stack, err = stack.Start(b.Context(), stack.Options{
		File: s.file, StateDir: dir, FreePorts: true, BinDir: binaries(b), Env: all,
		Components: os.Getenv("SIDECART_COMPONENTS"), InProcessRedis: os.Getenv("SIDECART_REDIS") == "in-process",
		Replace: append(replaced(b, r.sink.component(b, dir)), s.replace...),
	})
	require.NoError(b, err, "the stack did not start; its logs are in %s", dir)
	r.took = time.Since(began)
	b.Cleanup(func() {
		r.stop(b)
		if b.Failed() {
			b.Logf("logs are in %s", r.stack.LogsDir)
			return
		}
		_ = os.RemoveAll(dir)
	})
	r.world = &harness.World{API: harness.NewAPI(r.stack.GatewayURL, nil)}
	return r
}

// stop ends the system, at the latest when the benchmark ends.
func (r *rig) stop(b *testing.B) {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := r.stack.Stop(ctx); err != nil {
		b.Errorf("stop: %v", err)
	}
}

// replaced are the sink's component and what the environment replaces besides.
func replaced(b *testing.B, email string) []string {
	b.Helper()
	files := []string{email}
	for _, path := range strings.FieldsFunc(os.Getenv("SIDECART_REPLACE"), func(r rune) bool { return r == ',' }) {
		if !filepath.IsAbs(path) { // it is relative to the run file, which the bare apps have elsewhere
			var err error
			path, err = filepath.Abs(filepath.Join(filepath.Dir(runFile), path))
			require.NoError(b, err)
		}
		files = append(files, path)
	}
	return files
}

// made is the folder that binaries made.
var made string

// binaries is the folder of the services' binaries, which all benchmarks share.
func binaries(b *testing.B) string {
	b.Helper()
	if dir := os.Getenv("SIDECART_BIN"); dir != "" {
		dir, err := filepath.Abs(dir)
		require.NoError(b, err)
		return dir
	}
	if made == "" {
		var err error
		made, err = os.MkdirTemp("", "sidecart-bench-bin-")
		require.NoError(b, err)
	}
	return made
}

// customers registers several, a few at a time: hashing passwords is meant to be slow.
func (r *rig) customers(b *testing.B, n int) []*harness.Customer {
	b.Helper()
	all := make([]*harness.Customer, n)
	slots := make(chan struct{}, 4)
	var wg sync.WaitGroup
	for i := range all {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			all[i] = r.world.NewCustomer(b)
		})
	}
	wg.Wait()
	require.False(b, b.Failed(), "a customer could not register")
	return all
}

// product returns something to order.
func (r *rig) product(b *testing.B) string {
	b.Helper()
	var products harness.List[harness.Product]
	harness.Must(b, r.world.API, 200, "GET", "/api/v1/products", nil, &products)
	require.NotEmpty(b, products.Items)
	return products.Items[0].ID
}
