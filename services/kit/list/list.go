package list

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"sidecart.dev/kit/sidecar"
)

// PageSize is the number of entries in a sealed page, and the largest number in a head.
const PageSize = 64

// Config describes a set of lists in one store. State is required; the zero value of anything else
// means its default.
type Config struct {
	State sidecar.State
	// Timeout is the deadline of one combined append, default 5 s.
	Timeout time.Duration
	// Window is how long appends to one list wait for each other at most while they come densely, see
	// package batch; zero: never. It is for a few lists that everybody appends to: what is known of
	// their pace is kept.
	Window time.Duration
}

// Lists appends to and reads lists. It is safe for concurrent use, by any number of processes on
// one store.
type Lists struct {
	cfg Config

	mu sync.Mutex
	// writers has, by prefix, the lists that are being appended to, or with a window once were.
	writers map[string]*writer
}

// New makes a Lists. It panics if the configuration has no State.
func New(cfg Config) *Lists {
	if cfg.State == nil {
		panic("list: Config.State is required")
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 5 * time.Second
	}
	return &Lists{cfg: cfg, writers: map[string]*writer{}}
}

// Entry is one id in a list.
type Entry struct {
	Seq uint64 // position, from 1, rising by one with each append
	ID  string
}

// head is the document of a list: the newest ids and the position of the next.
// Its first id has position Next-len(IDs), which is 1 more than a multiple of PageSize.
type head struct {
	Next uint64   `json:"next"`
	IDs  []string `json:"ids"`
}

// page is the document of a sealed page n: the ids of positions n*PageSize+1 to (n+1)*PageSize. It
// never changes.
type page struct {
	IDs []string `json:"ids"`
}

func headKey(prefix string) string           { return prefix + "/head" }
func pageKey(prefix string, n uint64) string { return fmt.Sprintf("%s/%d", prefix, n) }

// readHead returns the head of a list and its ETag. The ETag of an absent head is empty.
func (l *Lists) readHead(ctx context.Context, prefix string) (head, string, error) {
	item, err := l.cfg.State.Get(ctx, headKey(prefix))
	if sidecar.IsMissing(err) {
		return head{Next: 1}, "", nil
	}
	if err != nil {
		return head{}, "", fmt.Errorf("reading the head of a list: %w", err)
	}
	h, err := decode[head](item)
	return h, item.ETag, err
}

func decode[T any](item sidecar.Item) (T, error) {
	var doc T
	if err := json.Unmarshal(item.Value, &doc); err != nil {
		return doc, fmt.Errorf("list: %s holds something else: %w", item.Key, err)
	}
	return doc, nil
}

// encode marshals one of the document types, which cannot fail.
func encode(doc any) []byte {
	value, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return value
}
