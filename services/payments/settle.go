package payments

import (
	"context"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/journal"
)

// The kinds of ids that payments has in the journal.
const (
	KindPayment = "payment"
	KindErasure = "erase"
)

// Settlers are who drives on what the journal offers, by kind.
func (s *Service) Settlers() map[string]journal.Settler {
	return map[string]journal.Settler{
		KindPayment: s.docs,
		KindErasure: journal.SettlerFunc(s.settleErasures),
	}
}

// handOver goes on with what a handler has written, outside the handler's time.
func (s *Service) handOver(ctx context.Context, w aggregate.Written[Payment]) {
	s.decided(w.News)
	s.run(ctx, w.Doc, w.News, w.Ticket, "")
}

// decided notes how payments were decided, as their new events tell it.
func (s *Service) decided(news []event.Event) {
	for _, e := range news {
		s.Decided(e.Type)
	}
}

// drive hands what the journal offers over to the runner, so that a hanging provider does not stop
// the settler. Whatever comes of it is offered again.
func (s *Service) drive(ctx context.Context, open []aggregate.Open[Payment]) (map[string]Payment, error) {
	for _, o := range open {
		s.runAgain(ctx, o.Doc, o.TraceParent)
	}
	return nil, nil
}

// accepted says which events nobody has to be told again: those that notifications has accepted,
// without the refunds that orders has not noted.
func (s *Service) accepted(ctx context.Context, owed []aggregate.Owed[Payment]) (map[string]bool, error) {
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
