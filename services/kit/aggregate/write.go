package aggregate

import (
	"context"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/tracing"
)

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
func (a *Aggregates[T]) begin(ctx context.Context, was before, id, note string, doc T,
) (Ticket, error) {
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
func (a *Aggregates[T]) finishWrite(ctx context.Context, over Read[T], was before, doc T,
	ticket Ticket, then func(context.Context, Written[T]),
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
		a.cfg.Logger.ErrorContext(ctx, "the events of a document cannot be made",
			"kind", a.cfg.Kind, "id", over.id, "error", err.Error())
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
