package list_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/list"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/sidecar/sidecartest"
)

// flaky is a process's view of the store: calls take time, fail before or after they take effect,
// or take effect long after their caller has given up, as they do when the process or its sidecar
// dies at that call.
type flaky struct {
	*sidecartest.State
	mu    sync.Mutex
	rand  *rand.Rand
	fails float64
}

var errInjected = fault.New(fault.Unavailable, "unavailable", "injected")

func (f *flaky) do(effect func() error) error {
	f.mu.Lock()
	delay := time.Duration(f.rand.IntN(int(5 * time.Millisecond)))
	luck, kind := f.rand.Float64(), f.rand.IntN(3)
	f.mu.Unlock()
	time.Sleep(delay)
	if luck >= f.fails {
		return effect()
	}
	switch kind {
	case 0:
	case 1:
		_ = effect()
	case 2:
		go func() {
			time.Sleep(100 * delay)
			_ = effect()
		}()
	}
	return errInjected
}

func (f *flaky) Get(ctx context.Context, key string) (sidecar.Item, error) {
	item, err := f.State.Get(context.WithoutCancel(ctx), key)
	if err := f.do(func() error { return nil }); err != nil { // the answer is old when it arrives
		return sidecar.Item{}, err
	}
	return item, err
}

// BulkGet is no snapshot.
func (f *flaky) BulkGet(ctx context.Context, keys []string) (map[string]sidecar.Item, error) {
	items := map[string]sidecar.Item{}
	f.mu.Lock()
	order := f.rand.Perm(len(keys))
	f.mu.Unlock()
	for _, i := range order {
		switch item, err := f.State.Get(ctx, keys[i]); {
		case err == nil:
			items[keys[i]] = item
		case !sidecar.IsMissing(err):
			return nil, err
		}
		time.Sleep(time.Millisecond)
	}
	return items, nil
}

func (f *flaky) Insert(ctx context.Context, key string, value []byte,
	opts ...sidecar.WriteOption,
) error {
	return f.do(func() error {
		return f.State.Insert(context.WithoutCancel(ctx), key, value, opts...)
	})
}

func (f *flaky) Update(ctx context.Context, key string, value []byte, etag string,
	opts ...sidecar.WriteOption,
) error {
	return f.do(func() error {
		return f.State.Update(context.WithoutCancel(ctx), key, value, etag, opts...)
	})
}

// TestEveryAnsweredAppendStandsAtItsPosition lets several processes append to one list and read it
// while calls to the store fail in every way. What an append returned must be true for ever, and
// every page must agree with the list.
func TestEveryAnsweredAppendStandsAtItsPosition(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		processes := rapid.IntRange(1, 4).Draw(rt, "processes")
		appends := rapid.SliceOfN(rapid.IntRange(1, 90), 1, 30).Draw(rt, "appends")
		fails := rapid.SampledFrom([]float64{0, 0.05, 0.3}).Draw(rt, "fails")
		var problem string
		synctest.Test(t, func(t *testing.T) {
			problem = simulate(t.Context(), seed, processes, appends, fails)
		})
		if problem != "" {
			rt.Fatal(problem)
		}
	})
}

func simulate(ctx context.Context, seed uint64, processes int, appends []int, fails float64,
) (problem string) {
	state := sidecartest.NewState()
	var lists []*list.Lists
	for i := range processes {
		f := &flaky{State: state, rand: rand.New(rand.NewPCG(seed, uint64(i))), fails: fails}
		lists = append(lists, list.New(list.Config{State: f}))
	}
	var mu sync.Mutex
	report := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		problem = fmt.Sprintf(format, args...)
	}
	answered := map[uint64]string{}
	var wg sync.WaitGroup
	for i, n := range appends {
		wg.Go(func() {
			batch := make([]string, n)
			for k := range batch {
				batch[k] = fmt.Sprintf("%d-%d", i, k)
			}
			seqs, err := lists[i%processes].AppendAll(ctx, "list", batch)
			if err != nil {
				return
			}
			mu.Lock()
			for k, seq := range seqs {
				answered[seq] = batch[k]
			}
			mu.Unlock()
		})
		wg.Go(func() { // a reader sees positions in order, and no gap, whatever happens meanwhile
			var before uint64
			for range 3 {
				entries, next, err := lists[(i+1)%processes].Page(ctx, "list", before, 70)
				if err != nil || len(entries) == 0 {
					return
				}
				if before > 0 && entries[0].Seq != before-1 {
					report("the page below %d begins with %d", before, entries[0].Seq)
				}
				for k := 1; k < len(entries); k++ {
					if entries[k].Seq != entries[k-1].Seq-1 {
						report("%d follows %d", entries[k].Seq, entries[k-1].Seq)
					}
				}
				if before = next; before == 0 {
					return
				}
			}
		})
		time.Sleep(time.Duration(i%3) * time.Millisecond)
	}
	wg.Wait()
	time.Sleep(time.Minute) // late writes
	synctest.Wait()
	if problem != "" {
		return problem
	}
	return compare(ctx, state, answered, fails == 0)
}

// compare checks the list in the store against the answers.
func compare(ctx context.Context, state *sidecartest.State, answered map[uint64]string, exact bool,
) string {
	l := list.New(list.Config{State: state})
	var before uint64
	found := map[uint64]string{}
	for {
		entries, next, err := l.Page(ctx, "list", before, 100)
		if err != nil {
			return "reading the list at the end: " + err.Error()
		}
		for _, e := range entries {
			found[e.Seq] = e.ID
		}
		if before = next; next == 0 {
			break
		}
	}
	for seq, id := range answered {
		if found[seq] != id {
			return fmt.Sprintf("%s was told position %d, where %q stands", id, seq, found[seq])
		}
	}
	if exact && len(found) != len(answered) {
		return fmt.Sprintf("without faults the list has %d entries, but %d were appended",
			len(found), len(answered))
	}
	return ""
}
