package aggregate

import (
	"context"
	"errors"

	"sidecart.dev/kit/document"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/tracing"
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
func (a *Aggregates[T]) Create(ctx context.Context, id string, make func() (T, error), opts ...CreateOption) (doc T, created bool, err error) {
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
func (a *Aggregates[T]) makeAlongside(ctx context.Context, id, note string, make func() (T, error)) (doc T, ticket Ticket, err error) {
	type begun struct {
		ticket Ticket
		err    error
	}
	opened := newResult[begun]()
	go func() {
		var b begun
		b.err = fault.Guard(ctx, func() (err error) {
			b.ticket, err = a.cfg.Journal.Begin(ctx, a.intent(id, note))
			return err
		})
		opened <- b
	}()
	err = fault.Guard(ctx, func() (err error) {
		doc, err = make()
		return err
	})
	b := <-opened
	if b.err != nil {
		return doc, nil, b.err
	}
	if err != nil {
		b.ticket.Wrote() // there was nothing to write
		return doc, nil, err
	}
	return doc, b.ticket, nil
}

// makeAfter begins the intent of a document, and then makes it.
func (a *Aggregates[T]) makeAfter(ctx context.Context, id, note string, make func() (T, error)) (doc T, ticket Ticket, err error) {
	if ticket, err = a.cfg.Journal.Begin(ctx, a.intent(id, note)); err != nil {
		return doc, nil, err
	}
	err = fault.Guard(ctx, func() (err error) {
		doc, err = make()
		return err
	})
	if err != nil {
		ticket.Wrote() // there was nothing to write
	}
	return doc, ticket, err
}

func newResult[R any]() chan R { return make(chan R, 1) }

// Change replaces a document with what f makes of it, and returns it as it then is. Without a
// document it is a NotFound fault. f may run several times, on what was newly read each time; with
// [ErrUnchanged] it leaves the document as it is, and every other error is returned. f may change
// what its argument refers to.
//
// When Change has returned nil, the document and, if one was needed, the intent are durable. New
// events are on their way.
func (a *Aggregates[T]) Change(ctx context.Context, id string, f func(doc T) (T, error)) (T, error) {
	return a.Put(ctx, id, func(doc T, exists bool) (T, error) {
		if !exists {
			return doc, missing()
		}
		return f(doc)
	})
}

// Put is [Aggregates.Change] for a document that may not exist yet: f is then given the zero value,
// and makes it.
func (a *Aggregates[T]) Put(ctx context.Context, id string, f func(doc T, exists bool) (T, error)) (T, error) {
	return a.PutThen(ctx, id, f, a.driver.Written)
}

// PutThen is [Aggregates.Put] for a caller who goes on by itself with what was written: then is
// called instead of [Driver].Written, and must end the ticket. Of an unchanged document it is not
// called.
func (a *Aggregates[T]) PutThen(ctx context.Context, id string, f func(doc T, exists bool) (T, error),
	then func(ctx context.Context, w Written[T]),
) (T, error) {
	read, err := a.Read(ctx, id)
	if err != nil {
		return read.Doc, err
	}
	return a.change(ctx, read, f, then)
}

// ChangeRead is [Aggregates.Put] of what was read before, which saves a read unless somebody was
// faster.
func (a *Aggregates[T]) ChangeRead(ctx context.Context, read Read[T], f func(doc T, exists bool) (T, error)) (T, error) {
	return a.change(ctx, read, f, a.driver.Written)
}

// Advance is a step of driving: [Aggregates.Change] of what was read before, after which
// [Driver].Written is not called, since whoever drives goes on by itself. A document that is gone
// is a NotFound fault.
func (a *Aggregates[T]) Advance(ctx context.Context, read Read[T], f func(doc T) (T, error)) (T, error) {
	return a.change(ctx, read, func(doc T, exists bool) (T, error) {
		if !exists {
			return doc, missing()
		}
		return f(doc)
	}, func(_ context.Context, w Written[T]) { w.Ticket.Wrote() })
}

func (a *Aggregates[T]) change(ctx context.Context, read Read[T], f func(doc T, exists bool) (T, error),
	then func(context.Context, Written[T]),
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

// before is what has to be known of a document before it is changed.
type before struct {
	done bool            // or absent
	owed map[string]bool // ids of its events
}

func (a *Aggregates[T]) before(read Read[T]) (before, error) {
	if !read.Exists {
		return before{done: true}, nil
	}
	events, err := a.cfg.Events(read.Doc)
	owed := make(map[string]bool, len(events))
	for _, e := range events {
		owed[e.ID] = true
	}
	return before{done: a.cfg.Done(read.Doc), owed: owed}, err
}

// news returns the events that a document owes and did not owe before.
func (a *Aggregates[T]) news(was before, doc T) ([]event.Event, error) {
	events, err := a.cfg.Events(doc)
	var news []event.Event
	for _, e := range events {
		if !was.owed[e.ID] {
			news = append(news, e)
		}
	}
	return news, err
}

// begin begins the intent that a write needs, if it needs one: see the package's documentation.
func (a *Aggregates[T]) begin(ctx context.Context, was before, id, note string, doc T) (Ticket, error) {
	if !was.done {
		return NoTicket, nil
	}
	news, err := a.news(was, doc)
	if err != nil {
		return nil, err
	}
	if a.cfg.Done(doc) && len(news) == 0 {
		return NoTicket, nil
	}
	return a.cfg.Journal.Begin(ctx, a.intent(id, note))
}

// noteMark stands between an id and its note in the journal. No id has it.
const noteMark = "#"

func (a *Aggregates[T]) intent(id, note string) string {
	full := journal.KindID(a.cfg.Kind, id)
	if note != "" {
		full += noteMark + note
	}
	return full
}

// finishWrite writes the document under the ticket and does what follows. It reports false if
// somebody was faster.
func (a *Aggregates[T]) finishWrite(ctx context.Context, over Read[T], was before, doc T, ticket Ticket,
	then func(context.Context, Written[T]),
) (bool, error) {
	trace := over.trace
	if was.done && tracing.Recording(ctx) {
		trace = tracing.TraceParent(ctx) // new business
	}
	written, err := a.write(ctx, over, doc, trace)
	switch {
	case err != nil:
		ticket.Release() // it may have been written, or may yet be
		return false, err
	case !written:
		ticket.Wrote()
		return false, nil
	}
	news, err := a.news(was, doc)
	if err != nil {
		a.cfg.Logger.ErrorContext(ctx, "the events of a document cannot be made", "kind", a.cfg.Kind, "id", over.id, "error", err.Error())
	}
	then(ctx, Written[T]{ID: over.id, Doc: doc, News: news, Ticket: ticket})
	return true, nil
}

// NoTicket is the ticket of what needs no intent.
var NoTicket Ticket = noTicket{}

type noTicket struct{}

func (noTicket) Release() {}
func (noTicket) Wrote()   {}
func (noTicket) Finish()  {}
