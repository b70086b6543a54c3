package payments

import (
	"context"
	"errors"
	"strings"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/journal"
)

var _ journal.Settler = (*Service)(nil)

// Settle implements [journal.Settler]: it drives unfinished payments on and forgets those that are done, of which notifications
// has accepted every event and orders has noted every refund. It calls the provider only by way of the runner, so a hanging provider does not stop it.
func (s *Service) Settle(ctx context.Context, entries []journal.Entry) (finished []string, err error) {
	entries, erasures := splitErasures(entries)
	finished = s.settleErasures(ctx, erasures)
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	records, err := s.Store.BulkGet(ctx, ids)
	if err != nil {
		return finished, err
	}
	var quiet []settling
	for _, e := range entries {
		rec := records[e.ID]
		step, _ := rec.Next()
		switch {
		case !rec.Exists():
			done, fenceErr := s.neverWritten(ctx, e)
			err = errors.Join(err, fenceErr)
			if done {
				finished = append(finished, e.ID)
			}
		case step != StepNone:
			s.handOver(ctx, rec.Payment, 0, noTicket{})
		default:
			quiet = append(quiet, settling{Entry: e, payment: rec.Payment})
		}
	}
	accepted, acceptErr := s.settleQuiet(ctx, quiet)
	return append(finished, accepted...), errors.Join(err, acceptErr)
}

// settling is a payment that needs nothing but that the others learn of it.
type settling struct {
	journal.Entry
	payment Payment
	events  []event.Event
}

// untold returns the events that are to be published again: those notifications has not accepted, and refunds orders has not noted.
func (q settling) untold(accepted map[string]bool, noted map[string]int64) []event.Event {
	known, exists := noted[q.payment.OrderID]
	behind := exists && known < q.payment.RefundedAmount().Amount
	var missing []event.Event
	for _, e := range q.events {
		if !accepted[e.ID] || behind && e.Type == TypeRefunded {
			missing = append(missing, e)
		}
	}
	return missing
}

// neverWritten decides about an intent without a payment. If the insert may still be on its way it is made impossible first. Orders asks
// again for every order that has no payment, so nothing is lost.
func (s *Service) neverWritten(ctx context.Context, e journal.Entry) (done bool, err error) {
	if !e.Fence {
		return true, nil
	}
	rec, err := s.Store.Fence(ctx, e.ID)
	return err == nil && !rec.Exists(), err
}

func (s *Service) settleQuiet(ctx context.Context, quiet []settling) (finished []string, err error) {
	if len(quiet) == 0 {
		return nil, nil
	}
	var eventIDs, refunded []string
	for i := range quiet {
		if quiet[i].payment.RefundedAmount().Amount > 0 {
			refunded = append(refunded, quiet[i].payment.OrderID)
		}
		if quiet[i].events, err = quiet[i].payment.Events(0); err != nil {
			return nil, err
		}
		for _, e := range quiet[i].events {
			eventIDs = append(eventIDs, e.ID)
		}
	}
	accepted, err := s.Notifier.Accepted(ctx, eventIDs)
	if err != nil {
		return nil, err
	}
	var noted map[string]int64
	if len(refunded) > 0 {
		if noted, err = s.Orders.Refunded(ctx, refunded); err != nil {
			return nil, err
		}
	}
	var errs []error
	for _, q := range quiet {
		done, err := s.settleOne(ctx, q, q.untold(accepted, noted))
		errs = append(errs, err)
		if done {
			finished = append(finished, q.ID)
		}
	}
	return finished, errors.Join(errs...)
}

func (s *Service) settleOne(ctx context.Context, q settling, missing []event.Event) (done bool, err error) {
	switch {
	case len(missing) > 0 && q.Age < s.RepublishAfter:
		return false, nil
	case len(missing) > 0:
		return false, s.Bus.Announce(ctx, missing)
	case !q.Fence:
		return true, nil
	}
	// A write may be on its way that was prepared before the payment was read here. After the fence there is none, and
	// what the fence returns is what was judged, or it is judged again later.
	rec, err := s.Store.Fence(ctx, q.ID)
	return err == nil && rec.Version == q.payment.Version, err
}

func splitErasures(entries []journal.Entry) (payments, erasures []journal.Entry) {
	for _, e := range entries {
		if strings.HasPrefix(e.ID, erasurePrefix) {
			erasures = append(erasures, e)
		} else {
			payments = append(payments, e)
		}
	}
	return payments, erasures
}
