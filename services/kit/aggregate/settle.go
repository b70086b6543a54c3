package aggregate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"sidecart.dev/kit/background"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/tracing"
)

// Settle implements [journal.Settler] for ids of this kind: it drives on what is unfinished. It
// costs a handful of calls for hundreds.
//
//   - no document: the attempt came to nothing. It is fenced off, if a write may still be under
//     way, and forgotten.
//   - not done: the driver moves it on. What is still not done after that stays in the journal.
//   - done: it is asked which of its events were accepted. Those that were not are published again,
//     once they have had time to have their effect. When all are, nothing is left to do. It is
//     fenced, if a write may still be under way, and forgotten.
//
// A round that concerns traced documents is a span of its own, with a link to the trace that began
// the business of each. Every step is idempotent. What fails stays in the journal, and keeps no
// other from being finished.
func (a *Aggregates[T]) Settle(ctx context.Context, entries []journal.Entry,
) (finished []string, err error) {
	r := &round[T]{Aggregates: a, docs: map[string]*settling[T]{}}
	if err := r.load(ctx, entries); err != nil {
		return nil, err
	}
	var begunBy []string
	for _, s := range r.docs {
		begunBy = append(begunBy, s.read.trace)
	}
	ctx, end := tracing.Resume(ctx, "settle "+a.cfg.Kind, begunBy)
	r.drive(ctx)
	r.tell(ctx)
	err = firstOf(r.errs)
	end(err)
	return r.finished, err
}

// round is one call of Settle.
type round[T any] struct {
	*Aggregates[T]
	docs map[string]*settling[T] // by the id in the journal, those that exist

	mu       sync.Mutex // guards the rest
	finished []string
	errs     []error
}

// settling is a document that is being settled.
type settling[T any] struct {
	entry  journal.Entry
	id     string // without the note
	read   Read[T]
	events []event.Event
	// fenced says that no write which was prepared earlier can succeed: it was fenced, or written by
	// this round.
	fenced bool
}

func (r *round[T]) fail(err error) {
	if err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, err)
}

func (r *round[T]) finish(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.finished = append(r.finished, id)
}

// load reads the documents and deals with the ids that have none.
func (r *round[T]) load(ctx context.Context, entries []journal.Entry) error {
	var ids []string
	var work []*settling[T]
	for _, e := range entries {
		id, _, _ := strings.Cut(e.ID, noteMark)
		if !r.driver.Busy(id) {
			ids = append(ids, id)
			work = append(work, &settling[T]{entry: e, id: id, fenced: !e.Fence})
		}
	}
	found, err := r.readAll(ctx, ids)
	if err != nil {
		return err
	}
	each(ctx, work, func(s *settling[T]) error {
		s.read = found[s.id]
		err := s.read.err
		if err == nil && !s.read.Exists {
			err = r.neverWritten(ctx, s)
		}
		if err == nil && s.read.Exists {
			s.events, err = r.cfg.Events(s.read.Doc)
		}
		if err == nil && s.read.Exists {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.docs[s.entry.ID] = s
		}
		return err
	}, r.fail)
	return nil
}

// neverWritten decides about an intent without a document. If its write may still be on the way it
// is made impossible first; should it have been carried out meanwhile, the document is settled like
// any other.
func (r *round[T]) neverWritten(ctx context.Context, s *settling[T]) error {
	if !s.fenced {
		read, err := r.fence(ctx, s.id)
		if err != nil {
			return err
		}
		if s.fenced = true; read.Exists {
			s.read = read
			return nil
		}
	}
	_, note, _ := strings.Cut(s.entry.ID, noteMark)
	if err := r.driver.Absent(ctx, s.id, note); err != nil {
		return err
	}
	r.finish(s.entry.ID)
	return nil
}

