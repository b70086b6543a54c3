package peers

import (
	"context"
	"sync"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/notifications"
)

// batcher turns lookups of contacts that happen at the same time into one: while a call is under
// way, further lookups gather for the next. An idle batcher adds no delay. It is safe for
// concurrent use.
type batcher struct {
	size  int
	fetch func(ctx context.Context, ids []string) (map[string]notifications.Contact, error)

	mu      sync.Mutex
	running int
	waiting []*lookup
}

// batchTimeout bounds a shared call, which outlives the lookup that started it.
const batchTimeout = 8 * time.Second

// batchParallel is how many calls may be under way at once: one would make every lookup wait out
// another's.
const batchParallel = 2

type lookup struct {
	id    string
	done  chan struct{}
	value notifications.Contact
	ok    bool
	err   error
}

func newBatcher(size int, fetch func(context.Context, []string) (map[string]notifications.Contact, error)) *batcher {
	return &batcher{size: size, fetch: fetch}
}

// get looks an id up; ok = false if there is no such id. What it returns was read after get was
// called.
func (b *batcher) get(ctx context.Context, id string) (value notifications.Contact, ok bool, err error) {
	l := &lookup{id: id, done: make(chan struct{})}
	b.mu.Lock()
	b.waiting = append(b.waiting, l)
	if b.running < batchParallel {
		b.running++
		go b.run(context.WithoutCancel(ctx))
	}
	b.mu.Unlock()
	select {
	case <-l.done:
		return l.value, l.ok, l.err
	case <-ctx.Done():
		return value, false, timedOut(ctx)
	}
}

func (b *batcher) run(ctx context.Context) {
	for {
		b.mu.Lock()
		n := min(b.size, len(b.waiting))
		if n == 0 {
			b.running--
			b.mu.Unlock()
			return
		}
		batch := b.waiting[:n:n]
		b.waiting = b.waiting[n:]
		b.mu.Unlock()
		b.look(ctx, batch)
	}
}

func (b *batcher) look(ctx context.Context, batch []*lookup) {
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	ids, seen := make([]string, 0, len(batch)), make(map[string]bool, len(batch))
	for _, l := range batch {
		if !seen[l.id] {
			seen[l.id] = true
			ids = append(ids, l.id)
		}
	}
	var found map[string]notifications.Contact
	err := fault.Guard(ctx, func() (err error) {
		found, err = b.fetch(ctx, ids)
		return err
	})
	for _, l := range batch {
		l.value, l.ok = found[l.id]
		l.err = err
		close(l.done)
	}
}
