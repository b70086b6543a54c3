// Package sidecartest has fakes of a sidecar's building blocks with the semantics a real sidecar
// has: ETags, first-write, expiry, at-least-once delivery. Tests inject failures before and after a
// call takes effect.
package sidecartest

import (
	"bytes"
	"context"
	"strconv"
	"sync"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// Op names a call to a state store.
type Op string

// The calls.
const (
	OpGet     Op = "get"
	OpBulkGet Op = "bulk-get"
	OpInsert  Op = "insert"
	OpUpdate  Op = "update"
	OpDelete  Op = "delete"
)

// Write reports whether the call changes the store.
func (o Op) Write() bool { return o == OpInsert || o == OpUpdate || o == OpDelete }

// Hook may fail a call. It runs without the store's lock held, so it may block, or call the store
// itself.
type Hook func(ctx context.Context, op Op, key string) error

// State is an in-memory [sidecar.State]. It is safe for concurrent use.
type State struct {
	// Before runs before a call; its error is returned and the call has no effect.
	Before Hook
	// After runs when the call has taken effect; its error is returned instead of the answer,
	// which is what a caller sees whose connection breaks, or who dies, after the write.
	After Hook
	// Now is the store's clock for expiry; nil means time.Now.
	Now func() time.Time

	mu    sync.Mutex
	items map[string]entry
	etag  uint64
	calls map[Op]int
}

type entry struct {
	value   []byte
	etag    uint64
	expires time.Time // zero: never
}

var _ sidecar.State = (*State)(nil)

// NewState returns an empty store.
func NewState() *State {
	return &State{items: map[string]entry{}, calls: map[Op]int{}}
}

// Get implements [sidecar.State].
func (s *State) Get(ctx context.Context, key string) (item sidecar.Item, err error) {
	err = s.do(ctx, OpGet, key, func() error {
		e, ok := s.live(key)
		if !ok {
			return fault.New(fault.NotFound, sidecar.CodeMissing, "no such key")
		}
		item = e.item(key)
		return nil
	})
	if err != nil {
		return sidecar.Item{}, err
	}
	return item, nil
}

// BulkGet implements [sidecar.State].
func (s *State) BulkGet(ctx context.Context, keys []string) (map[string]sidecar.Item, error) {
	items := make(map[string]sidecar.Item, len(keys))
	first := ""
	if len(keys) > 0 {
		first = keys[0]
	}
	err := s.do(ctx, OpBulkGet, first, func() error {
		for _, key := range keys {
			if e, ok := s.live(key); ok {
				items[key] = e.item(key)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return items, nil
}

// Insert implements [sidecar.State].
func (s *State) Insert(ctx context.Context, key string, value []byte,
	opts ...sidecar.WriteOption,
) error {
	return s.do(ctx, OpInsert, key, func() error {
		if _, ok := s.live(key); ok {
			return fault.New(fault.Conflict, sidecar.CodeExists, "the key exists")
		}
		s.put(key, value, opts)
		return nil
	})
}

// Update implements [sidecar.State].
func (s *State) Update(ctx context.Context, key string, value []byte, etag string,
	opts ...sidecar.WriteOption,
) error {
	return s.do(ctx, OpUpdate, key, func() error {
		if !s.matches(key, etag) {
			return fault.New(fault.Conflict, sidecar.CodeConflict, "the key has changed")
		}
		s.put(key, value, opts)
		return nil
	})
}

// Delete implements [sidecar.State].
func (s *State) Delete(ctx context.Context, key, etag string) error {
	return s.do(ctx, OpDelete, key, func() error {
		if !s.matches(key, etag) {
			return fault.New(fault.Conflict, sidecar.CodeConflict, "the key has changed")
		}
		delete(s.items, key)
		return nil
	})
}

// Calls returns how often an operation was called.
func (s *State) Calls(op Op) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[op]
}

// Keys returns the live keys in no order. Tests may look; a service cannot.
func (s *State) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := make([]string, 0, len(s.items))
	for key := range s.items {
		if _, ok := s.live(key); ok {
			keys = append(keys, key)
		}
	}
	return keys
}

func (s *State) do(ctx context.Context, op Op, key string, effect func() error) error {
	if err := ctx.Err(); err != nil {
		return fault.Wrap(err, fault.Timeout, "timeout", "The state store did not answer in time.")
	}
	if s.Before != nil {
		if err := s.Before(ctx, op, key); err != nil {
			return err
		}
	}
	s.mu.Lock()
	s.calls[op]++
	err := effect()
	s.mu.Unlock()
	if err == nil && s.After != nil {
		return s.After(ctx, op, key)
	}
	return err
}

func (s *State) live(key string) (entry, bool) {
	e, ok := s.items[key]
	if ok && !e.expires.IsZero() && !s.now().Before(e.expires) {
		delete(s.items, key)
		return entry{}, false
	}
	return e, ok
}

func (s *State) matches(key, etag string) bool {
	e, ok := s.live(key)
	return ok && strconv.FormatUint(e.etag, 10) == etag
}

func (s *State) put(key string, value []byte, opts []sidecar.WriteOption) {
	o := sidecar.Options(opts)
	s.etag++
	e := entry{value: bytes.Clone(value), etag: s.etag}
	if o.TTL > 0 {
		e.expires = s.now().Add(o.TTL)
	}
	s.items[key] = e
}

func (s *State) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (e entry) item(key string) sidecar.Item {
	return sidecar.Item{
		Key: key, Value: bytes.Clone(e.value), ETag: strconv.FormatUint(e.etag, 10),
		Expires: e.expires,
	}
}
