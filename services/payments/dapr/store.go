// Package dapr is how payments reaches the outside by way of its sidecar: its store, its journal, the bus, and
// notifications.
package dapr

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/payments"
)

const keyPrefix = "payment/"

// tombstone stands in place of a payment that was fenced off before it was written. As a payment it does not exist.
var tombstone = []byte(`{"tombstone":true}`)

// tombstoneLife is how long a delayed write may be under way at most.
const tombstoneLife = 24 * time.Hour

// Store keeps payments in a state store, one key each. It implements [payments.Store].
type Store struct {
	state sidecar.State
}

// NewStore makes a store.
func NewStore(state sidecar.State) *Store { return &Store{state: state} }

// Get implements [payments.Store].
func (s *Store) Get(ctx context.Context, id string) (payments.Record, error) {
	item, err := s.state.Get(ctx, keyPrefix+id)
	if sidecar.IsMissing(err) {
		return payments.Record{}, nil
	}
	if err != nil {
		return payments.Record{}, err
	}
	return decode(item)
}

// BulkGet implements [payments.Store].
func (s *Store) BulkGet(ctx context.Context, ids []string) (map[string]payments.Record, error) {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = keyPrefix + id
	}
	items, err := s.state.BulkGet(ctx, keys)
	if err != nil {
		return nil, err
	}
	records := make(map[string]payments.Record, len(items))
	for _, item := range items {
		rec, err := decode(item)
		if err != nil {
			return nil, err
		}
		if rec.Exists() {
			records[rec.ID] = rec
		}
	}
	return records, nil
}

// Write implements [payments.Store].
func (s *Store) Write(ctx context.Context, p payments.Payment, etag string) error {
	raw, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("payment %s: %w", p.ID, err)
	}
	if etag == "" {
		err = s.state.Insert(ctx, keyPrefix+p.ID, raw)
	} else {
		err = s.state.Update(ctx, keyPrefix+p.ID, raw, etag)
	}
	if sidecar.IsExists(err) || sidecar.IsConflict(err) {
		return payments.ErrConflict
	}
	return err
}

// Fence implements [payments.Store].
func (s *Store) Fence(ctx context.Context, id string) (payments.Record, error) {
	item, ok, err := journal.Fence(ctx, s.state, keyPrefix+id, tombstone, tombstoneLife)
	if err != nil || !ok {
		return payments.Record{}, err
	}
	return decode(item)
}

func decode(item sidecar.Item) (payments.Record, error) {
	rec := payments.Record{ETag: item.ETag}
	if err := json.Unmarshal(item.Value, &rec.Payment); err != nil {
		return payments.Record{}, fmt.Errorf("%s: %w", item.Key, err)
	}
	return rec, nil
}
