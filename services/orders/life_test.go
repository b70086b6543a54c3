package orders_test

import (
	"context"
	"strings"
	"sync"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// life is a replica's connection to its sidecar. Once it is killed nothing gets through any more,
// which is all that the world sees of a dead process.
type life struct {
	sidecar.State
	bus     sidecar.Publisher
	latency func() time.Duration

	mu     sync.Mutex
	dead   bool
	count  int  // calls since arm
	killAt int  // 0: never
	after  bool // die when the call has taken effect, rather than before

	read func() // called once after the next bulk read

	hold time.Duration // set: the next write of an order is answered with a failure and carried out this much later, dead or not
}

var errDead = fault.New(fault.Unavailable, "unavailable", "the process is dead")

// arm kills the replica at the n-th call from now, before or after it takes effect.
func (l *life) arm(n int, after bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count, l.killAt, l.after = 0, n, after
}

// stall holds the next write of an order up on its way to the store.
func (l *life) stall(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hold = d
}

func (l *life) kill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
}

func (l *life) alive() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.dead
}

func (l *life) do(call func() error) error {
	if l.latency != nil {
		time.Sleep(l.latency())
	}
	l.mu.Lock()
	l.count++
	dying := l.killAt > 0 && l.count == l.killAt
	if dying {
		l.dead = true
	}
	dead, after := l.dead, l.after
	l.mu.Unlock()
	if dead && (!dying || !after) {
		return errDead
	}
	if err := call(); err != nil {
		return err
	}
	if dying || !l.alive() {
		return errDead
	}
	return nil
}

// Get implements [sidecar.State].
func (l *life) Get(ctx context.Context, key string) (item sidecar.Item, err error) {
	err = l.do(func() (err error) { item, err = l.State.Get(ctx, key); return err })
	return item, err
}

// BulkGet implements [sidecar.State].
func (l *life) BulkGet(ctx context.Context, keys []string) (items map[string]sidecar.Item, err error) {
	err = l.do(func() (err error) { items, err = l.State.BulkGet(ctx, keys); return err })
	l.mu.Lock()
	read := l.read
	l.read = nil
	l.mu.Unlock()
	if read != nil {
		read()
	}
	return items, err
}

// Insert implements [sidecar.State].
func (l *life) Insert(ctx context.Context, key string, value []byte, opts ...sidecar.WriteOption) error {
	if hold := l.held(key); hold > 0 {
		time.AfterFunc(hold, func() { _ = l.State.Insert(context.WithoutCancel(ctx), key, value, opts...) })
		return errDead
	}
	return l.do(func() error { return l.State.Insert(ctx, key, value, opts...) })
}

// held takes the delay of the next write of an order.
func (l *life) held(key string) (hold time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.HasPrefix(key, "order/") && !l.dead {
		hold, l.hold = l.hold, 0
	}
	return hold
}

// Update implements [sidecar.State].
func (l *life) Update(ctx context.Context, key string, value []byte, etag string, opts ...sidecar.WriteOption) error {
	if hold := l.held(key); hold > 0 {
		time.AfterFunc(hold, func() { _ = l.State.Update(context.WithoutCancel(ctx), key, value, etag, opts...) })
		return errDead
	}
	return l.do(func() error { return l.State.Update(ctx, key, value, etag, opts...) })
}

// Delete implements [sidecar.State].
func (l *life) Delete(ctx context.Context, key, etag string) error {
	return l.do(func() error { return l.State.Delete(ctx, key, etag) })
}

// Publish implements [sidecar.Publisher].
func (l *life) Publish(ctx context.Context, topic string, body []byte) error {
	return l.do(func() error { return l.bus.Publish(ctx, topic, body) })
}
