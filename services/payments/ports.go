package payments

import (
	"context"

	"sidecart.dev/kit/event"
)

// Record is a payment as it was read. If it does not exist but something stands in its place (a fence), ETag is set and may be
// used to replace it.
type Record struct {
	Payment
	ETag string // opaque; empty: nothing is stored
}

// Store keeps payments, one document each. Implementations are safe for concurrent use. Errors other than those named are
// transient faults; a write that failed with one has an unknown outcome.
type Store interface {
	// Get reads a payment. One that does not exist is a Record whose Exists is false, and no error.
	Get(ctx context.Context, id string) (Record, error)
	// BulkGet reads several. Those that do not exist are absent from the answer.
	BulkGet(ctx context.Context, ids []string) (map[string]Record, error)
	// Write inserts the payment if etag is empty, else replaces what has that ETag. ErrConflict says that somebody was faster.
	Write(ctx context.Context, p Payment, etag string) error
	// Fence makes every write impossible that was prepared before the call, and returns what stands after it.
	Fence(ctx context.Context, id string) (Record, error)
}

// Ticket is a handler's hold on an intent (see package journal). The first call counts.
type Ticket interface {
	Release() // the outcome of a write may be unknown
	Wrote()   // all writes were answered
}

// Intents remembers which ids have unfinished business, whatever process dies.
type Intents interface {
	// Begin makes the id durable. Its errors are transient faults.
	Begin(ctx context.Context, id string) (Ticket, error)
}

// Announcer publishes events. Nil means that the bus has them.
type Announcer interface {
	Announce(ctx context.Context, events []event.Event) error
}

// Notifier says which events have been accepted for notification; whoever has accepted one will tell the customer.
type Notifier interface {
	// Accepted returns those of the event ids that were accepted. It may be asked at any length.
	Accepted(ctx context.Context, eventIDs []string) (map[string]bool, error)
}

// Orders says what the orders service knows about refunds. It waits by itself for everything it started, but nothing tells it that an
// operator has refunded a payment: that is payments' to tell, until orders has noted it.
type Orders interface {
	// Refunded returns, for those of the orders that exist, the amount in minor units that orders knows to be given back.
	Refunded(ctx context.Context, orderIDs []string) (map[string]int64, error)
}

// IndexEntry is a payment's place in the list of all payments.
type IndexEntry struct {
	Seq uint64
	ID  string
}

// Index is the append-only list of all payments whose charge has been decided. An entry counts only if its position is the
// one that the payment itself remembers; others are leftovers of attempts that failed.
type Index interface {
	// Append adds a payment and returns its position. Concurrent calls share writes.
	Append(ctx context.Context, id string) (uint64, error)
	// Page returns up to limit entries below position before (0: from the newest), newest first, and the before of the next page, 0 at the end.
	Page(ctx context.Context, before uint64, limit int) (entries []IndexEntry, next uint64, err error)
}

// Runner runs the driving of payments, outside the handlers that hand them over.
type Runner interface {
	// Go runs f, or reports that it has not taken the job: because there are too many, or because one of
	// that id runs already, which is then followed by a run of f. ctx gives f its trace and values, not its end.
	//
	// ended is closed when a run that began after the call has ended. It is nil if there will be none.
	Go(ctx context.Context, id string, f func(ctx context.Context)) (ended <-chan struct{}, taken bool)
}
