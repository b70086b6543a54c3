package payments

import (
	"context"
	"sync"

	"sidecart.dev/kit/fault"
)

// Pool is the [Runner] of a running service: a bounded number of goroutines, one job per id at a
// time. A job that waits for a slow provider holds its own goroutine and nothing else, so it delays
// no other payment. When all goroutines are taken, further jobs are refused and wait in the
// journal. A job that panics ends as if it had left its work undone. Pool is safe for concurrent
// use.
type Pool struct {
	limit int
	// life ends the jobs, which outlive the requests that started them.
	life context.Context //nolint:containedctx // see above
	end  context.CancelFunc

	mu      sync.Mutex
	running map[string]*job // by id
	closed  bool
	jobs    sync.WaitGroup
}

// job is the work on one id.
type job struct {
	ended chan struct{}         // closed when the run under way has ended
	again chan struct{}         // closed when the run after that has ended; nil if none is owed
	next  func(context.Context) // what that run is: that of the latest call, which has seen most
}

// NewPool makes a pool that runs at most limit jobs at a time.
func NewPool(limit int) *Pool {
	life, end := context.WithCancel(context.Background())
	return &Pool{limit: limit, life: life, end: end, running: map[string]*job{}}
}

// Go implements [Runner].
func (p *Pool) Go(
	ctx context.Context, id string, f func(ctx context.Context),
) (ended <-chan struct{}, taken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if j, busy := p.running[id]; busy {
		if j.again == nil {
			j.again = make(chan struct{})
		}
		j.next = f
		return j.again, false
	}
	if p.closed || len(p.running) >= p.limit {
		return nil, false
	}
	j := &job{ended: make(chan struct{})}
	p.running[id] = j
	p.jobs.Add(1)
	go p.work(context.WithoutCancel(ctx), id, j, f)
	return j.ended, true
}

func (p *Pool) work(ctx context.Context, id string, j *job, f func(ctx context.Context)) {
	defer p.jobs.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.life, cancel)()
	for {
		_ = fault.Guard(ctx, func() error { f(ctx); return nil })
		if f = p.next(ctx, id, j); f == nil {
			return
		}
	}
}

// next tells those who wait that a run has ended. It returns what is to be run next, or forgets the
// job and returns nil, in one step.
func (p *Pool) next(ctx context.Context, id string, j *job) func(context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(j.ended)
	j.ended, j.again = j.again, nil
	if j.ended == nil {
		delete(p.running, id)
		return nil
	}
	if ctx.Err() != nil {
		close(j.ended)
		delete(p.running, id)
		return nil
	}
	return j.next
}

// Running returns the number of jobs.
func (p *Pool) Running() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.running)
}

// Drain takes no more jobs, and waits for those under way. When ctx ends it cancels them: what they
// leave undone stays in the journal.
func (p *Pool) Drain(ctx context.Context) {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	done := make(chan struct{})
	go func() { p.jobs.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
	p.end()
	<-done
}
