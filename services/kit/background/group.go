// Package background runs work in goroutines of its own: work that nobody waits for, such as
// publishing what a request has written ([Group]), and work whose caller goes on meanwhile
// ([Beside]) or has a lot of it ([Each]). A panic ends the one piece of work that it happened in.
package background

import (
	"context"
	"sync"

	"sidecart.dev/kit/fault"
)

// Group runs a bounded number of pieces of work, each in a goroutine of its own. It is safe for
// concurrent use; unlike with a [sync.WaitGroup], work may be started while somebody waits.
type Group struct {
	limit int

	mu      sync.Mutex
	running int
	idle    chan struct{} // closed when nothing runs any more; nil while nobody waits for that
}

// NewGroup makes a group that runs at most limit pieces of work at a time.
func NewGroup(limit int) *Group { return &Group{limit: limit} }

// Go starts the work, or reports false if as much as is allowed runs already. The work gets the
// values of ctx, and goes on when ctx ends. A panic ends the work and nothing else.
func (g *Group) Go(ctx context.Context, work func(ctx context.Context)) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running >= g.limit {
		return false
	}
	g.running++
	ctx = context.WithoutCancel(ctx)
	go func() {
		defer g.ended()
		_ = fault.Guard(ctx, func() error { work(ctx); return nil })
	}()
	return true
}

// Do starts the work as Go does. If as much as is allowed runs already, the caller does it itself.
func (g *Group) Do(ctx context.Context, work func(ctx context.Context)) {
	if !g.Go(ctx, work) {
		ctx = context.WithoutCancel(ctx)
		_ = fault.Guard(ctx, func() error { work(ctx); return nil })
	}
}

func (g *Group) ended() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running--
	if g.running == 0 && g.idle != nil {
		close(g.idle)
		g.idle = nil
	}
}

// Drain waits until no work runs, or ctx ends. Work that is started after that is not waited for.
func (g *Group) Drain(ctx context.Context) {
	g.mu.Lock()
	if g.running == 0 {
		g.mu.Unlock()
		return
	}
	if g.idle == nil {
		g.idle = make(chan struct{})
	}
	idle := g.idle
	g.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}
