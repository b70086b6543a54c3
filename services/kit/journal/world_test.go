package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

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
			w.broken = append(w.broken, fmt.Sprintf(
				"after %s: %s has unfinished business %+v, but no lane remembers it", what, id, a))
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
