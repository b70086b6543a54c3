// Package dapr is how notifications reaches the outside world: its state store, the users service, and the providers
// behind the bindings, all through the sidecar.
package dapr

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/list"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/notifications"
)

// Store implements [notifications.Store] on a state store. It is safe for concurrent use.
type Store struct {
	state sidecar.State
}

var _ notifications.Store = (*Store)(nil)

// maxRead is the number of records read in one call.
const maxRead = 100

// NewStore makes a store of records.
func NewStore(state sidecar.State) *Store {
	return &Store{state: state}
}

func key(id string) string { return "evt/" + id }

// document is a record as it is stored, or a tombstone.
type document struct {
	notifications.Record
	Tombstone bool `json:"tombstone,omitempty"`
}

var tombstone = []byte(`{"tombstone":true}`)

// tombstoneLife is how long a delayed write may be under way at most.
const tombstoneLife = 24 * time.Hour

// Load implements [notifications.Store].
func (s *Store) Load(ctx context.Context, id string) (notifications.Stored, bool, error) {
	item, err := s.state.Get(ctx, key(id))
	if sidecar.IsMissing(err) {
		return notifications.Stored{}, false, nil
	}
	if err != nil {
		return notifications.Stored{}, false, err
	}
	stored, err := decode(item)
	return stored, err == nil, err
}

// LoadAll implements [notifications.Store].
func (s *Store) LoadAll(ctx context.Context, ids []string) (map[string]notifications.Stored, error) {
	found := make(map[string]notifications.Stored, len(ids))
	for part := range slices.Chunk(ids, maxRead) {
		keys := make([]string, len(part))
		for i, id := range part {
			keys[i] = key(id)
		}
		items, err := s.state.BulkGet(ctx, keys)
		if err != nil {
			return nil, err
		}
		for _, id := range part {
			item, ok := items[key(id)]
			if !ok {
				continue
			}
			if found[id], err = decode(item); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

func decode(item sidecar.Item) (notifications.Stored, error) {
	var doc document
	if err := json.Unmarshal(item.Value, &doc); err != nil {
		return notifications.Stored{}, fmt.Errorf("record %s: %w", item.Key, err)
	}
	return notifications.Stored{Record: doc.Record, ETag: item.ETag, Exists: !doc.Tombstone}, nil
}

// Insert implements [notifications.Store].
func (s *Store) Insert(ctx context.Context, r notifications.Record) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return s.state.Insert(ctx, key(r.ID), raw)
}

// Update implements [notifications.Store].
func (s *Store) Update(ctx context.Context, r notifications.Record, etag string) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return s.state.Update(ctx, key(r.ID), raw, etag)
}

// Fence implements [notifications.Store].
func (s *Store) Fence(ctx context.Context, id string) (bool, error) {
	_, exists, err := journal.Fence(ctx, s.state, key(id), tombstone, tombstoneLife)
	return exists, err
}

// Lists implements [notifications.Lists]. It is safe for concurrent use.
type Lists struct{ lists *list.Lists }

var _ notifications.Lists = Lists{}

// NewLists makes the lists of users' deliveries.
func NewLists(state sidecar.State) Lists { return Lists{list.New(list.Config{State: state})} }

func listOf(userID string) string { return "notifications-of/" + userID }

// Append implements [notifications.Lists].
func (l Lists) Append(ctx context.Context, userID string, entries []string) ([]uint64, error) {
	return l.lists.AppendAll(ctx, listOf(userID), entries)
}

// Page implements [notifications.Lists].
func (l Lists) Page(ctx context.Context, userID string, before uint64, limit int) ([]string, uint64, error) {
	entries, next, err := l.lists.Page(ctx, listOf(userID), before, limit)
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	return ids, next, err
}

// scanBudget bounds how many entries one listing passes over.
const scanBudget = 500

// Delivered returns a page of what was sent to a user, newest first, and the cursor of the next page, empty at the end.
func (s *Store) Delivered(ctx context.Context, lists Lists, userID, cursor string, limit int) ([]notifications.Delivered, string, error) {
	return list.Collect(ctx, lists.lists, listOf(userID), cursor, limit, scanBudget,
		func(ctx context.Context, entries []list.Entry) ([]list.Kept[notifications.Delivered], error) {
			return s.view(ctx, userID, entries)
		})
}

func (s *Store) view(ctx context.Context, userID string, entries []list.Entry) ([]list.Kept[notifications.Delivered], error) {
	ids, seen := make([]string, 0, len(entries)), map[string]bool{}
	for _, e := range entries {
		if id, _ := notifications.ParseEntryID(e.ID); !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	found, err := s.LoadAll(ctx, ids)
	if err != nil {
		return nil, err
	}
	var kept []list.Kept[notifications.Delivered]
	for _, e := range entries {
		id, channel := notifications.ParseEntryID(e.ID)
		stored, ok := found[id]
		if !ok || !stored.Exists || stored.Record.UserID != userID {
			continue
		}
		if v, ok := stored.Record.View(channel, e.Seq); ok {
			kept = append(kept, list.Kept[notifications.Delivered]{Seq: e.Seq, Item: v})
		}
	}
	return kept, nil
}

// Journal adapts [journal.Journal] to [notifications.Journal].
type Journal struct{ *journal.Journal }

var _ notifications.Journal = Journal{}

// Begin implements [notifications.Journal].
func (j Journal) Begin(ctx context.Context, id string) (notifications.Ticket, error) {
	t, err := j.Journal.Begin(ctx, id)
	if err != nil {
		return nil, err
	}
	return t, nil
}

var errNotThere = fault.New(fault.NotFound, "not_found", "There is no such user.")
