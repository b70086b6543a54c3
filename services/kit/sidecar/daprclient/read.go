package daprclient

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	dapr "github.com/dapr/go-sdk/client"

	"sidecart.dev/kit/background"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// read is a request for keys on its way. Its answer may be looked at once done is closed.
type read struct {
	ctx   context.Context //nolint:containedctx // for its trace: see shared
	keys  []string
	items map[string]sidecar.Item
	err   error
	done  chan struct{}
}

func (r *read) context() context.Context { return r.ctx }

// maxKeys bounds the keys that requests bring together into one call. A single request may have
// more.
const maxKeys = 128

// Get implements [sidecar.State]. It may share a call with other reads that wait at the same time.
func (s *state) Get(ctx context.Context, key string) (sidecar.Item, error) {
	items, err := s.readAll(ctx, []string{key})
	if err != nil {
		return sidecar.Item{}, err
	}
	item, ok := items[key]
	if !ok {
		return sidecar.Item{}, fault.New(fault.NotFound, sidecar.CodeMissing, "There is no such key.")
	}
	return item, nil
}

// BulkGet implements [sidecar.State]. It may share a call with other reads that wait at the same
// time.
func (s *state) BulkGet(ctx context.Context, keys []string) (map[string]sidecar.Item, error) {
	if len(keys) == 0 {
		return map[string]sidecar.Item{}, nil
	}
	return s.readAll(ctx, keys)
}

// readAll reads what stands under the keys at some moment after it was called: it never joins a
// call that has begun before.
func (s *state) readAll(ctx context.Context, keys []string) (map[string]sidecar.Item, error) {
	r := &read{ctx: ctx, keys: keys, done: make(chan struct{})}
	s.reads.Add(r)
	select {
	case <-r.done:
		return r.items, r.err
	case <-ctx.Done():
		return nil, transient(ctx.Err(), "The state store does not answer.")
	}
}

// readShared answers the requests with as few calls as there can be. The calls outlive those who
// asked, since others may wait for them.
func (s *state) readShared(requests []*read) {
	for len(requests) > 0 {
		n, keys := 1, len(requests[0].keys)
		for n < len(requests) && keys+len(requests[n].keys) <= maxKeys {
			keys += len(requests[n].keys)
			n++
		}
		s.readTogether(requests[:n])
		requests = requests[n:]
	}
}

func (s *state) readTogether(requests []*read) {
	ctx, end := shared("read together", contexts(requests))
	defer end(nil)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
	defer cancel()
	defer func() { // also if a panic ends the call: nobody is to be left without an answer
		for _, r := range requests {
			if r.items == nil && r.err == nil {
				r.err = fault.New(fault.Unavailable, "unavailable", "The state store does not answer.")
			}
		}
	}()
	_ = fault.Guard(ctx, func() error {
		var keys []string
		sure := map[string]bool{}
		for _, r := range requests {
			keys = append(keys, r.keys...)
			for _, key := range r.keys {
				sure[key] = sure[key] || !sidecar.IsGlance(r.ctx)
			}
		}
		slices.Sort(keys)
		items, errs := s.fetch(ctx, slices.Compact(keys), sure)
		for _, r := range requests {
			r.pick(items, errs)
		}
		return nil
	})
}

// pick takes the request's own keys out of a shared answer. A key that could not be read fails only
// those who asked for it.
func (r *read) pick(items map[string]sidecar.Item, errs map[string]error) {
	picked := make(map[string]sidecar.Item, len(r.keys))
	for _, key := range r.keys {
		if err := errs[key]; err != nil {
			r.err = err
			return
		}
		if item, ok := items[key]; ok {
			item.Value = slices.Clone(item.Value) // two readers may have got the same
			picked[key] = item
		}
	}
	r.items = picked
}

// fetch reads different keys in one call, and says of each what it holds or why it could not be
// read. A key without either is absent.
//
// Keys that the answer lacks are asked for again, one by one, if somebody wants to be sure of them.
// The components of PostgreSQL and SQLite do not notice when a read of several keys breaks off
// (components-contrib v1.18, BulkGet without rows.Err), and answer as if the rest were absent;
// their reads of one key do. A caller that takes a key for absent may forget an order for it.
func (s *state) fetch(ctx context.Context, keys []string, sure map[string]bool,
) (items map[string]sidecar.Item, errs map[string]error) {
	items, errs = make(map[string]sidecar.Item, len(keys)), map[string]error{}
	if len(keys) == 1 {
		s.confirm(ctx, keys, items, errs)
		return items, errs
	}
	answer, err := s.sdk.GetBulkState(ctx, s.store, keys, nil, bulkParallelism)
	if err != nil {
		for _, key := range keys {
			errs[key] = transient(err, "The state store does not answer.")
		}
		return items, errs
	}
	for _, item := range answer {
		if item.Error != "" {
			errs[item.Key] = transient(errors.New(item.Error), "The state store could not read a key.")
		} else if len(item.Value) > 0 {
			items[item.Key] = itemOf(item.Key, item.Value, item.Etag, item.Metadata)
		}
	}
	s.confirm(ctx, slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
		_, there := items[key]
		return there || errs[key] != nil || !sure[key]
	}), items, errs)
	return items, errs
}

// bulkParallelism is for stores that read one key at a time, and for asking again.
const bulkParallelism = 8

// confirm reads each key by itself.
func (s *state) confirm(ctx context.Context, keys []string,
	items map[string]sidecar.Item, errs map[string]error,
) {
	var mu sync.Mutex
	background.Each(ctx, bulkParallelism, keys, func(key string) error {
		var item *dapr.StateItem
		err := fault.Guard(ctx, func() (err error) {
			item, err = s.sdk.GetStateWithConsistency(ctx, s.store, key, nil,
				dapr.StateConsistencyStrong)
			return err
		})
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil:
			errs[key] = transient(err, "The state store does not answer.")
		case len(item.Value) > 0:
			items[key] = itemOf(key, item.Value, item.Etag, item.Metadata)
		}
		return nil
	})
}

func itemOf(key string, value []byte, etag string, metadata map[string]string) sidecar.Item {
	return sidecar.Item{Key: key, Value: value, ETag: etag, Expires: expires(metadata)}
}

// expires reads what most stores add to a value that has a TTL.
func expires(metadata map[string]string) time.Time {
	at, err := time.Parse(time.RFC3339, metadata["ttlExpireTime"])
	if err != nil {
		return time.Time{}
	}
	return at
}
