package orders

import (
	"context"
	"slices"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/list"
)

// Query asks for a page of one customer's orders.
type Query struct {
	UserID string
	Status Status // empty: any
	Limit  int    // 1 or more
	Cursor string // of the page before; empty: begin with the newest
}

// Page is a page of orders. It may be shorter than asked for, even empty, and still have a next
// one.
type Page struct {
	Orders []Order
	Next   string // cursor of the next page; empty: this is the last
}

// scanBudget bounds the list entries that one page looks at, so that a rare status costs several
// requests rather than one endless one.
const scanBudget = 256

// putAt has the order hold the position at which it stands in its customer's list.
func (s *Service) putAt(ctx context.Context, o Order, seq uint64) (Order, error) {
	if o.seq == seq {
		return o, nil
	}
	return s.orders.Change(ctx, o.id, func(o Order) (Order, error) {
		o.seq = seq
		return o, nil
	})
}

// relist sees to it that orders stand in their customers' lists at the position that they hold. An
// order may not, if the process that placed it died meanwhile.
func (s *Service) relist(ctx context.Context, orders []Order) error {
	places := make([]list.Place, len(orders))
	for i, o := range orders {
		places[i] = list.Place{Prefix: listOf(o.userID), Entry: list.Entry{Seq: o.seq, ID: o.id}}
	}
	stand, err := s.lists.Stand(ctx, places)
	if err != nil {
		return err
	}
	var lost []Order
	for i, o := range orders {
		if !stand[i] {
			lost = append(lost, o)
		}
	}
	return aggregate.Each(ctx, lost, func(o Order) error {
		seq, err := s.lists.Append(ctx, listOf(o.userID), o.id)
		if err == nil {
			_, err = s.putAt(ctx, o, seq)
		}
		return err
	})
}

// listOf names the list of a customer's orders. An order holds its position in it. An entry whose
// order holds another position is a leftover of an attempt that came to nothing.
func listOf(userID string) string { return "orders-of/" + userID }

// List returns a page of a customer's orders, newest first.
func (s *Service) List(ctx context.Context, q Query) (Page, error) {
	found, next, err := list.Collect(ctx, s.lists, listOf(q.UserID), q.Cursor, q.Limit, scanBudget,
		func(ctx context.Context, entries []list.Entry) ([]list.Kept[Order], error) {
			return s.keep(ctx, q, entries)
		})
	return Page{Orders: found, Next: next}, err
}

// keep loads the entries' orders and keeps those that hold that position and have the status asked
// for.
func (s *Service) keep(
	ctx context.Context, q Query, entries []list.Entry,
) ([]list.Kept[Order], error) {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	found, err := s.orders.GetAll(ctx, ids)
	if err != nil {
		return nil, err
	}
	var kept []list.Kept[Order]
	for _, e := range entries {
		o, ok := found[e.ID]
		if !ok || o.seq != e.Seq || o.userID != q.UserID || q.Status != "" && o.status != q.Status {
			continue
		}
		kept = append(kept, list.Kept[Order]{Seq: e.Seq, Item: o})
	}
	return kept, nil
}

// Lookup returns those of the orders that exist and can be read.
func (s *Service) Lookup(ctx context.Context, ids []string) ([]Order, error) {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !ValidID(id) })
	found, err := s.orders.GetAll(ctx, ids)
	if found == nil && err != nil {
		return nil, err
	}
	if err != nil {
		s.cfg.Logger.ErrorContext(ctx, "an order that was asked for cannot be read",
			"error", err.Error())
	}
	orders := make([]Order, 0, len(found))
	for _, id := range ids {
		if o, ok := found[id]; ok {
			orders = append(orders, o)
		}
	}
	return orders, nil
}
