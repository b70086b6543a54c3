// Package store keeps the documents of the users service in its state store.
package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

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

// Get implements users.Docs.
func (d *Docs[T]) Get(ctx context.Context, key string) (doc T, rev string, err error) {
	item, err := d.state.Get(ctx, d.prefix+key)
	if err != nil {
		return doc, "", err
	}
	doc, err = d.decode(item)
	return doc, item.ETag, err
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

func (d *Docs[T]) decode(item sidecar.Item) (doc T, err error) {
	if err := json.Unmarshal(item.Value, &doc); err != nil {
		return doc, fmt.Errorf("document under %s: %w", d.prefix, err)
	}
	return doc, nil
}

func expiry(ttl time.Duration) []sidecar.WriteOption {
	if ttl <= 0 {
		return nil
	}
	return []sidecar.WriteOption{sidecar.WithTTL(ttl)}
}
