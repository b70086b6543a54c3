package aggregate

import (
	"context"

	"sidecart.dev/kit/background"
	"sidecart.dev/kit/document"
	"sidecart.dev/kit/fault"
)

// CreateOption changes how a document is created.
type CreateOption func(*creation)

type creation struct {
	alongside bool
	before    bool
	note      string
	claim     func(ctx context.Context) error
}

// Alongside lets make run while the intent is being begun, for documents that always need one and
// take a call to be made. Where make fails, an intent without a document is left, which the settler
// forgets.
func Alongside() CreateOption { return func(c *creation) { c.alongside = true } }

// Beforehand has make run once the intent is durable, for documents of which others see something
// when they are made. Where make fails, an intent without a document is left, as with [Alongside].
func Beforehand() CreateOption { return func(c *creation) { c.before = true } }

// Note is kept with the id in the journal until the intent is finished. [Driver].Absent is given
// it, should there be no document then.
func Note(note string) CreateOption { return func(c *creation) { c.note = note } }

// Claiming has a step done once the intent is durable and before the document is written: for what
// must be won elsewhere first, such as a name that only one document may have. It is done again
// where the write has to be repeated. Its error is returned. Where it fails, or the process dies
// after it, [Driver].Absent is called for the intent.
func Claiming(claim func(ctx context.Context) error) CreateOption {
	return func(c *creation) { c.claim = claim }
}

// Create writes a new document under an id, or returns the one that is there; created says which.
// It inserts first and looks only if that is refused. make makes the document, and may be called
// once at most; its error is returned.
//
// When it has returned nil, the document and the intent to finish its business are durable. Its
// events are on their way.
func (a *Aggregates[T]) Create(ctx context.Context, id string, make func() (T, error),
	opts ...CreateOption,
) (doc T, created bool, err error) {
	var c creation
	for _, opt := range opts {
		opt(&c)
	}
	var ticket Ticket
	if c.alongside {
		doc, ticket, err = a.makeAlongside(ctx, id, c.note, make)
	} else if c.before {
		doc, ticket, err = a.makeAfter(ctx, id, c.note, make)
	} else if doc, err = make(); err == nil {
		ticket, err = a.begin(ctx, before{done: true}, id, c.note, doc)
	}
	if err != nil {
		return doc, false, err
	}
	over := Read[T]{id: id}
	err = document.UntilWritten(ctx, func() (bool, error) {
		if ticket == nil { // what was under the id was read and is no document
			if ticket, err = a.begin(ctx, before{done: true}, id, c.note, doc); err != nil {
				return false, err
			}
		}
		held := ticket
		ticket = nil
		if err := c.claimed(ctx, held); err != nil {
			return false, err
		}
		created, err = a.finishWrite(ctx, over, before{done: true}, doc, held, a.driver.Written)
		if created || err != nil {
			return created, err
		}
		if over, err = a.Read(ctx, id); over.Exists {
			doc = over.Doc
		}
		return over.Exists, err
	})
	return doc, created, err
}

// claimed does the claim, and ends the ticket if that fails.
func (c creation) claimed(ctx context.Context, ticket Ticket) error {
	if c.claim == nil {
		return nil
	}
	err := c.claim(ctx)
	switch {
	case err == nil:
	case fault.KindOf(err).Transient():
		ticket.Release() // it may have been won, or may yet be
	default:
		ticket.Wrote()
	}
	return err
}

// makeAlongside makes the document and begins its intent at the same time.
func (a *Aggregates[T]) makeAlongside(ctx context.Context, id, note string,
	make func() (T, error),
) (doc T, ticket Ticket, err error) {
	begun := background.Beside(ctx, func() (err error) {
		ticket, err = a.cfg.Journal.Begin(ctx, a.intent(id, note))
		return err
	})
	doc, failed := guarded(ctx, make)
	if err := begun(); err != nil {
		return doc, nil, err
	}
	if failed != nil {
		ticket.Wrote() // there was nothing to write
	}
	return doc, ticket, failed
}

// makeAfter begins the intent of a document, and then makes it.
func (a *Aggregates[T]) makeAfter(ctx context.Context, id, note string,
	make func() (T, error),
) (doc T, ticket Ticket, err error) {
	if ticket, err = a.cfg.Journal.Begin(ctx, a.intent(id, note)); err != nil {
		return doc, nil, err
	}
	if doc, err = guarded(ctx, make); err != nil {
		ticket.Wrote() // there was nothing to write
	}
	return doc, ticket, err
}

// guarded makes a document, and returns a panic as a fault.
func guarded[T any](ctx context.Context, make func() (T, error)) (doc T, err error) {
	err = fault.Guard(ctx, func() (err error) {
		doc, err = make()
		return err
	})
	return doc, err
}
