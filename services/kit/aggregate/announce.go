package aggregate

import (
	"context"
	"errors"
	"time"

	"sidecart.dev/kit/event"
)

// publishers is the number of writes whose events are published in the background at a time.
const publishers = 64

// publishTimeout bounds one attempt. It is below the journal's grace, so that a ticket is ended in
// time.
const publishTimeout = 5 * time.Second

// Announce publishes events without making the caller wait for the bus, and then ends the ticket.
// The number of writes whose events are under way is bounded; above it the caller publishes them
// itself. Nothing is lost with an event that is not published: the journal holds the id, and the
// settler publishes again what the document implies.
func (a *Aggregates[T]) Announce(ctx context.Context, w Written[T]) {
	if len(w.News) == 0 {
		w.Ticket.Wrote()
		return
	}
	a.announcing.Do(ctx, func(ctx context.Context) {
		defer w.Ticket.Wrote() // held until then, so that the settler does not publish as well
		a.publishNews(ctx, w)
	})
}

func (a *Aggregates[T]) publishNews(ctx context.Context, w Written[T]) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	if err := a.Publish(ctx, w.News...); err != nil {
		a.cfg.Logger.WarnContext(ctx, "events not published; they will be published again",
			"kind", a.cfg.Kind, "id", w.ID, "error", err.Error())
	}
}

// Publish publishes events, and waits until the bus has them.
func (a *Aggregates[T]) Publish(ctx context.Context, events ...event.Event) error {
	var errs []error
	for _, e := range events {
		errs = append(errs, event.Publish(ctx, a.cfg.Bus, a.cfg.Topic, e))
	}
	return errors.Join(errs...)
}

// Drain waits until nothing is being published and no step is being taken in the background, or ctx
// ends. It is called when no more is written.
func (a *Aggregates[T]) Drain(ctx context.Context) { a.announcing.Drain(ctx) }
