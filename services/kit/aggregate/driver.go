package aggregate

import (
	"context"
	"sync"

	"sidecart.dev/kit/event"
)

// Driver is how a domain moves its aggregates on. Every field may be nil, and all functions must be
// safe for concurrent use.
type Driver[T any] struct {
	// Written is called after each write, with the ticket of the write, which it must end. Nil:
	// [Aggregates.Announce], which publishes the new events and ends the ticket. A domain that does
	// more than that, such as to call a provider, hands over to a pool here.
	Written func(ctx context.Context, w Written[T])
	// Drive moves on the documents that are not done, which the journal offers several at a time, and
	// returns those that it changed as they then are. It may as well hand them over to a pool or a
	// queue and return nothing: they are offered again. It must be idempotent, and an error of one
	// must not keep it from driving the others.
	Drive func(ctx context.Context, open []Open[T]) (map[string]T, error)
	// Busy reports that an id is in good hands, so that it need not be looked at. Nil: none is.
	Busy func(id string) bool
	// Absent is called for an intent without a document, after a write that may have been under way
	// was made impossible.
	Absent func(ctx context.Context, id, note string) error
	// Accepted returns those of the owed events, by their ids, that nobody needs to be told of again.
	// Nil: there is nobody to ask. Then what is owed is published once more, and counts as accepted
	// when the bus has it.
	Accepted func(ctx context.Context, owed []Owed[T]) (map[string]bool, error)
	// Told changes a document whose events, or some of them, have been accepted, for domains that
	// store what they owe. It returns [ErrUnchanged] to leave it as it is. Nil: documents do not
	// change by that.
	Told func(ctx context.Context, doc T, accepted map[string]bool) (T, error)
}

// Written is what was written.
type Written[T any] struct {
	ID     string
	Doc    T
	News   []event.Event // those events of Doc that it did not owe before
	Ticket Ticket
}

// Open is a document that is not done.
type Open[T any] struct {
	ID    string
	Doc   T
	Fresh bool // its intent is younger than the patience: what it waits for is likely to be under way
	// TraceParent names the trace that began the document's present business, if that is recorded.
	// Whoever hands the document over to a pool or a queue starts the span of its work from it, by
	// [tracing.Resume].
	TraceParent string
}

// Owed is a document that is done, and the events that it implies.
type Owed[T any] struct {
	ID     string
	Doc    T
	Events []event.Event
}

// DrivenBy sets the driver. It is called once, before the aggregates are used.
func (a *Aggregates[T]) DrivenBy(d Driver[T]) {
	if d.Written == nil {
		d.Written = a.Announce
	}
	if d.Drive == nil {
		d.Drive = func(context.Context, []Open[T]) (map[string]T, error) { return nil, nil }
	}
	if d.Busy == nil {
		d.Busy = func(string) bool { return false }
	}
	if d.Absent == nil {
		d.Absent = func(context.Context, string, string) error { return nil }
	}
	if d.Accepted == nil {
		d.Accepted = a.tellTheBus
	}
	a.driver = d
}

// tellTheBus publishes what is owed and returns what the bus has taken.
func (a *Aggregates[T]) tellTheBus(
	ctx context.Context, owed []Owed[T],
) (map[string]bool, error) {
	var mu sync.Mutex
	accepted := map[string]bool{}
	err := Each(ctx, owed, func(o Owed[T]) error {
		for _, e := range o.Events {
			if err := a.Publish(ctx, e); err != nil {
				return err
			}
			mu.Lock()
			accepted[e.ID] = true
			mu.Unlock()
		}
		return nil
	})
	if len(accepted) == 0 {
		return nil, err
	}
	return accepted, nil // what the bus has not taken is published again
}

// EventIDs returns the ids of all owed events.
func EventIDs[T any](owed []Owed[T]) []string {
	var ids []string
	for _, o := range owed {
		for _, e := range o.Events {
			ids = append(ids, e.ID)
		}
	}
	return ids
}
