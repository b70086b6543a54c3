package payments

import (
	"context"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/journal"
)

// The kinds of ids that payments has in the journal.
const (
	PaymentKind = "payment" // a payment that is not done, or of which somebody is still to be told
	ErasureKind = "erase"   // a deleted user, whose payment methods are to be erased
)

// Settle is the journal's settler of the ids of [PaymentKind].
func (s *Service) Settle(ctx context.Context, entries []journal.Entry) ([]string, error) {
	return s.docs.Settle(ctx, entries)
}

// handOver goes on with what a handler has written, outside the handler's time.
func (s *Service) handOver(ctx context.Context, w aggregate.Written[Payment]) {
	s.noteDecisions(w.News)
	s.run(ctx, w.Doc, w.News, w.Ticket, "")
}

// drive hands what the journal offers over to the runner, so that a hanging provider does not stop
// the settler. The journal offers again whatever comes of it.
func (s *Service) drive(
	ctx context.Context, open []aggregate.Open[Payment],
) (map[string]Payment, error) {
	for _, o := range open {
		s.runAgain(ctx, o.Doc, o.TraceParent)
	}
	return nil, nil
}

// accepted says of which events nobody has to be told again: those that notifications has accepted,
// without the refunds that orders has not noted.
func (s *Service) accepted(
	ctx context.Context, owed []aggregate.Owed[Payment],
) (map[string]bool, error) {
	var refunded []string
	for _, o := range owed {
		if o.Doc.RefundedAmount().Amount > 0 {
			refunded = append(refunded, o.Doc.OrderID)
		}
	}
	accepted, err := s.Peers.Accepted(ctx, aggregate.EventIDs(owed))
	if err != nil || len(refunded) == 0 {
		return accepted, err
	}
	noted, err := s.Peers.Refunded(ctx, refunded)
	if err != nil {
		return nil, err
	}
	for _, o := range owed {
		known, exists := noted[o.Doc.OrderID]
		if !exists || known >= o.Doc.RefundedAmount().Amount {
			continue
		}
		for _, e := range o.Events {
			accepted[e.ID] = accepted[e.ID] && e.Type != TypeRefunded
		}
	}
	return accepted, nil
}
