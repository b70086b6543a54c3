package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/sidecar/sidecartest"
)

// world is one store, several replicas of a service at work on it, and faults. It runs in a
// synctest bubble. After every write it checks the invariant that the whole package exists for:
//
//	an aggregate with unfinished business has its id in the live part of some lane's log
//
// where the live part is what a new owner would read. Aggregates are small: each write of a handler
// raises todo, and the settler raises done to it.
type world struct {
	mu     sync.Mutex
	state  *sidecartest.State
	rand   *rand.Rand
	lanes  int
	broken []string // violations
	quiet  bool     // no more faults
}

type aggregate struct {
	Todo int `json:"todo"`
	Done int `json:"done"`
}

const testTombstone = `{"tombstone":true}`

func newWorld(seed uint64, lanes int) *world {
	return &world{state: sidecartest.NewState(), rand: rand.New(rand.NewPCG(seed, seed)), lanes: lanes}
}

func (w *world) chance(p float64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rand.Float64() < p
}

// upTo returns a random duration, mostly short.
func (w *world) upTo(d time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.rand.Float64()
	return time.Duration(f * f * f * float64(d))
}

func (w *world) number() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rand.Uint64()
}

// mutate runs a write and checks the invariant. Writes and checks are serialised.
func (w *world) mutate(what string, write func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := write()
	if err == nil {
		w.check(what)
	}
	return err
}

func (w *world) check(what string) {
	live := w.liveIDs()
	for _, key := range w.state.Keys() {
		id, ok := strings.CutPrefix(key, "aggregate/")
		if !ok || live[id] {
			continue
		}
		item, _ := w.state.Get(context.Background(), key)
		var a aggregate
		if json.Unmarshal(item.Value, &a) == nil && a.Todo > a.Done {
			w.broken = append(w.broken, fmt.Sprintf("after %s: %s has unfinished business %+v, but no lane remembers it", what, id, a))
		}
	}
}

// liveIDs reads all lanes as a new owner would.
func (w *world) liveIDs() map[string]bool {
	ids := map[string]bool{}
	for n := range w.lanes {
		item, err := w.state.Get(context.Background(), fmt.Sprintf("journal/test/%d", n))
		if err != nil {
			continue
		}
		h, _ := decode[head]("", item.Value)
		read := func(seq uint64) bool {
			item, err := w.state.Get(context.Background(), fmt.Sprintf("journal/test/%d/%d", n, seq))
			if err != nil {
				return false
			}
			record, _ := decode[segmentRecord]("", item.Value)
			for _, r := range record.IDs {
				ids[r.ID] = true
			}
			return true
		}
		for _, seq := range h.Kept {
			if !read(seq) {
				w.broken = append(w.broken, fmt.Sprintf("lane %d: kept segment %d is missing", n, seq))
			}
		}
		for seq := h.Low; read(seq); seq++ {
		}
	}
	return ids
}

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
	r := &replica{world: w, name: name, stop: cancel, ended: make(chan struct{}), inSettler: map[string]int{}}
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

func (r *replica) Insert(ctx context.Context, key string, value []byte, opts ...sidecar.WriteOption) error {
	return r.write(ctx, "insert "+key, func() error { return r.state.Insert(context.Background(), key, value, opts...) })
}

func (r *replica) Update(ctx context.Context, key string, value []byte, etag string, opts ...sidecar.WriteOption) error {
	return r.write(ctx, "update "+key, func() error { return r.state.Update(context.Background(), key, value, etag, opts...) })
}

func (r *replica) Delete(ctx context.Context, key, etag string) error {
	return r.write(ctx, "delete "+key, func() error { return r.state.Delete(context.Background(), key, etag) })
}

// handle is a request: it adds one piece of business to an aggregate, following the rules of the
// package documentation. With first it tries an insert before it reads. It reports whether the
// client was told of success.
func (r *replica) handle(ctx context.Context, id string, first bool) bool {
	key := "aggregate/" + id
	var item sidecar.Item
	if !first {
		var err error
		if item, err = r.Get(ctx, key); err != nil && !sidecar.IsMissing(err) {
			return false
		}
	}
	for range 5 {
		ticket, err := r.journal.Begin(ctx, id)
		if err != nil {
			return false
		}
		time.Sleep(r.upTo(10 * time.Second))
		var a aggregate
		_ = json.Unmarshal(item.Value, &a) // nothing and a tombstone have nothing to do
		a.Todo++
		whole := r.chance(0.2) // the handler does all the business at once
		if whole {
			a.Done = a.Todo
		}
		if item.ETag == "" {
			err = r.Insert(ctx, key, encode(a))
		} else {
			err = r.Update(ctx, key, encode(a), item.ETag)
		}
		time.Sleep(r.upTo(time.Second))
		switch {
		case err == nil:
			switch {
			case whole:
				ticket.Finish()
			case r.chance(0.8):
				ticket.Wrote()
			case r.chance(0.5):
				ticket.Release()
			default: // a handler that hangs or has a defect
			}
			return true
		case sidecar.IsExists(err), sidecar.IsConflict(err):
			ticket.Wrote()
		default:
			ticket.Release()
			return false
		}
		if item, err = r.Get(ctx, key); err != nil && !sidecar.IsMissing(err) {
			return false
		}
	}
	return false
}

// finish tells the journal what somebody saw who is not the settler.
func (r *replica) finish(ctx context.Context, id string) {
	asOf := time.Now()
	item, err := r.Get(ctx, "aggregate/"+id)
	var a aggregate
	if err == nil && json.Unmarshal(item.Value, &a) == nil && a.Todo == a.Done {
		time.Sleep(r.upTo(5 * time.Second))
		r.journal.Finish(asOf, id)
	}
}

// Settle drives aggregates on, and sometimes fails.
func (r *replica) Settle(ctx context.Context, entries []Entry) (finished []string, err error) {
	r.enter(entries, 1)
	defer r.enter(entries, -1)
	for _, e := range entries {
		if done, err := r.drive(ctx, e); err != nil {
			return finished, err
		} else if done {
			finished = append(finished, e.ID)
		}
	}
	return finished, nil
}

func (r *replica) drive(ctx context.Context, e Entry) (finished bool, err error) {
	key := "aggregate/" + e.ID
	if e.Fence {
		if _, ok, err := Fence(ctx, r, key, []byte(testTombstone), 24*time.Hour); err != nil || !ok {
			return err == nil, err
		}
	}
	item, err := r.Get(ctx, key)
	if sidecar.IsMissing(err) {
		return true, nil
	}
	var a aggregate
	if err == nil {
		err = json.Unmarshal(item.Value, &a)
	}
	if err != nil || a.Todo == a.Done {
		return err == nil, err
	}
	if time.Sleep(r.upTo(5 * time.Second)); r.chance(0.2) {
		return false, nil // the next service does not answer
	}
	a.Done = a.Todo
	err = r.Update(ctx, key, encode(a), item.ETag)
	if sidecar.IsConflict(err) {
		return false, nil
	}
	return err == nil, err
}

// enter checks that no id is settled twice at a time by one process.
func (r *replica) enter(entries []Entry, by int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range entries {
		if r.inSettler[e.ID] += by; r.inSettler[e.ID] > 1 {
			r.broken = append(r.broken, fmt.Sprintf("%s was offered %s twice at a time", r.name, e.ID))
		}
	}
}
