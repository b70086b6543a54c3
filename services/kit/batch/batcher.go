package batch

import (
	"sync"
	"time"
)

// hurry bounds how long requests that need not wait for each other wait for a call under way: one
// that hangs must not hold up others. For several calls under way it is as many times as long, so
// that whoever is slow is not called ever more often.
const hurry = 5 * time.Millisecond

// Batcher lets requests share calls: those that arrive while a call is under way, and those that
// come densely enough for a [Window] to have them wait for each other. A request that finds neither
// goes at once and alone. It is safe for concurrent use.
type Batcher[R any] struct {
	call   func(requests []R)
	answer func(request R)
	limit  int
	serial bool

	mu       sync.Mutex
	window   *Window
	calls    int // under way
	inCalls  int // requests in them
	waiting  []R
	first    time.Time   // when the first of them arrived
	deadline *time.Timer // looks at them again
}

// New makes a batcher. call carries out one call for all of the requests, of which there are at
// most limit. It is called several times at once if calls are slow, and must not panic. After it,
// answer is called for each request, and should only wake who waits. window is how long a request
// waits for others at most.
func New[R any](window time.Duration, limit int,
	call func(requests []R), answer func(request R),
) *Batcher[R] {
	return &Batcher[R]{call: call, answer: answer, limit: limit, window: NewWindow(window)}
}

// OneAtATime makes a batcher as [New] does, whose calls follow one another: what comes during a
// call waits for its end, and then goes together, also if it has become more than limit.
func OneAtATime[R any](window time.Duration, limit int,
	call func(requests []R), answer func(request R),
) *Batcher[R] {
	b := New(window, limit, call, answer)
	b.serial = true
	return b
}

// Add hands a request over. It does not wait.
func (b *Batcher[R]) Add(request R) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if len(b.waiting) == 0 {
		b.first = now
	}
	b.waiting = append(b.waiting, request)
	b.window.Arrived(now, len(b.waiting)+b.inCalls)
	b.decide(now)
}

// decide sends what waits or sees to it that it is looked at again in time. The lock is held.
func (b *Batcher[R]) decide(now time.Time) {
	if len(b.waiting) == 0 || b.serial && b.calls > 0 {
		return
	}
	wait := b.window.Wait(now, b.first, len(b.waiting))
	if wait <= 0 && b.calls > 0 {
		wait = time.Duration(b.calls)*hurry - now.Sub(b.first)
	}
	switch {
	case wait <= 0 || len(b.waiting) >= b.limit:
		b.send(now)
	case b.deadline == nil:
		b.deadline = time.AfterFunc(wait, b.look)
	default:
		b.deadline.Reset(wait)
	}
}

// look decides again. One that comes too early, after another batch has gone, does no harm.
func (b *Batcher[R]) look() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.decide(time.Now())
}

// send makes a call for what waits. The lock is held.
func (b *Batcher[R]) send(now time.Time) {
	requests := b.waiting
	b.waiting = nil
	b.window.Sent(now, now.Sub(b.first), len(requests))
	b.calls++
	b.inCalls += len(requests)
	go func() {
		b.call(requests)
		b.ended(len(requests))
		for _, r := range requests {
			b.answer(r)
		}
	}()
}

// ended takes note that a call has ended. Only then are its requests answered: whoever comes back
// at once is not one more caller.
func (b *Batcher[R]) ended(requests int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls--
	b.inCalls -= requests
	b.decide(time.Now())
}
