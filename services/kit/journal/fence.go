package journal

import (
	"context"
	"encoding/json"
	"reflect"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// fenceAttempts bounds the retries of [Fence] against a key that changes all the time.
const fenceAttempts = 10

// Fence makes every write to key impossible that was prepared before the call: an insert, and an
// update with an ETag read earlier. It inserts the tombstone if the key is absent, and otherwise
// rewrites what is there, which changes its ETag. It returns the aggregate as it stands after the
// fence, with no ETag, or ok = false if there is none. Whoever decides that an id is finished
// decides it on what Fence returned or on something read later.
//
// The tombstone must differ from every aggregate, in any JSON formatting. ttl is how long a delayed
// write may be under way at most, such as a day; a store that holds a write back for longer defeats
// the fence. An aggregate that exists is rewritten without expiry.
//
// A tombstone does not end an id for good: a later intent may replace it by an update with its
// ETag.
func Fence(ctx context.Context, state sidecar.State, key string, tombstone []byte,
	ttl time.Duration,
) (aggregate sidecar.Item, ok bool, err error) {
	for range fenceAttempts {
		err := state.Insert(ctx, key, tombstone, sidecar.WithTTL(ttl))
		if err == nil {
			return sidecar.Item{}, false, nil
		}
		if !sidecar.IsExists(err) {
			return sidecar.Item{}, false, err
		}
		item, err := state.Get(ctx, key)
		if sidecar.IsMissing(err) {
			continue // expired or deleted in between
		}
		if err != nil {
			return sidecar.Item{}, false, err
		}
		ok, opts := true, []sidecar.WriteOption(nil)
		if sameJSON(item.Value, tombstone) {
			ok, opts = false, append(opts, sidecar.WithTTL(ttl))
		}
		err = state.Update(ctx, key, item.Value, item.ETag, opts...)
		if err == nil {
			item.ETag = ""
			return item, ok, nil
		}
		if !sidecar.IsConflict(err) {
			return sidecar.Item{}, false, err
		}
	}
	return sidecar.Item{}, false, fault.New(fault.Unavailable, "unavailable",
		"The record changes too often to be fenced.")
}

// sameJSON compares documents by meaning: stores may reformat JSON.
func sameJSON(a, b []byte) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	return reflect.DeepEqual(x, y)
}
