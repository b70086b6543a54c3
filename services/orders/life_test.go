package orders_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/sidecar/sidecartest"
)

// life is a replica's connection to its sidecar, which takes its time and may hold a write up. Once
// its process is dead nothing gets through any more, which is all that the world sees of that.
type life struct {
	*sidecartest.Process
	store   sidecar.State     // itself
	state   sidecar.State     // as the process sees it
	bus     sidecar.Publisher // likewise
	latency func() time.Duration

	mu   sync.Mutex
	read func()        // called once after the next bulk read
	hold time.Duration // set: the next write of an order is answered with a failure and carried out this much later, dead or not
}

func newLife(w *world) *life {
	p := &sidecartest.Process{}
	return &life{Process: p, store: w.state, state: p.State(w.state), bus: p.Bus(w.bus), latency: w.latency}
}

// stall holds the next write of an order up on its way to the store.
func (l *life) stall(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hold = d
}

// wait lets as much time pass as a call takes.
func (l *life) wait() {
	if l.latency != nil {
		time.Sleep(l.latency())
	}
}

// Get implements [sidecar.State].
func (l *life) Get(ctx context.Context, key string) (sidecar.Item, error) {
	l.wait()
	return l.state.Get(ctx, key)
}

// BulkGet implements [sidecar.State].
func (l *life) BulkGet(ctx context.Context, keys []string) (map[string]sidecar.Item, error) {
	l.wait()
	items, err := l.state.BulkGet(ctx, keys)
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
		time.AfterFunc(hold, func() { _ = l.store.Insert(context.WithoutCancel(ctx), key, value, opts...) })
		return sidecartest.ErrDead
	}
	l.wait()
	return l.state.Insert(ctx, key, value, opts...)
}

// held takes the delay of the next write of an order.
func (l *life) held(key string) (hold time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.HasPrefix(key, "order/") && !l.Dead() {
		hold, l.hold = l.hold, 0
	}
	return hold
}

// Update implements [sidecar.State].
func (l *life) Update(ctx context.Context, key string, value []byte, etag string, opts ...sidecar.WriteOption) error {
	if hold := l.held(key); hold > 0 {
		time.AfterFunc(hold, func() { _ = l.store.Update(context.WithoutCancel(ctx), key, value, etag, opts...) })
		return sidecartest.ErrDead
	}
	l.wait()
	return l.state.Update(ctx, key, value, etag, opts...)
}

// Delete implements [sidecar.State].
func (l *life) Delete(ctx context.Context, key, etag string) error {
	l.wait()
	return l.state.Delete(ctx, key, etag)
}

// Publish implements [sidecar.Publisher].
func (l *life) Publish(ctx context.Context, topic string, body []byte) error {
	l.wait()
	return l.bus.Publish(ctx, topic, body)
}

// eachDeath plays a story in a bubble for each call at which its process may die.
func eachDeath(t *testing.T, story func(t *testing.T, n int, after bool) (died bool)) (calls int) {
	t.Helper()
	return sidecartest.EachDeath(t, func(t *testing.T, n int, after bool) (died bool) {
		synctest.Test(t, func(t *testing.T) { died = story(t, n, after) })
		return died
	})
}

// diesAt lets the replica work until it dies at its n-th call or has nothing to do any more, and
// ends it. It reports whether it came to the call.
func diesAt(r *replica, n int, after bool, work func()) (died bool) {
	r.life.Arm(n, after)
	work()
	synctest.Wait()
	died = r.life.Dead()
	r.life.Kill()
	r.end()
	return died
}
