package aggregate

import (
	"context"
	"errors"

	"sidecart.dev/kit/document"
)

// Change replaces a document with what f makes of it, and returns it as it then is. Without a
// document it is a NotFound fault. f may run several times, on what was newly read each time; with
// [ErrUnchanged] it leaves the document as it is, and every other error is returned. f may change
// what its argument refers to.
//
// When Change has returned nil, the document and, if one was needed, the intent are durable. New
// events are on their way.
func (a *Aggregates[T]) Change(ctx context.Context, id string, f func(doc T) (T, error),
) (T, error) {
	return a.Put(ctx, id, func(doc T, exists bool) (T, error) {
		if !exists {
			return doc, missing()
		}
		return f(doc)
	})
}

// Put is [Aggregates.Change] for a document that may not exist yet: f is then given the zero value,
// and makes it.
func (a *Aggregates[T]) Put(ctx context.Context, id string, f func(doc T, exists bool) (T, error),
) (T, error) {
	return a.PutThen(ctx, id, f, a.driver.Written)
}

// PutThen is [Aggregates.Put] for a caller who goes on by itself with what was written: then is
// called instead of [Driver].Written, and must end the ticket. Of an unchanged document it is not
// called.
func (a *Aggregates[T]) PutThen(ctx context.Context, id string,
	f func(doc T, exists bool) (T, error), then func(ctx context.Context, w Written[T]),
) (T, error) {
	read, err := a.Read(ctx, id)
	if err != nil {
		return read.Doc, err
	}
	return a.change(ctx, read, f, then)
}

// ChangeRead is [Aggregates.Put] of what was read before, which saves a read unless somebody was
// faster.
func (a *Aggregates[T]) ChangeRead(ctx context.Context, read Read[T],
	f func(doc T, exists bool) (T, error),
) (T, error) {
	return a.change(ctx, read, f, a.driver.Written)
}

// Advance is a step of driving: [Aggregates.Change] of what was read before, after which
// [Driver].Written is not called, since whoever drives goes on by itself. A document that is gone
// is a NotFound fault.
func (a *Aggregates[T]) Advance(ctx context.Context, read Read[T], f func(doc T) (T, error),
) (T, error) {
	return a.change(ctx, read, func(doc T, exists bool) (T, error) {
		if !exists {
			return doc, missing()
		}
		return f(doc)
	}, func(_ context.Context, w Written[T]) { w.Ticket.Wrote() })
}

func (a *Aggregates[T]) change(ctx context.Context, read Read[T],
	f func(doc T, exists bool) (T, error), then func(context.Context, Written[T]),
) (T, error) {
	var doc T
	outdated := false
	err := document.UntilWritten(ctx, func() (written bool, err error) {
		if outdated {
			if read, err = a.Read(ctx, read.id); err != nil {
				return false, err
			}
		}
		outdated = true
		was, err := a.before(read) // f may change what the document refers to
		if err != nil {
			return false, err
		}
		doc, err = f(read.Doc, read.Exists)
		if errors.Is(err, ErrUnchanged) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		ticket, err := a.begin(ctx, was, read.id, "", doc)
		if err != nil {
			return false, err
		}
		return a.finishWrite(ctx, read, was, doc, ticket, then)
	})
	return doc, err
}
