package journal

import (
	"context"
	"time"
)

// Entry is an unfinished id that is offered to the service.
type Entry struct {
	ID      string
	Since   time.Time     // when it was first begun, by the wall clock of the process that did
	Age     time.Duration // how long ago that is, by this process's wall clock
	Attempt int           // 1 when the id is offered for the first time by this process, then counting
	// Fence says that a write made under this intent may still be under way: its handler died, was
	// taken over, or released the id without knowing the outcome of all its writes. Before the settler
	// reports such an id finished it must make that write impossible: by [Fence], or by its own
	// successful update of what it read after being offered the id.
	Fence bool
}

// Settler drives unfinished work on. The service implements it.
//
// Settle looks at what each id's aggregate holds and does what is left to do: publish again, ask
// the next service, or find that everything is done. It returns the ids whose business is finished;
// the journal forgets those and offers the others again, after a delay that doubles with each
// attempt. Finished ids count even if there is an error as well. An error without any finished id
// makes the journal offer the same ids in smaller batches, so that one id that always fails stops
// no other. A panic counts as an error.
//
// Settle is called concurrently, never twice at the same time for one id by one process, but
// possibly by two processes at once: every step must be idempotent. An id is never offered while a
// handler of this process holds its [Ticket].
type Settler interface {
	Settle(ctx context.Context, entries []Entry) (finished []string, err error)
}

// SettlerFunc makes a [Settler] of a function.
type SettlerFunc func(ctx context.Context, entries []Entry) (finished []string, err error)

// Settle calls f.
func (f SettlerFunc) Settle(ctx context.Context, entries []Entry) ([]string, error) {
	return f(ctx, entries)
}
