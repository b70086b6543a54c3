package journal

import "time"

// turn is a mutual exclusion that is held during calls to the store. Waiting for it is waiting on a
// channel, which testing/synctest understands to be idle, unlike waiting for a mutex.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) lock()   { t <- struct{}{} }
func (t turn) unlock() { <-t }

// signal wakes one waiter. Several signals that nobody has waited for yet are one.
type signal chan struct{}

func newSignal() signal { return make(signal, 1) }

func (s signal) send() {
	select {
	case s <- struct{}{}:
	default:
	}
}

// pause waits until one of the channels can be received from, or d has passed.
func pause(a, b, c <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-a:
	case <-b:
	case <-c:
	case <-timer.C:
	}
}
