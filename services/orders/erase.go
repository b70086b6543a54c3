package orders

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/journal"
)

// reasonDeleted stands in the history of an order that was cancelled because its customer's account
// has ended.
const reasonDeleted = "account deleted"

// Erase returns the order without what people typed as the reason of a cancellation or a refund,
// and reports whether that changed anything. From then on the order does not take such words any
// more, because the event of a refund may come late. Reasons that are the system's own stay, and
// so does everything that counts: an order is a financial record.
func (o Order) Erase(at time.Time) (Order, bool) {
	if o.erased {
		return o, false
	}
	next := o
	next.erased = true
	next.history = slices.Clone(o.history)
	for i, step := range next.history {
		next.history[i].Reason = next.kept(step.Status, step.Reason)
	}
	if o.cancellation.Reason != reasonReopened {
		next.cancellation.Reason = next.kept(Cancelled, o.cancellation.Reason)
	}
	next.updatedAt = latest(o.updatedAt, at.UTC().Truncate(time.Microsecond))
	next.version++
	return next, true
}

// kept is what the order may keep of a reason that comes with a status. Those of the statuses that
// people bring about are in their words.
func (o Order) kept(s Status, reason string) string {
	typed := s == Cancelled || s == Refunding || s == Refunded
	if o.erased && typed && reason != reasonDeleted {
		return ""
	}
	return reason
}

// UserDeleted does what the end of an account means here. Pending orders are cancelled, because
// nobody is left who could cancel them, and nobody would hear of the charge. What people typed is
// erased from all orders. UserDeleted returns nil once the intent is durable. Most of the work is
// done by then, and the settler does the rest. It may be repeated.
func (s *Service) UserDeleted(ctx context.Context, userID string) error {
	ticket, err := s.deps.Journal.Begin(ctx, journal.KindID(ErasureKind, userID))
	if err != nil {
		return err
	}
	defer ticket.Wrote()
	if err := s.eraseUser(ctx, userID); err != nil {
		s.cfg.Logger.WarnContext(ctx, "the orders of a deleted user are not all ended and erased yet",
			"error", err.Error())
	}
	return nil
}

// erasePage is the number of orders that are looked at in one step.
const erasePage = 50

func (s *Service) eraseUser(ctx context.Context, userID string) error {
	q := Query{UserID: userID, Limit: erasePage}
	for {
		page, err := s.List(ctx, q)
		if err != nil {
			return err
		}
		for _, o := range page.Orders {
			if err := s.eraseOrder(ctx, o); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return s.deps.Letters.Erase(ctx, userID)
		}
		q.Cursor = page.Next
	}
}

func (s *Service) eraseOrder(ctx context.Context, o Order) error {
	if o.status == Pending {
		change := Change{Trigger: CancelRequested, At: s.cfg.Now(), Reason: reasonDeleted}
		if _, _, err := s.Apply(ctx, o.id, change); err != nil {
			return err
		}
	}
	if o.erased {
		return nil
	}
	_, err := s.orders.Change(ctx, o.id, func(o Order) (Order, error) {
		next, changed := o.Erase(s.cfg.Now())
		if !changed {
			return o, aggregate.ErrUnchanged
		}
		return next, nil
	})
	return err
}

// SettleErasures is the journal's settler of the ids of [ErasureKind]: it goes through the orders
// of the deleted users whose erasure is in the journal. An erasure is finished by a round that
// begins when the account's access tokens are refused everywhere, so that no order can come after
// it.
func (s *Service) SettleErasures(
	ctx context.Context, entries []journal.Entry,
) (finished []string, err error) {
	var errs []error
	for _, e := range entries {
		if err := s.eraseUser(ctx, strings.TrimPrefix(e.ID, bareErasure)); err != nil {
			errs = append(errs, err)
		} else if e.Age >= s.cfg.EraseAgain {
			finished = append(finished, e.ID)
		}
	}
	return finished, errors.Join(errs...)
}

// bareErasure began the ids of erasures before ids had kinds.
const bareErasure = "erase:"

// splitErasures returns the orders and the erasures among entries that may be of a time before ids
// had kinds.
func splitErasures(entries []journal.Entry) (orders, erasures []journal.Entry) {
	for _, e := range entries {
		if strings.HasPrefix(e.ID, bareErasure) {
			erasures = append(erasures, e)
		} else {
			orders = append(orders, e)
		}
	}
	return orders, erasures
}
