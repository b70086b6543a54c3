package dapr

import (
	"context"
	"sync"
	"time"
)

// batcher turns lookups that happen at the same time into one: while a call is under way, further lookups gather for the next.
// An idle batcher adds no delay. It is safe for concurrent use.
type batcher[T any] struct {
	size  int
	fetch func(ctx context.Context, ids []string) (map[string]T, error)

	mu      sync.Mutex
	running int
	waiting []*lookup[T]
}

// batchTimeout bounds a shared call, which outlives the lookup that started it.
const batchTimeout = 8 * time.Second

// batchParallel is how many calls may be under way at once: one would make every lookup wait out another's.
const batchParallel = 2

type lookup[T any] struct {
	id    string
	done  chan struct{}
	value T
	ok    bool
	err   error
}

func newBatcher[T any](size int, fetch func(context.Context, []string) (map[string]T, error)) *batcher[T] {
	return &batcher[T]{size: size, fetch: fetch}
}

// get looks an id up; ok = false if there is no such id. What it returns was read after get was called.
func (b *batcher[T]) get(ctx context.Context, id string) (value T, ok bool, err error) {
	l := &lookup[T]{id: id, done: make(chan struct{})}
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

func (b *batcher[T]) run(ctx context.Context) {
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

func (b *batcher[T]) look(ctx context.Context, batch []*lookup[T]) {
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	ids, seen := make([]string, 0, len(batch)), make(map[string]bool, len(batch))
	for _, l := range batch {
		if !seen[l.id] {
			seen[l.id] = true
			ids = append(ids, l.id)
		}
	}
	found, err := b.fetch(ctx, ids)
	for _, l := range batch {
		l.value, l.ok = found[l.id]
		l.err = err
		close(l.done)
	}
}
