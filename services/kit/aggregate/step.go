package aggregate

import (
	"context"
	"time"
)

// stepTimeout bounds a step that is taken after a write. Together with publishing it is no longer
// than the journal's grace, so that the ticket of the write is ended in time.
const stepTimeout = 10 * time.Second

// Step returns the driver of documents that are moved on one by one. step moves on the one with the
// id, as far as it comes, and may be slow; it must be idempotent. It is called in the background as
// soon as a document has business to finish, for 10 s, and again whenever the journal offers one
// that is not done.
func (a *Aggregates[T]) Step(step func(ctx context.Context, id string) error) Driver[T] {
	drive := func(ctx context.Context, open []Open[T]) (map[string]T, error) {
		return nil, Each(ctx, open, func(o Open[T]) error { return step(ctx, o.ID) })
	}
	written := func(ctx context.Context, w Written[T]) {
		if a.cfg.Done(w.Doc) {
			a.Announce(ctx, w)
			return
		}
		if w.Ticket == NoTicket { // a step may be under way: what it leaves comes after it
			a.Announce(ctx, w)
			a.Poke(w.ID)
			return
		}
		started := a.announcing.Go(ctx, func(ctx context.Context) {
			defer w.Ticket.Wrote() // held until then, so that the settler does not do the same
			a.publishNews(ctx, w)
			ctx, cancel := context.WithTimeout(ctx, stepTimeout)
			defer cancel()
			if err := step(ctx, w.ID); err != nil {
				a.cfg.Logger.InfoContext(ctx, "not done yet; the journal has it",
					"kind", a.cfg.Kind, "id", w.ID, "error", err.Error())
			}
		})
		if !started { // the journal has the step; what is new is told here
			a.Announce(ctx, w)
		}
	}
	return Driver[T]{Written: written, Drive: drive}
}
