// Package document keeps documents of one type in a state store: one JSON document for each key,
// all keys of a kind under one prefix. It is for documents that are only stored. What has business
// to finish as well is an aggregate: see package aggregate.
//
//	sessions := document.New[Session](state, "session", document.Expiring(30*24*time.Hour))
//	session, err := sessions.Change(ctx, id, func(s Session, exists bool) (Session, error) { … })
//
// A document is changed by reading it, making the new one, and writing that under the ETag that was
// read. Where somebody else was faster, all of it is done again. [UntilWritten] is the one loop
// that does so.
package document

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// What a function that changes a document may return instead of a new one.
var (
	ErrUnchanged = errors.New("nothing to change")          // leave it as it is
	ErrRemove    = errors.New("the document is to go away") // delete it, if there is one
)

// Documents are the documents of one kind. It is safe for concurrent use, by any number of replicas
// on one store.
//
// Errors are those of [sidecar.State]: CodeMissing, CodeExists, CodeConflict, or transient faults
// after which a write may or may not have happened. A document that is not T's JSON is an Internal
// fault.
type Documents[T any] struct {
	state  sidecar.State
	prefix string
	life   time.Duration
}

// Option says how documents are kept.
type Option func(*kept)

type kept struct{ life time.Duration }

// Expiring lets each document expire that long after it was written last. Without it none does.
func Expiring(life time.Duration) Option { return func(k *kept) { k.life = life } }

// New makes the documents of one kind. Their keys are the prefix, a slash, and the key that each is
// asked for by.
func New[T any](state sidecar.State, prefix string, opts ...Option) *Documents[T] {
	var k kept
	for _, opt := range opts {
		opt(&k)
	}
	return &Documents[T]{state: state, prefix: prefix + "/", life: k.life}
}

// Read is what stood under a key when it was read.
type Read[T any] struct {
	Doc    T
	Exists bool

	key, etag string
}

// Read reads what stands under a key. Nothing is no error.
func (d *Documents[T]) Read(ctx context.Context, key string) (Read[T], error) {
	item, err := d.state.Get(ctx, d.prefix+key)
	if sidecar.IsMissing(err) {
		return Read[T]{key: key}, nil
	}
	if err != nil {
		return Read[T]{}, err
	}
	return d.decode(key, item)
}

// ReadAll reads several with one call, by their keys. Absent ones are absent from the answer.
func (d *Documents[T]) ReadAll(ctx context.Context, keys []string) (map[string]Read[T], error) {
	full := make([]string, len(keys))
	for i, key := range keys {
		full[i] = d.prefix + key
	}
	items, err := d.state.BulkGet(ctx, full)
	if err != nil {
		return nil, err
	}
	found := make(map[string]Read[T], len(items))
	for i, key := range keys {
		item, ok := items[full[i]]
		if !ok {
			continue
		}
		if found[key], err = d.decode(key, item); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Insert writes a document under a key that must be absent, or fails with CodeExists.
func (d *Documents[T]) Insert(ctx context.Context, key string, doc T) error {
	return d.Write(ctx, Read[T]{key: key}, doc)
}

// Write writes a document over what was read under its key: it fails with CodeExists if nothing was
// there and something is now, and with CodeConflict if what was there has changed.
func (d *Documents[T]) Write(ctx context.Context, over Read[T], doc T) error {
	raw, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	var opts []sidecar.WriteOption
	if d.life > 0 {
		opts = append(opts, sidecar.WithTTL(d.life))
	}
	if !over.Exists {
		return d.state.Insert(ctx, d.prefix+over.key, raw, opts...)
	}
	return d.state.Update(ctx, d.prefix+over.key, raw, over.etag, opts...)
}

// Delete removes what was read, or fails with CodeConflict if it has changed or is gone.
func (d *Documents[T]) Delete(ctx context.Context, read Read[T]) error {
	return d.state.Delete(ctx, d.prefix+read.key, read.etag)
}

// Change replaces the document under a key with what f makes of it, and returns that. Without a
// document f is given the zero value, and makes it. With [ErrUnchanged] f leaves everything as it
// is, with [ErrRemove] it has the document deleted; every other error is returned as it is. f may
// be called several times, with what was newly read each time.
//
// An error that is not f's leaves it unknown whether the document was changed, unless it is
// [ErrBusy].
func (d *Documents[T]) Change(ctx context.Context, key string,
	f func(doc T, exists bool) (T, error),
) (T, error) {
	var doc T
	err := UntilWritten(ctx, func() (bool, error) {
		read, err := d.Read(ctx, key)
		if err != nil {
			return false, err
		}
		doc, err = f(read.Doc, read.Exists)
		switch {
		case errors.Is(err, ErrUnchanged), errors.Is(err, ErrRemove) && !read.Exists:
			return true, nil
		case errors.Is(err, ErrRemove):
			return Written(d.Delete(ctx, read))
		case err != nil:
			return false, err
		}
		return Written(d.Write(ctx, read, doc))
	})
	return doc, err
}

// Remove deletes the document under a key, whatever happens to it meanwhile. Nothing is no error.
func (d *Documents[T]) Remove(ctx context.Context, key string) error {
	_, err := d.Change(ctx, key, func(doc T, _ bool) (T, error) { return doc, ErrRemove })
	return err
}

// decode does not say the key in its error: what stands under the prefix may be told to nobody.
func (d *Documents[T]) decode(key string, item sidecar.Item) (Read[T], error) {
	r := Read[T]{Exists: true, key: key, etag: item.ETag}
	if err := json.Unmarshal(item.Value, &r.Doc); err != nil {
		err = fmt.Errorf("document under %s: %w", d.prefix, err)
		return r, fault.Wrap(err, fault.Internal, "internal", "A stored document cannot be read.")
	}
	return r, nil
}
