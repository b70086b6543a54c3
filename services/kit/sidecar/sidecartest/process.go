package sidecartest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// Process is a process as the outside sees it: everything that it does is a call, and it may die at
// one of them. From then on all of its calls fail and have no effect. The zero value lives for
// ever. It is safe for concurrent use.
type Process struct {
	mu    sync.Mutex
	dieAt int  // the call, counting from 1, at which it dies; 0: none
	after bool // the fatal call has its effect, and its answer is lost
	calls []string
	dead  bool
}

// ErrDead is what the calls of a dead process fail with: whoever made them learns nothing.
var ErrDead = fault.New(fault.Unavailable, "unavailable", "the process is dead")

// DiesAt returns a process that dies at its n-th call: before the call has its effect, or after it.
func DiesAt(n int, after bool) *Process { return &Process{dieAt: n, after: after} }

// Arm lets the process die at its n-th call from now: before the call has its effect, or after it.
func (p *Process) Arm(n int, after bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dieAt, p.after = len(p.calls)+n, after
}

// Kill lets the process die between two of its calls.
func (p *Process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
}

// Dead reports whether the process has died.
func (p *Process) Dead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

// Calls returns the calls so far, the fatal one included: each is an operation, a blank, and the
// key, topic or path that it is about.
func (p *Process) Calls() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.calls...)
}

// Call makes a call of the process to the outside, which effect carries out.
func (p *Process) Call(name string, effect func() error) error {
	p.mu.Lock()
	if p.dead {
		p.mu.Unlock()
		return ErrDead
	}
	p.calls = append(p.calls, name)
	p.dead = len(p.calls) == p.dieAt
	dies, after := p.dead, p.after
	p.mu.Unlock()
	var err error
	if !dies || after {
		err = effect()
	}
	if p.Dead() { // by this call, or during it
		return ErrDead
	}
	return err
}

// EachCrash plays a story again and again: with a process that dies at its first call, before it
// has its effect and after it, then at its second, and so on until it makes no more calls. The
// story lets the process work, and then, with another one that lives, does what happens after a
// crash: messages are delivered again, requests repeated, the journal settled. Then it checks what
// must hold.
func EachCrash(t *testing.T, story func(t *testing.T, p *Process)) {
	t.Helper()
	EachDeath(t, func(t *testing.T, n int, after bool) bool {
		p := DiesAt(n, after)
		story(t, p)
		if t.Failed() {
			t.Logf("the calls of the process that died: %v", p.Calls())
		}
		return p.Dead()
	})
}

// EachDeath is [EachCrash] for a story that has a process die by itself, at its n-th call, and
// reports whether it came to that. It returns how many calls the process has died at.
func EachDeath(t *testing.T, story func(t *testing.T, n int, after bool) (died bool)) (calls int) {
	t.Helper()
	for _, after := range []bool{false, true} {
		when := "before"
		if after {
			when = "after"
		}
		for n, died := 1, true; died; n++ {
			ok := t.Run(fmt.Sprintf("it dies %s call %d", when, n),
				func(t *testing.T) { died = story(t, n, after) })
			if !ok {
				return n // the first story that goes wrong is the shortest
			}
			calls = n - 1
		}
	}
	if calls == 0 {
		t.Error("the process makes no calls: nothing was tried")
	}
	return calls
}

// State returns a store as the process sees it.
func (p *Process) State(s sidecar.State) sidecar.State { return &stateOf{p, s} }

type stateOf struct {
	p *Process
	s sidecar.State
}

func (s *stateOf) Get(ctx context.Context, key string) (item sidecar.Item, err error) {
	err = s.p.Call("get "+key, func() error { item, err = s.s.Get(ctx, key); return err })
	return item, err
}

func (s *stateOf) BulkGet(
	ctx context.Context, keys []string,
) (items map[string]sidecar.Item, err error) {
	name := "bulk-get"
	if len(keys) > 0 {
		name += " " + keys[0]
	}
	err = s.p.Call(name, func() error { items, err = s.s.BulkGet(ctx, keys); return err })
	return items, err
}

func (s *stateOf) Insert(ctx context.Context, key string, value []byte,
	opts ...sidecar.WriteOption,
) error {
	return s.p.Call("insert "+key, func() error { return s.s.Insert(ctx, key, value, opts...) })
}

func (s *stateOf) Update(ctx context.Context, key string, value []byte, etag string,
	opts ...sidecar.WriteOption,
) error {
	return s.p.Call("update "+key, func() error { return s.s.Update(ctx, key, value, etag, opts...) })
}

func (s *stateOf) Delete(ctx context.Context, key, etag string) error {
	return s.p.Call("delete "+key, func() error { return s.s.Delete(ctx, key, etag) })
}

// Bus returns a bus as the process sees it.
func (p *Process) Bus(b sidecar.Publisher) sidecar.Publisher { return busOf{p, b} }

type busOf struct {
	p *Process
	b sidecar.Publisher
}

func (b busOf) Publish(ctx context.Context, topic string, cloudEvent []byte) error {
	return b.p.Call("publish "+topic, func() error { return b.b.Publish(ctx, topic, cloudEvent) })
}

// Caller returns other services as the process sees them.
func (p *Process) Caller(c sidecar.Caller) sidecar.Caller { return callerOf{p, c} }

type callerOf struct {
	p *Process
	c sidecar.Caller
}

func (c callerOf) Call(ctx context.Context, app, method, path string, in, out any) error {
	return c.p.Call("call "+app+" "+path, func() error {
		return c.c.Call(ctx, app, method, path, in, out)
	})
}

// Binding returns output bindings as the process sees them.
func (p *Process) Binding(b sidecar.Binding) sidecar.Binding { return bindingOf{p, b} }

type bindingOf struct {
	p *Process
	b sidecar.Binding
}

func (b bindingOf) Invoke(ctx context.Context, name, operation string, data []byte,
	metadata map[string]string,
) (out []byte, err error) {
	err = b.p.Call("invoke "+name, func() error {
		out, err = b.b.Invoke(ctx, name, operation, data, metadata)
		return err
	})
	return out, err
}
