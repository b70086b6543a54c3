package payments

import (
	"context"

	"sidecart.dev/kit/list"
)

// Peers are the other services, as far as payments asks them anything.
type Peers interface {
	// Accepted returns those of the events that notifications has accepted: their customers will be
	// told. It may be asked about any number of events.
	Accepted(ctx context.Context, eventIDs []string) (map[string]bool, error)
	// Refunded returns, for those of the orders that exist, the amount in minor units that orders
	// knows to be given back. Orders waits by itself for everything that it started, but an operator's
	// refund of a payment is news to it: payments tells of that until orders has noted it.
	Refunded(ctx context.Context, orderIDs []string) (map[string]int64, error)
}

// Letters are the dead letters of this service, which have the words of events that could not be
// handled.
type Letters interface {
	// Erase overwrites what people typed in the letters about these users. It may be repeated.
	Erase(ctx context.Context, userIDs ...string) error
}

// Index is the append-only list of all payments whose charge has been decided, see [list.Lists]. An
// entry counts only if the payment itself remembers its position. Other entries are leftovers of
// attempts that failed.
type Index interface {
	Append(ctx context.Context, prefix, id string) (uint64, error)
	Page(
		ctx context.Context, prefix string, before uint64, limit int,
	) (entries []list.Entry, next uint64, err error)
}

// indexPrefix is the name of the list.
const indexPrefix = "payments"

// Runner runs the driving of payments, outside the handlers that hand them over.
type Runner interface {
	// Go runs f, or reports that it has not taken the job. That is so if there are too many, or if a
	// job of that id runs already, which is then followed by a run of f. ctx gives f its trace and its
	// values, not its end.
	//
	// ended is closed when a run that began after the call has ended. It is nil if there will be none.
	Go(ctx context.Context, id string, f func(ctx context.Context)) (ended <-chan struct{}, taken bool)
}
