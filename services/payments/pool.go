package payments

import (
	"context"
	"sync"
	"time"
)

// Pool is the [Runner] of a running service: a bounded number of goroutines, one job per id at a time. A job that waits for a slow
// provider holds its own goroutine and nothing else, so it delays no other payment; when all are taken, further jobs are
// refused and wait in the journal. It is safe for concurrent use.
type Pool struct {
	limit int
	life  context.Context //nolint:containedctx // ends the jobs, which outlive the requests that started them
	end   context.CancelFunc

	mu      sync.Mutex
	running map[string]bool // by id; true: once more
	closed  bool
	jobs    sync.WaitGroup
}

// NewPool makes a pool that runs at most limit jobs at a time.
func NewPool(limit int) *Pool {
	life, end := context.WithCancel(context.Background())
	return &Pool{limit: limit, life: life, end: end, running: map[string]bool{}}
}

// Go implements [Runner].
func (p *Pool) Go(ctx context.Context, id string, f func(ctx context.Context)) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, busy := p.running[id]; busy {
		p.running[id] = true
		return false
	}
	if p.closed || len(p.running) >= p.limit {
		return false
	}
	p.running[id] = false
	p.jobs.Add(1)
	go p.run(context.WithoutCancel(ctx), id, f)
	return true
}

func (p *Pool) run(ctx context.Context, id string, f func(ctx context.Context)) {
	defer p.jobs.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.life, cancel)()
	defer p.forget(id) // also after a panic, which then ends the process
	f(ctx)
	for p.again(id) && ctx.Err() == nil {
		f(ctx)
	}
}

// again reports whether the job was asked for once more, and otherwise forgets it, in one step.
func (p *Pool) again(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running[id] {
		p.running[id] = false
		return true
	}
	return false
}

func (p *Pool) forget(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.running, id)
}

// Running returns the number of jobs.
func (p *Pool) Running() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.running)
}

// Run keeps the pool open until ctx ends, gives the jobs under way the grace to finish, and then cancels them.
// What they leave undone stays in the journal.
func (p *Pool) Run(ctx context.Context, grace time.Duration) error {
	<-ctx.Done()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	done := make(chan struct{})
	go func() { p.jobs.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(grace):
	}
	p.end()
	<-done
	return nil
}
