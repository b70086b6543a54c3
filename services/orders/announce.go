package orders

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
)

// announcer publishes events without making a request wait for the bus. The number at once is bounded: above it the
// request that brings one more publishes it itself. Nothing is lost with an event that is not published: the journal
// holds the order's id, and the settler publishes what the order implies again.
type announcer struct {
	bus   Bus
	slots chan struct{}
	log   *slog.Logger
	busy  sync.WaitGroup
}

// publishTimeout bounds one attempt. It is below the journal's grace, so that a ticket is released in time.
const publishTimeout = 5 * time.Second

// announce publishes the event and then calls done, which must not block.
func (a *announcer) announce(ctx context.Context, e event.Event, done func()) {
	ctx = context.WithoutCancel(ctx)
	publish := func() {
		defer done()
		ctx, cancel := context.WithTimeout(ctx, publishTimeout)
		defer cancel()
		if err := a.bus.Publish(ctx, Topic, e); err != nil {
			a.log.WarnContext(ctx, "event not published; it will be published again", "event_id", e.ID, "error", err.Error())
		}
	}
	select {
	case a.slots <- struct{}{}:
		a.busy.Go(func() {
			defer func() { <-a.slots }()
			// An event that a panic kept back is published by the settler.
			_ = fault.Guard(ctx, func() error { publish(); return nil })
		})
	default:
		publish()
	}
}

func (a *announcer) drain(ctx context.Context) {
	idle := make(chan struct{})
	go func() {
		a.busy.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}
