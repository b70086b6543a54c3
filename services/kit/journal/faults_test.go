package journal

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// replica is one process of the service: a journal, handlers and a settler.
type replica struct {
	*world
	name    string
	journal *Journal
	stop    context.CancelFunc
	ended   chan struct{}

	crashed   bool // guarded by world.mu: no call of this process reaches the store any more
	frozen    time.Time
	crashIn   int     // calls until it crashes; 0: never
	faults    float64 // probability of a fault for each call
	inSettler map[string]int
}

func (w *world) start(name string, cfg Config) *replica {
	ctx, cancel := context.WithCancel(context.Background())
	r := &replica{
		world: w, name: name, stop: cancel, ended: make(chan struct{}), inSettler: map[string]int{},
	}
	cfg.Name, cfg.State, cfg.lanes, cfg.rand = "test", r, w.lanes, w.number
	cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	j, err := New(cfg)
	if err != nil {
		panic(err)
	}
	r.journal = j
	go func() {
		defer close(r.ended)
		_ = j.Run(ctx, r)
	}()
	return r
}

// crash stops the process from reaching the store. What it told its clients before stays told.
func (r *replica) crash() {
	r.mu.Lock()
	r.crashed = true
	r.mu.Unlock()
	r.stop()
}

func (r *replica) freeze(d time.Duration) {
	r.mu.Lock()
	r.frozen = time.Now().Add(d)
	r.mu.Unlock()
}

var errInjected = fault.New(fault.Unavailable, "unavailable", "injected")

// fate decides what happens to one call.
type fate int

const (
	fine   fate = iota
	before      // fails without effect
	after       // takes effect, and fails
	late        // takes effect after the caller has given up
	dies        // takes no effect, and the process dies
	after2      // takes effect, and the process dies
)

func (r *replica) fate(ctx context.Context) (fate, error) {
	time.Sleep(r.upTo(20 * time.Millisecond))
	r.mu.Lock()
	wait := time.Until(r.frozen)
	r.mu.Unlock()
	if wait > 0 {
		select {
		case <-ctx.Done():
			return fine, fault.Wrap(ctx.Err(), fault.Timeout, "timeout", "frozen")
		case <-time.After(wait):
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.crashed:
		return fine, errInjected
	case r.quiet:
		return fine, ctx.Err()
	}
	if r.crashIn > 0 {
		if r.crashIn--; r.crashIn == 0 {
			return []fate{dies, after2}[r.rand.IntN(2)], nil
		}
	}
	if r.rand.Float64() < r.faults {
		return []fate{before, after, late}[r.rand.IntN(3)], nil
	}
	return fine, ctx.Err()
}

// write carries a write out as fate has it.
func (r *replica) write(ctx context.Context, what string, effect func() error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	f, err := r.fate(ctx)
	if err != nil {
		return err
	}
	effect2 := func() error { return r.mutate(r.name+" "+what, effect) }
	switch f {
	case before:
		return errInjected
	case after:
		_ = effect2()
		return errInjected
	case late:
		go func() {
			time.Sleep(r.upTo(time.Minute))
			_ = effect2()
		}()
		<-ctx.Done()
		return fault.Wrap(ctx.Err(), fault.Timeout, "timeout", "late")
	case dies:
		r.crash()
		return errInjected
	case after2:
		r.crash()
		_ = effect2()
		return errInjected
	default:
		return effect2()
	}
}

func (r *replica) read(ctx context.Context) error {
	f, err := r.fate(ctx)
	switch {
	case err != nil:
		return err
	case f == dies, f == after2:
		r.crash()
		return errInjected
	case f != fine:
		return errInjected
	}
	return nil
}

func (r *replica) Get(ctx context.Context, key string) (sidecar.Item, error) {
	if err := r.read(ctx); err != nil {
		return sidecar.Item{}, err
	}
	defer time.Sleep(r.upTo(20 * time.Millisecond))
	return r.state.Get(ctx, key)
}

// BulkGet is no snapshot: it reads the keys one after the other, in any order, while others write.
func (r *replica) BulkGet(ctx context.Context, keys []string) (map[string]sidecar.Item, error) {
	if err := r.read(ctx); err != nil {
		return nil, err
	}
	items := map[string]sidecar.Item{}
	keys = slices.Clone(keys)
	r.mu.Lock()
	r.rand.Shuffle(len(keys), func(a, b int) { keys[a], keys[b] = keys[b], keys[a] })
	r.mu.Unlock()
	for i, key := range keys {
		if i%30 == 10 {
			time.Sleep(r.upTo(10 * time.Millisecond))
		}
		item, err := r.state.Get(ctx, key)
		if sidecar.IsMissing(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		items[key] = item
	}
	return items, nil
}

func (r *replica) Insert(ctx context.Context, key string, value []byte,
	opts ...sidecar.WriteOption,
) error {
	return r.write(ctx, "insert "+key, func() error {
		return r.state.Insert(context.Background(), key, value, opts...)
	})
}

func (r *replica) Update(ctx context.Context, key string, value []byte, etag string,
	opts ...sidecar.WriteOption,
) error {
	return r.write(ctx, "update "+key, func() error {
		return r.state.Update(context.Background(), key, value, etag, opts...)
	})
}

func (r *replica) Delete(ctx context.Context, key, etag string) error {
	return r.write(ctx, "delete "+key, func() error {
		return r.state.Delete(context.Background(), key, etag)
	})
}
