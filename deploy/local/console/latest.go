package console

import (
	"context"
	"sync"
	"time"
)

const (
	// young is the age up to which an answer is given again, so that ten open pages ask the system
	// no more than one does.
	young = time.Second
	// bearable is how long a page waits for a new answer where there is an older one.
	bearable = 300 * time.Millisecond
)

// latest keeps the last answer to a question that takes time, such as one to a process that may
// hang. It asks only when somebody wants to know. It is safe for concurrent use.
type latest[T any] struct {
	ask func(ctx context.Context) T

	mu     sync.Mutex
	answer T
	at     time.Time     // when it was asked for; zero while there is no answer
	asking chan struct{} // closed when the answer is there; nil while nothing is asked
}

// get returns an answer that is young, or the newest that comes in bearable time. Only the first
// time of all it waits for as long as it takes, or until ctx ends.
func (l *latest[T]) get(ctx context.Context) T {
	l.mu.Lock()
	if l.asking == nil && time.Since(l.at) > young {
		l.asking = make(chan struct{})
		go l.renew(context.WithoutCancel(ctx), time.Now(), l.asking)
	}
	asking, wait := l.asking, bearable
	if l.at.IsZero() {
		wait = time.Minute
	}
	l.mu.Unlock()
	if asking != nil {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-asking:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answer
}

func (l *latest[T]) renew(ctx context.Context, at time.Time, done chan struct{}) {
	answer := l.ask(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer, l.at, l.asking = answer, at, nil
	close(done)
}