// drive has the driver move on what is not done.
func (r *round[T]) drive(ctx context.Context) {
	var open []Open[T]
	for _, s := range r.docs {
		if !r.cfg.Done(s.read.Doc) {
			open = append(open, Open[T]{
				ID: s.id, Doc: s.read.Doc, Fresh: s.entry.Age < r.cfg.Patience, TraceParent: s.read.trace,
			})
		}
	}
	if len(open) == 0 {
		return
	}
	changed, err := r.driver.Drive(ctx, open)
	r.fail(err)
	for _, s := range r.docs {
		if doc, ok := changed[s.id]; ok {
			// What was read before is outdated, and what is here was not read: before it is finished it is
			// fenced and compared.
			raw, err := r.encode(doc, s.read.trace)
			if err == nil {
				s.events, err = r.cfg.Events(doc)
			}
			r.fail(err)
			s.read = Read[T]{Doc: doc, Exists: err == nil, id: s.id, raw: raw, trace: s.read.trace}
		}
	}
}

// tell asks which events of what is done were accepted, and ends what is finished.
func (r *round[T]) tell(ctx context.Context) {
	var owed []Owed[T]
	var done []*settling[T]
	for _, s := range r.docs {
		if !s.read.Exists || !r.cfg.Done(s.read.Doc) {
			continue
		}
		done = append(done, s)
		if len(s.events) > 0 {
			owed = append(owed, Owed[T]{ID: s.id, Doc: s.read.Doc, Events: s.events})
		}
	}
	accepted := map[string]bool{}
	if len(owed) > 0 {
		var err error
		if accepted, err = r.driver.Accepted(ctx, owed); err != nil {
			r.fail(fmt.Errorf("asking which events were accepted: %w", err))
			return
		}
	}
	each(ctx, done, func(s *settling[T]) error { return r.end(ctx, s, accepted) }, r.fail)
}

// end finishes one document that is done, or publishes again what was not accepted.
func (r *round[T]) end(ctx context.Context, s *settling[T], accepted map[string]bool) error {
	if r.driver.Told != nil && len(s.events) > 0 {
		if err := r.told(ctx, s, accepted); err != nil {
			return err
		}
	}
	var untold []event.Event
	for _, e := range s.events {
		if !accepted[e.ID] {
			untold = append(untold, e)
		}
	}
	if len(untold) > 0 {
		if s.entry.Age < r.cfg.Patience {
			return nil // they are likely to be under way
		}
		return r.Publish(ctx, untold...)
	}
	if !r.cfg.Done(s.read.Doc) {
		return nil
	}
	if !s.fenced {
		now, err := r.fence(ctx, s.id)
		if err != nil || !now.same(s.read) {
			return err // it changed before it was fenced: it is looked at again
		}
	}
	r.finish(s.entry.ID)
	return nil
}

// told lets the domain take note of what was accepted. A write by this round is as good as a fence.
func (r *round[T]) told(ctx context.Context, s *settling[T], accepted map[string]bool) error {
	changed := false
	doc, err := r.Advance(ctx, s.read, func(doc T) (T, error) {
		changed = false
		told, err := r.driver.Told(ctx, doc, accepted)
		changed = err == nil
		return told, err
	})
	if err != nil || !changed {
		return err
	}
	s.fenced, s.read.Doc = true, doc
	s.events, err = r.cfg.Events(doc)
	return err
}

// each does work for every document, several at once, and reports each error.
func each[T any](ctx context.Context, docs []*settling[T],
	work func(*settling[T]) error, fail func(error),
) {
	fail(Each(ctx, docs, func(s *settling[T]) error {
		if err := work(s); err != nil {
			return fmt.Errorf("%s: %w", s.id, err)
		}
		return nil
	}))
}

// settleParallel is the number of documents of one round that are worked on at once.
const settleParallel = 8

// Each does work for every item, several at once, and returns the first error, saying how many more
// there were. It is for drivers: what fails of one item keeps no other from being worked on.
func Each[I any](ctx context.Context, items []I, work func(item I) error) error {
	return firstOf(background.Each(ctx, settleParallel, items, work))
}

// firstOf returns the first error, saying how many more there were: what fails for one usually
// fails for all.
func firstOf(errs []error) error {
	if len(errs) < 2 {
		return errors.Join(errs...)
	}
	return fmt.Errorf("%w (and %d more)", errs[0], len(errs)-1)
}
