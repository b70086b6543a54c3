package batch

import "time"

const (
	// worth is the number of requests from which sharing a call is worth a wait.
	worth = 3
	// enough is the number of requests from which larger calls hardly save more.
	enough = 16
	// memory is how long it is remembered at least how many requests were unanswered at once.
	memory = 2 * time.Second
	// longestRest bounds the rest after waits in vain.
	longestRest = 3 * time.Second
	// smoothing is the number of arrivals over which the time between them is averaged, roughly.
	smoothing = 8
)

// Window decides how long requests wait for each other. It is told of every arrival and of every
// batch, by a clock of the caller's choice that does not go backwards. The zero value never lets
// anybody wait. It is not safe for concurrent use: the lock that guards the queue guards the window
// as well.
type Window struct {
	length time.Duration

	last  time.Time     // of the arrivals
	gap   time.Duration // between arrivals on average, at most length
	dense bool          // gap is so short that waiting is worth it

	since        time.Time // when crowd began to be counted
	crowd        int       // the largest number unanswered at once since then
	crowdEarlier int       // and in the period before

	rest  time.Duration // after the last wait in vain; zero if that was worth it
	until time.Time     // when the rest is over
}

// NewWindow makes a window of the given length. One of zero or less never lets anybody wait.
func NewWindow(length time.Duration) *Window { return &Window{length: length, gap: length} }

// Arrived takes note of a request. unanswered counts the requests that have arrived and have no
// answer yet, this one included.
func (w *Window) Arrived(now time.Time, unanswered int) {
	if w.length <= 0 {
		return
	}
	w.count(now, unanswered)
	w.gap += (min(now.Sub(w.last), w.length) - w.gap) / smoothing
	w.last = now
	switch {
	case w.gap*worth <= w.length:
		w.dense = true
	case w.gap*(worth-1) > w.length: // not at once, as the estimate is a rough one
		w.dense = false
	}
}

// count keeps the largest number of unanswered requests of the present and the previous period.
func (w *Window) count(now time.Time, unanswered int) {
	switch age := now.Sub(w.since); {
	case age >= 2*memory:
		w.crowd, w.crowdEarlier, w.since = 0, 0, now
	case age >= memory:
		w.crowd, w.crowdEarlier, w.since = 0, w.crowd, now
	}
	w.crowd = max(w.crowd, unanswered)
}

// Wait returns how much longer a batch should wait whose first request arrived at the given time
// and which has so many by now. Zero or less means that it should go. The answer may change with
// every arrival, and never exceeds what is left of the window.
func (w *Window) Wait(now, first time.Time, waiting int) time.Duration {
	callers := max(w.crowd, w.crowdEarlier)
	if !w.dense || callers < worth || waiting >= callers || now.Before(w.until) {
		return 0
	}
	return min(w.length, enough*w.gap) - now.Sub(first)
}

// Sent takes note of a batch that goes, how long its first request has waited, and how many there
// are. A small one after a whole window was a wait in vain. A large one after a while was worth it;
// one that came all at once says nothing, as no wait has won it.
func (w *Window) Sent(now time.Time, waited time.Duration, size int) {
	switch {
	case size >= worth && waited > w.length/8:
		w.rest = 0
	case size < worth && w.length > 0 && waited >= w.length:
		w.rest = min(max(2*w.rest, w.length), longestRest)
		w.until = now.Add(w.rest)
	}
}
