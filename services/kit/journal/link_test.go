package journal

import (
	"context"
	"strings"
	"sync/atomic"

	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/sidecar/sidecartest"
)

// link is a process's connection to the store. A cut link is a process that was killed or stands
// still.
type link struct {
	sidecar.State
	cut    atomic.Bool
	before func(op sidecartest.Op, key string) error
	after  func(op sidecartest.Op, key string) error
}

func (l *link) call(op sidecartest.Op, key string, effect func() error) error {
	if l.cut.Load() {
		return errInjected
	}
	if l.before != nil {
		if err := l.before(op, key); err != nil {
			return err
		}
	}
	err := effect()
	if err == nil && l.after != nil {
		err = l.after(op, key)
	}
	return err
}

func (l *link) Get(ctx context.Context, key string) (item sidecar.Item, err error) {
	err = l.call(sidecartest.OpGet, key, func() error {
		item, err = l.State.Get(ctx, key)
		return err
	})
	return item, err
}

func (l *link) BulkGet(ctx context.Context, keys []string,
) (items map[string]sidecar.Item, err error) {
	err = l.call(sidecartest.OpBulkGet, "", func() error {
		items, err = l.State.BulkGet(ctx, keys)
		return err
	})
	return items, err
}

func (l *link) Insert(ctx context.Context, key string, value []byte,
	opts ...sidecar.WriteOption,
) error {
	return l.call(sidecartest.OpInsert, key, func() error {
		return l.State.Insert(ctx, key, value, opts...)
	})
}

func (l *link) Update(ctx context.Context, key string, value []byte, etag string,
	opts ...sidecar.WriteOption,
) error {
	return l.call(sidecartest.OpUpdate, key, func() error {
		return l.State.Update(ctx, key, value, etag, opts...)
	})
}

func (l *link) Delete(ctx context.Context, key, etag string) error {
	return l.call(sidecartest.OpDelete, key, func() error {
		return l.State.Delete(ctx, key, etag)
	})
}

func isSegment(key string) bool { return strings.Count(key, "/") == 3 }

func once(op sidecartest.Op) func(sidecartest.Op, string) error {
	var done atomic.Bool
	return func(o sidecartest.Op, key string) error {
		if o == op && isSegment(key) && !done.Swap(true) {
			return errInjected
		}
		return nil
	}
}
