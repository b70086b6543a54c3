// Package store keeps the documents of the users service in its state store.
package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/sidecar"
)

// Docs implements users.Docs on a state store: one JSON document per key, all keys of a kind under one prefix.
// It is safe for concurrent use.
type Docs[T any] struct {
	state  sidecar.State
	prefix string
}

// NewDocs makes the documents of one kind.
func NewDocs[T any](state sidecar.State, prefix string) *Docs[T] {
	return &Docs[T]{state: state, prefix: prefix + "/"}
}

// tombstone stands where a document must never come to be: see journal.Fence.
const tombstone = `{"tombstone":true}`

// tombstoneLife is longer than any write can be under way.
const tombstoneLife = 24 * time.Hour

// Get implements users.Docs.
func (d *Docs[T]) Get(ctx context.Context, key string) (doc T, rev string, err error) {
	item, err := d.state.Get(ctx, d.prefix+key)
	if err != nil {
		return doc, "", err
	}
	doc, ok, err := d.decode(item)
	if err == nil && !ok {
		err = fault.New(fault.NotFound, sidecar.CodeMissing, "There is no such document.")
	}
	return doc, item.ETag, err
}

// GetAll implements users.Docs.
func (d *Docs[T]) GetAll(ctx context.Context, keys []string) (map[string]T, error) {
	full := make([]string, len(keys))
	for i, key := range keys {
		full[i] = d.prefix + key
	}
	items, err := d.state.BulkGet(ctx, full)
	if err != nil {
		return nil, err
	}
	docs := make(map[string]T, len(items))
	for _, key := range keys {
		item, ok := items[d.prefix+key]
		if !ok {
			continue
		}
		doc, ok, err := d.decode(item)
		if err != nil {
			return nil, err
		}
		if ok {
			docs[key] = doc
		}
	}
	return docs, nil
}

// Insert implements users.Docs.
func (d *Docs[T]) Insert(ctx context.Context, key string, doc T, ttl time.Duration) error {
	raw, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	return d.state.Insert(ctx, d.prefix+key, raw, expiry(ttl)...)
}

// Update implements users.Docs.
func (d *Docs[T]) Update(ctx context.Context, key string, doc T, rev string, ttl time.Duration) error {
	raw, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	return d.state.Update(ctx, d.prefix+key, raw, rev, expiry(ttl)...)
}

// Delete implements users.Docs.
func (d *Docs[T]) Delete(ctx context.Context, key, rev string) error {
	return d.state.Delete(ctx, d.prefix+key, rev)
}

// Fence implements users.Docs.
func (d *Docs[T]) Fence(ctx context.Context, key string) (doc T, ok bool, err error) {
	item, ok, err := journal.Fence(ctx, d.state, d.prefix+key, []byte(tombstone), tombstoneLife)
	if err != nil || !ok {
		return doc, false, err
	}
	return d.decode(item)
}

// decode reads a document; ok is false for a tombstone.
func (d *Docs[T]) decode(item sidecar.Item) (doc T, ok bool, err error) {
	var mark struct {
		Tombstone bool `json:"tombstone"`
	}
	if err := json.Unmarshal(item.Value, &mark); err != nil {
		return doc, false, fmt.Errorf("document under %s: %w", d.prefix, err)
	}
	if mark.Tombstone {
		return doc, false, nil
	}
	if err := json.Unmarshal(item.Value, &doc); err != nil {
		return doc, false, fmt.Errorf("document under %s: %w", d.prefix, err)
	}
	return doc, true, nil
}

func expiry(ttl time.Duration) []sidecar.WriteOption {
	if ttl <= 0 {
		return nil
	}
	return []sidecar.WriteOption{sidecar.WithTTL(ttl)}
}
