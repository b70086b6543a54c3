package journal

import (
	"context"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// store gives each call to the state store its deadline. A call that panics is one that failed.
type store struct {
	state   sidecar.State
	timeout time.Duration
}

func (s store) call(ctx context.Context, call func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return fault.Guard(ctx, func() error { return call(ctx) })
}

func (s store) get(ctx context.Context, key string) (item sidecar.Item, err error) {
	err = s.call(ctx, func(ctx context.Context) (err error) {
		item, err = s.state.Get(ctx, key)
		return err
	})
	return item, err
}

func (s store) bulkGet(ctx context.Context, keys []string,
) (items map[string]sidecar.Item, err error) {
	err = s.call(ctx, func(ctx context.Context) (err error) {
		items, err = s.state.BulkGet(ctx, keys)
		return err
	})
	return items, err
}

func (s store) insert(ctx context.Context, key string, value []byte) error {
	return s.call(ctx, func(ctx context.Context) error {
		return s.state.Insert(ctx, key, value)
	})
}

func (s store) update(ctx context.Context, key string, value []byte, etag string,
	opts ...sidecar.WriteOption,
) error {
	return s.call(ctx, func(ctx context.Context) error {
		return s.state.Update(ctx, key, value, etag, opts...)
	})
}

func (s store) remove(ctx context.Context, key, etag string) error {
	return s.call(ctx, func(ctx context.Context) error {
		return s.state.Delete(ctx, key, etag)
	})
}
