// Package dapr connects the orders service to its sidecar: the store, the bus, the other services.
package dapr

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/list"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/orders"
)

// Repository keeps each order in one document and each customer's orders in one list. It implements [orders.Repository].
type Repository struct {
	state sidecar.State
	lists *list.Lists
}

var _ orders.Repository = (*Repository)(nil)

// NewRepository makes a repository over a state store.
func NewRepository(state sidecar.State) *Repository {
	return &Repository{state: state, lists: list.New(list.Config{State: state})}
}

// tombstone fences an id off against a delayed write. To every reader it is no order; the same request made again replaces it.
var tombstone = []byte(`{"tombstone":true}`)

// tombstoneLife is longer than any write can be under way.
const tombstoneLife = 24 * time.Hour

// scanBudget bounds the list entries that one page looks at, so that a rare status costs several requests rather than one endless one.
const scanBudget = 256

func orderKey(id string) string         { return "order/" + id }
func customerList(userID string) string { return "orders-of/" + userID }

// Load implements [orders.Repository].
func (r *Repository) Load(ctx context.Context, id string) (orders.Stored, error) {
	item, err := r.state.Get(ctx, orderKey(id))
	if sidecar.IsMissing(err) {
		return orders.Stored{}, nil
	}
	if err != nil {
		return orders.Stored{}, err
	}
	return decode(item), nil
}

// LoadAll implements [orders.Repository].
func (r *Repository) LoadAll(ctx context.Context, ids []string) (map[string]orders.Stored, error) {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = orderKey(id)
	}
	items, err := r.state.BulkGet(ctx, keys)
	if err != nil {
		return nil, err
	}
	found := make(map[string]orders.Stored, len(items))
	for i, id := range ids {
		if item, ok := items[keys[i]]; ok {
			found[id] = decode(item)
		}
	}
	return found, nil
}

// Insert implements [orders.Repository].
func (r *Repository) Insert(ctx context.Context, o orders.Order) error {
	raw, err := json.Marshal(o.Document())
	if err != nil {
		return err
	}
	return r.state.Insert(ctx, orderKey(o.ID()), raw)
}

// Replace implements [orders.Repository].
func (r *Repository) Replace(ctx context.Context, o orders.Order, etag string) error {
	raw, err := json.Marshal(o.Document())
	if err != nil {
		return err
	}
	return r.state.Update(ctx, orderKey(o.ID()), raw, etag)
}

// Fence implements [orders.Repository].
func (r *Repository) Fence(ctx context.Context, id string) (orders.Stored, error) {
	item, exists, err := journal.Fence(ctx, r.state, orderKey(id), tombstone, tombstoneLife)
	if err != nil || !exists {
		return orders.Stored{}, err
	}
	return decode(item), nil
}

// Append implements [orders.Repository].
func (r *Repository) Append(ctx context.Context, userID, orderID string) (uint64, error) {
	return r.lists.Append(ctx, customerList(userID), orderID)
}

// List implements [orders.Repository].
func (r *Repository) List(ctx context.Context, q orders.Query) (orders.Page, error) {
	found, next, err := list.Collect(ctx, r.lists, customerList(q.UserID), q.Cursor, q.Limit, scanBudget,
		func(ctx context.Context, entries []list.Entry) ([]list.Kept[orders.Order], error) {
			return r.keep(ctx, q, entries)
		})
	return orders.Page{Orders: found, Next: next}, err
}

// keep loads the entries' orders and keeps those that claim their entry and have the status asked for.
func (r *Repository) keep(ctx context.Context, q orders.Query, entries []list.Entry) ([]list.Kept[orders.Order], error) {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	stored, err := r.LoadAll(ctx, ids)
	if err != nil {
		return nil, err
	}
	var kept []list.Kept[orders.Order]
	for _, e := range entries {
		s := stored[e.ID]
		if s.Err != nil {
			return nil, s.Err
		}
		if s.Order == nil || s.Order.Seq() != e.Seq || s.Order.UserID() != q.UserID || q.Status != "" && s.Order.Status() != q.Status {
			continue
		}
		kept = append(kept, list.Kept[orders.Order]{Seq: e.Seq, Item: *s.Order})
	}
	return kept, nil
}

// decode reads what stands under an order's key: an order or a tombstone.
func decode(item sidecar.Item) orders.Stored {
	var doc struct {
		orders.Document
		Tombstone bool `json:"tombstone"`
	}
	s := orders.Stored{ETag: item.ETag}
	if err := json.Unmarshal(item.Value, &doc); err != nil {
		s.Err = fault.Wrap(fmt.Errorf("%s: %w", item.Key, err), fault.Internal, "internal", "A stored order cannot be read.")
		return s
	}
	if doc.Tombstone {
		return s
	}
	o, err := doc.Order()
	if err != nil {
		s.Err = fmt.Errorf("%s: %w", item.Key, err)
		return s
	}
	s.Order = &o
	return s
}
