package userstest

import (
	"context"
	"sync/atomic"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// Dying is the store as one process sees it, which dies at a chosen call: that call and all later ones fail.
type Dying struct {
	sidecar.State
	// At is the call, counting from 1, at which the process dies; zero means never.
	At int64
	// Done: the fatal call takes effect, but its answer is lost.
	Done          bool
	calls, writes atomic.Int64
}

// Writes returns how many of the calls were writes.
func (d *Dying) Writes() int64 { return d.writes.Load() }

// Calls returns how many calls were made.
func (d *Dying) Calls() int64 { return d.calls.Load() }

func (d *Dying) call(run func() error) error {
	n := d.calls.Add(1)
	if d.At == 0 || n < d.At {
		return run()
	}
	if n == d.At && d.Done {
		_ = run()
	}
	return fault.New(fault.Unavailable, "unavailable", "the process is dead")
}

// Get implements sidecar.State.
func (d *Dying) Get(ctx context.Context, key string) (item sidecar.Item, err error) {
	err = d.call(func() (err error) { item, err = d.State.Get(ctx, key); return err })
	return item, err
}

// BulkGet implements sidecar.State.
func (d *Dying) BulkGet(ctx context.Context, keys []string) (items map[string]sidecar.Item, err error) {
	err = d.call(func() (err error) { items, err = d.State.BulkGet(ctx, keys); return err })
	return items, err
}

// Insert implements sidecar.State.
func (d *Dying) Insert(ctx context.Context, key string, value []byte, opts ...sidecar.WriteOption) error {
	d.writes.Add(1)
	return d.call(func() error { return d.State.Insert(ctx, key, value, opts...) })
}

// Update implements sidecar.State.
func (d *Dying) Update(ctx context.Context, key string, value []byte, etag string, opts ...sidecar.WriteOption) error {
	d.writes.Add(1)
	return d.call(func() error { return d.State.Update(ctx, key, value, etag, opts...) })
}

// Delete implements sidecar.State.
func (d *Dying) Delete(ctx context.Context, key, etag string) error {
	d.writes.Add(1)
	return d.call(func() error { return d.State.Delete(ctx, key, etag) })
}
