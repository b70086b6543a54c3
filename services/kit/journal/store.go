package journal

import (
	"context"
	"time"

	"sidecart.dev/kit/sidecar"
)

// store gives each call to the state store its deadline.
type store struct {
	state   sidecar.State
	timeout time.Duration
}

func (s store) get(ctx context.Context, key string) (sidecar.Item, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return s.state.Get(ctx, key)
}

func (s store) bulkGet(ctx context.Context, keys []string) (map[string]sidecar.Item, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return s.state.BulkGet(ctx, keys)
}

func (s store) insert(ctx context.Context, key string, value []byte) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return s.state.Insert(ctx, key, value)
}

func (s store) update(ctx context.Context, key string, value []byte, etag string, opts ...sidecar.WriteOption) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return s.state.Update(ctx, key, value, etag, opts...)
}

func (s store) remove(ctx context.Context, key, etag string) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return s.state.Delete(ctx, key, etag)
}

// turn is a mutual exclusion that is held during calls to the store. Waiting for it is waiting on a channel, which
// testing/synctest understands to be idle, unlike waiting for a mutex.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) lock()   { t <- struct{}{} }
func (t turn) unlock() { <-t }
