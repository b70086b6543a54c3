package payments

import (
	"context"
	"errors"
	"slices"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/tracing"
)

// run lets the runner drive a payment on, then publish the news and what is new after that, and
// then end the ticket. What the runner does not take, or does not finish, the settler finds in the
// journal. ended is closed when the payment has been driven on; it is nil if the runner has too
// much to do.
//
// begunBy names the trace that began the payment's business, where the work is taken up again. It
// is empty where the work belongs to the trace of ctx.
//
// The ticket is ended as if all writes had been answered: a write of a step of driving needs no
// fence if its outcome is unknown, by the second rule of the package documentation.
func (s *Service) run(
	ctx context.Context, p Payment, news []event.Event, ticket aggregate.Ticket, begunBy string,
) (ended <-chan struct{}) {
	ended, taken := s.Runner.Go(ctx, p.ID, func(ctx context.Context) {
		defer ticket.Wrote()
		ctx, end := driveSpan(ctx, p, begunBy)
		err := s.driveAndTell(ctx, p, news)
		end(err)
		if err != nil {
			level := s.Log.WarnContext
			if fault.KindOf(err).Transient() {
				level = s.Log.InfoContext
			}
			level(ctx, "payment is left to the settler", "payment_id", p.ID, "error", err.Error())
		}
	})
	if !taken {
		ticket.Wrote()
	}
	return ended
}

// driveSpan starts the span of driving a payment on. Where the work is taken up again it stands in
// a trace of its own.
func driveSpan(ctx context.Context, p Payment, begunBy string) (context.Context, func(error)) {
	const name = "drive " + PaymentKind
	if begunBy != "" {
		return tracing.Resume(ctx, name, []string{begunBy}, tracing.About(p.OrderID))
	}
	return tracing.Start(ctx, name, tracing.About(p.OrderID))
}

// runAgain drives on a payment that nobody has changed, and tells all its events again, because
// whoever asks has not heard of them. begunBy is as for run.
func (s *Service) runAgain(ctx context.Context, p Payment, begunBy string) <-chan struct{} {
	events, err := p.Events(0)
	if err != nil {
		s.Log.ErrorContext(ctx, "the events of a payment cannot be made",
			"payment_id", p.ID, "error", err.Error())
	}
	return s.run(ctx, p, events, aggregate.NoTicket, begunBy)
}

// driveAndTell drives a payment on, and publishes the news and what is new after that.
func (s *Service) driveAndTell(ctx context.Context, p Payment, news []event.Event) error {
	ctx, cancel := context.WithTimeout(ctx, s.DriveTimeout)
	defer cancel()
	driven, err := s.drivenOn(ctx, p)
	newer, eventsErr := driven.Events(p.Version)
	s.noteDecisions(newer)
	return errors.Join(err, eventsErr, s.docs.Publish(ctx, slices.Concat(news, newer)...))
}

// noteDecisions tells metrics how payments were decided, as their new events say it.
func (s *Service) noteDecisions(news []event.Event) {
	for _, e := range news {
		s.Decided(e.Type)
	}
}
