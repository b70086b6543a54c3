// Package aggregate keeps documents that change as a whole and have business to finish: orders,
// payments, accounts, messages. It owns everything about them that can be got wrong. A domain says
// what its document is, when it is done, which events it owes and how it is driven on; it never
// sees an ETag, a ticket or a tombstone.
//
//	payments := aggregate.New(aggregate.Config[Payment]{Kind: "payment", State: state, …})
//	payments.DrivenBy(aggregate.Driver[Payment]{Drive: …})
//
//	doc, created, err := payments.Create(ctx, id, func() (Payment, error) { … })
//	doc, err := payments.Change(ctx, id, func(p Payment) (Payment, error) { … })
//
// # When an intent is begun
//
// The kit decides it, by one rule: an intent is begun before a write if the document was done or
// absent before it and, after it, is not done or owes events that it did not owe before. A document
// that was not done before needs none: its id is in the journal until a settler finds it done, and
// by then a write of what was read before fails on its ETag.
//
// What is written under an intent was read before the intent was begun; whoever finds that somebody
// was faster reads, begins and writes anew (rules 1 and 2 of package journal).
//
// # Costs
//
// Creating costs the intent, which is shared with others that are begun at the same time, and one
// insert. There is no read before the insert: an id that exists already is found out by it, so
// duplicates pay and originals do not. A change costs a read, which may be shared, and one update.
package aggregate

import (
	"context"
	"log/slog"
	"time"

	"sidecart.dev/kit/background"
	"sidecart.dev/kit/document"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/sidecar"
)

// ErrUnchanged is returned by the functions that change a document, to leave it as it is.
var ErrUnchanged = document.ErrUnchanged

// Ticket is a handler's hold on an intent; see [journal.Ticket]. The first call counts.
type Ticket interface {
	Release() // the outcome of a write may be unknown
	Wrote()   // every write was answered
	Finish()  // every write was answered, and nothing is left to do
}

// Journal remembers which ids have unfinished business. [Of] makes one of a journal.Journal.
type Journal interface {
	// Begin makes the id durable. Its errors are transient faults.
	Begin(ctx context.Context, id string) (Ticket, error)
	// Finish forgets ids that the caller saw to be finished when it read at asOf, and Poke makes ids
	// due at once.
	Finish(asOf time.Time, ids ...string)
	Poke(ids ...string)
}

// Of returns the journal as aggregates see it.
func Of(j *journal.Journal) Journal { return adapter{j} }

type adapter struct{ *journal.Journal }

func (a adapter) Begin(ctx context.Context, id string) (Ticket, error) {
	ticket, err := a.Journal.Begin(ctx, id)
	if err != nil {
		return nil, err // not a typed nil
	}
	return ticket, nil
}

// Config describes the aggregates of one kind.
type Config[T any] struct {
	// Kind is the prefix of their keys and of their ids in the journal, such as "order". It has no
	// slash.
	Kind    string
	State   sidecar.State // the service's store
	Journal Journal

	// Done reports whether the document has no business of its own left; that its events are accepted
	// is the kit's to see to.
	Done func(doc T) bool
	// Events returns every event that the document implies, oldest first, with the same ids each time.
	// Nil: it never owes any.
	Events func(doc T) ([]event.Event, error)
	Bus    sidecar.Publisher // required with Events
	Topic  string

	// Encode and Decode say how the document is stored; nil means as its JSON. A stored document is a
	// JSON object without a member named "tombstone" or "traceparent": those are the kit's.
	Encode func(doc T) ([]byte, error)
	Decode func(raw []byte) (T, error)

	// Patience is the age of an intent at which events that nobody has accepted are published again,
	// default 5 s.
	Patience time.Duration
	Logger   *slog.Logger // nil means slog.Default
}

// Aggregates is all documents of one kind. It is safe for concurrent use.
type Aggregates[T any] struct {
	cfg    Config[T]
	driver Driver[T]

	announcing *background.Group // publishes what has been written
}

// New makes the aggregates of a kind. It panics if something is missing that no default can stand
// for.
func New[T any](cfg Config[T]) *Aggregates[T] {
	if cfg.Kind == "" || cfg.State == nil || cfg.Journal == nil || cfg.Done == nil ||
		cfg.Events != nil && cfg.Bus == nil {
		panic("aggregate: Kind, State, Journal and Done are required, and Bus with Events")
	}
	if cfg.Events == nil {
		cfg.Events = func(T) ([]event.Event, error) { return nil, nil }
	}
	if cfg.Patience == 0 {
		cfg.Patience = 5 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	a := &Aggregates[T]{cfg: cfg, announcing: background.NewGroup(publishers)}
	a.DrivenBy(Driver[T]{})
	return a
}

// Get returns a document, or a NotFound fault with the code [sidecar.CodeMissing].
func (a *Aggregates[T]) Get(ctx context.Context, id string) (T, error) {
	found, err := a.Read(ctx, id)
	if err == nil && !found.Exists {
		err = missing()
	}
	return found.Doc, err
}

// GetAll returns those of the documents that exist, by id, with one call. Those that can be read
// are returned also where others cannot, which is an error.
func (a *Aggregates[T]) GetAll(ctx context.Context, ids []string) (map[string]T, error) {
	found, err := a.readAll(ctx, ids)
	if err != nil {
		return nil, err
	}
	docs := make(map[string]T, len(found))
	var errs []error
	for id, r := range found {
		if r.err != nil {
			errs = append(errs, r.err)
		}
		if r.Exists {
			docs[id] = r.Doc
		}
	}
	return docs, firstOf(errs)
}

// Finish forgets intents whose business is finished, as a read that began at asOf has shown; see
// [journal.Journal.Finish].
func (a *Aggregates[T]) Finish(asOf time.Time, ids ...string) {
	a.cfg.Journal.Finish(asOf, a.intents(ids)...)
}

// Poke makes unfinished ids due for settling now; see [journal.Journal.Poke]. Without ids it does
// nothing.
func (a *Aggregates[T]) Poke(ids ...string) {
	if len(ids) > 0 {
		a.cfg.Journal.Poke(a.intents(ids)...)
	}
}

// Owned reports whether an unfinished id is this process's business alone for now; see
// [journal.Journal.Owns]. Of a journal that cannot tell, none is.
func (a *Aggregates[T]) Owned(id string) bool {
	j, ok := a.cfg.Journal.(interface{ Owns(id string) bool })
	return ok && j.Owns(journal.KindID(a.cfg.Kind, id))
}

func (a *Aggregates[T]) intents(ids []string) []string {
	full := make([]string, len(ids))
	for i, id := range ids {
		full[i] = journal.KindID(a.cfg.Kind, id)
	}
	return full
}

func missing() error {
	return fault.New(fault.NotFound, sidecar.CodeMissing, "There is no such thing.")
}
