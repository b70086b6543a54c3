package journal

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/sidecar/sidecartest"
)

// recorder is a settler that remembers what it was offered and when.
type recorder struct {
	mu      sync.Mutex
	start   time.Time
	offers  []Entry
	at      []time.Duration
	finish  func(Entry) bool // nil: finish everything
	failing func([]Entry) error
}

func newRecorder() *recorder { return &recorder{start: time.Now()} }

func (r *recorder) Settle(_ context.Context, entries []Entry) (finished []string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failing != nil {
		if err := r.failing(entries); err != nil {
			return nil, err
		}
	}
	for _, e := range entries {
		r.offers, r.at = append(r.offers, e), append(r.at, time.Since(r.start))
		if r.finish == nil || r.finish(e) {
			finished = append(finished, e.ID)
		}
	}
	return finished, nil
}

func (r *recorder) offered(id string) (entries []Entry, at []time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, e := range r.offers {
		if e.ID == id {
			entries, at = append(entries, e), append(at, r.at[i])
		}
	}
	return entries, at
}

func never(Entry) bool { return false }

// run starts a journal and waits until it is ready. The returned function stops it and waits.
func run(t *testing.T, cfg Config, settler Settler) (*Journal, func()) {
	t.Helper()
	j, stop := runAnyway(t, cfg, settler)
	if err := j.Ready(); err != nil {
		t.Fatalf("the journal is not ready: %v", err)
	}
	return j, stop
}

func runAnyway(t *testing.T, cfg Config, settler Settler) (*Journal, func()) {
	t.Helper()
	cfg.Name = "test"
	cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	j, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- j.Run(ctx, settler) }()
	synctest.Wait()
	return j, sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
}

func begin(t *testing.T, j *Journal, id string) *Ticket {
	t.Helper()
	ticket, err := j.Begin(t.Context(), id)
	if err != nil {
		t.Fatalf("Begin(%s): %v", id, err)
	}
	return ticket
}

// segments returns the keys of all segments in the store.
func segments(state *sidecartest.State) (keys []string) {
	for _, key := range state.Keys() {
		if strings.Count(key, "/") == 3 {
			keys = append(keys, key)
		}
	}
	return keys
}

// durable reports whether an id stands in some segment.
func durable(t *testing.T, state *sidecartest.State, id string) bool {
	t.Helper()
	for _, key := range segments(state) {
		item, err := state.Get(t.Context(), key)
		if err == nil && strings.Contains(string(item.Value), `"`+id+`"`) {
			return true
		}
	}
	return false
}
