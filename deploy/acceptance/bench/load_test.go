package bench

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// shop places one order as client i and returns its id and how long the answer took.
type shop func(ctx context.Context, client int) (order string, took time.Duration, err error)

// flow is what a closed loop of clients has measured.
type flow struct {
	Seconds float64
	Orders  int
	Post    sample // until the order is answered
	Whole   sample // until the customer has the receipt
}

func (f flow) rate() float64 { return float64(f.Orders) / f.Seconds }

// patience is how long one order may take before the benchmark fails.
const patience = 30 * time.Second

// load is a closed loop of clients.
type load struct {
	clients         int
	place           shop
	warmup, measure time.Duration
	begin, end      func() // called around what is measured
}

// drive lets clients order, each its next order when it has the receipt of the one before.
func (r *rig) drive(b *testing.B, l load) flow {
	b.Helper()
	ctx, stop := context.WithCancelCause(b.Context())
	defer stop(nil)
	var (
		mu       sync.Mutex
		counting bool
		result   flow
		workers  sync.WaitGroup
	)
	done := make(chan struct{})
	work := func(client int) error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		began := time.Now()
		order, took, err := l.place(ctx, client)
		if err != nil {
			return err
		}
		if err := r.sink.await(ctx, order); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if counting {
			result.Orders++
			result.Post = append(result.Post, took)
			result.Whole = append(result.Whole, time.Since(began))
		}
		return nil
	}
	for client := range l.clients {
		workers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := work(client); err != nil {
					stop(err)
					return
				}
			}
		})
	}
	count := func(on bool) time.Time {
		mu.Lock()
		defer mu.Unlock()
		counting = on
		return time.Now()
	}
	pause(ctx, l.warmup)
	l.begin()
	from := count(true)
	pause(ctx, l.measure)
	result.Seconds = count(false).Sub(from).Seconds()
	l.end()
	close(done)
	workers.Wait()
	require.NoError(b, context.Cause(ctx), "the load ended early")
	return result
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// sample is a number of durations.
type sample []time.Duration

// at returns a quantile, q in [0,1]; 0 if there is no sample.
func (s sample) at(q float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// ms is a duration as it is reported.
func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
